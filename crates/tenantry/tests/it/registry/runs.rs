//! Runs in the registry: what they did, what is left of them, and which one a rollback is about.

use std::collections::BTreeMap;

use tenantry::registry::{NewRun, Registry, RegistryError, RunEnd, RunTarget, Tier};
use tenantry::run::{Outcome, RunStatus, TargetState};
use tenantry::{Code, Direction, Selection, TrackName};

use super::{Central, begin, new_run, new_server, provisioned};

super::on_every_engine!(
    a_run_is_found_with_its_counts,
    what_a_run_found_is_noted_at_the_databases,
    an_unknown_run_gives_the_nearest,
    a_rollback_is_about_the_last_run_that_still_counts,
    a_long_error_is_cut,
    a_run_knows_what_a_later_one_has_changed_of_its_rest,
);

async fn fleet(central: &Central) -> (Registry, Vec<RunTarget>) {
    let registry = central.registry().await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    for slug in ["acme", "globex", "initech"] {
        provisioned(&registry, slug, "eu-db-1").await;
    }
    let targets = registry
        .targets(&Selection::default(), Tier::Tenant)
        .await
        .unwrap();
    let targets = targets
        .targets
        .iter()
        .map(|target| RunTarget::not_run(target, 0))
        .collect();
    (registry, targets)
}

/// Ends a run.
async fn finish(registry: &Registry, id: &str, status: RunStatus) {
    let end = RunEnd {
        status,
        cause: None,
        stage: None,
    };
    registry.finish_run(id, 1, &end, &[]).await.unwrap();
}

fn ended(target: &RunTarget, outcome: Outcome, to: Option<&str>) -> RunTarget {
    RunTarget {
        outcome,
        state: TargetState::Ended,
        from_version: "5".parse().ok(),
        to_version: to.map(|v| v.parse().unwrap()),
        migrations: usize::from(outcome == Outcome::Applied),
        error_code: (!outcome.is_success()).then_some(Code(2003)),
        error: (!outcome.is_success()).then(|| "unique violation".to_owned()),
        duration_ms: 12,
        ..target.clone()
    }
}

async fn a_run_is_found_with_its_counts(central: Central) {
    let (registry, targets) = fleet(&central).await;
    assert_eq!(registry.latest_run_up().await.unwrap(), None);
    let id = begin(&registry, &new_run(targets.clone())).await;
    let begun = registry.latest_run_up().await.unwrap().unwrap();
    assert_eq!((begun.status, begun.finished_at), (None, None));
    assert_eq!(begun.counts, BTreeMap::from([(Outcome::NotRun, 3)]));

    let done = [
        ended(&targets[0], Outcome::Applied, Some("6")),
        ended(&targets[1], Outcome::Failed, Some("5")),
    ];
    registry.record(&id, 1, &done).await.unwrap();
    finish(&registry, &id, RunStatus::Stopped).await;
    for name in [id.as_str(), &id[..9], &id[4..9]] {
        let run = registry.find_run(name).await.unwrap();
        assert_eq!(run.id, id);
        assert_eq!(run.status, Some(RunStatus::Stopped));
        assert!(run.finished_at >= Some(run.started_at));
        let counts = [(Outcome::Applied, 1), (Outcome::Failed, 1), (Outcome::NotRun, 1)];
        assert_eq!(run.counts, BTreeMap::from(counts));
    }
    assert_eq!(
        registry.unfinished_of(&id).await.unwrap(),
        [done[1].clone(), targets[2].clone()]
    );
    let late = registry.record(&id, 1, &done).await;
    assert!(matches!(late, Err(RegistryError::TakenOver { .. })), "{late:?}");
    assert_eq!(registry.targets_of(&id).await.unwrap().len(), 3);
}

async fn what_a_run_found_is_noted_at_the_databases(central: Central) {
    let (registry, targets) = fleet(&central).await;
    let id = begin(&registry, &new_run(targets.clone())).await;
    let central_target = RunTarget {
        database_id: registry.registry_id().to_owned(),
        track: TrackName::Central,
        label: "central".to_owned(),
        ..ended(&targets[0], Outcome::Applied, Some("3"))
    };
    let outcomes = [
        ended(&targets[0], Outcome::Applied, Some("6")),
        ended(&targets[1], Outcome::Unreachable, None),
        targets[2].clone(),
        central_target,
    ];
    registry.record(&id, 1, &outcomes).await.unwrap();

    let status = registry.fleet_status().await.unwrap();
    let groups: Vec<_> = status
        .groups
        .iter()
        .map(|g| {
            (
                g.version.map(tenantry::migration::Version::number),
                g.outcome,
                g.databases,
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            (Some(5), Some(Outcome::Current), 1),
            (Some(5), Some(Outcome::Unreachable), 1),
            (Some(6), Some(Outcome::Applied), 1),
        ]
    );
    let bad: Vec<_> = status
        .not_current
        .iter()
        .map(|n| (n.label.as_str(), n.error_code))
        .collect();
    assert_eq!(bad, [("globex", Some(Code(2003)))]);
    assert_eq!(
        status.not_current[0].version,
        "5".parse().ok(),
        "the last known version stays"
    );
    let behind = registry
        .behind(&TrackName::Tenant, "6".parse().unwrap(), 10)
        .await
        .unwrap();
    let behind: Vec<_> = behind.iter().map(|n| n.label.as_str()).collect();
    assert_eq!(behind, ["globex", "initech"]);
}

async fn an_unknown_run_gives_the_nearest(central: Central) {
    let (registry, _) = fleet(&central).await;
    let id = begin(&registry, &new_run(Vec::new())).await;
    let last = if id.ends_with('0') { "1" } else { "0" };
    let misspelled = format!("{}{last}", &id[..11]);
    let error = registry.find_run(&misspelled).await.unwrap_err();
    assert_eq!(error.code(), Code(4009));
    assert_eq!(error.nearest(), std::slice::from_ref(&id));
    let second = begin(&registry, &new_run(Vec::new())).await;
    let mut both = [id, second];
    both.sort();
    for short in ["", "run_"] {
        let error = registry.find_run(short).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`{short}` fits 2 runs"));
        assert_eq!((error.code(), error.nearest()), (Code(4009), &both[..]));
    }
    for wild in ["run%", "ru_", "%"] {
        assert!(registry.find_run(wild).await.is_err(), "{wild} is no pattern");
    }
}

async fn a_rollback_is_about_the_last_run_that_still_counts(central: Central) {
    let (registry, targets) = fleet(&central).await;
    let applied = |to| {
        [
            ended(&targets[0], Outcome::Applied, Some(to)),
            ended(&targets[2], Outcome::Applied, Some(to)),
        ]
    };
    let mut ids = Vec::new();
    for version in ["6", "7"] {
        let id = begin(&registry, &new_run(Vec::new())).await;
        registry.record(&id, 1, &applied(version)).await.unwrap();
        ids.push(id);
    }
    let idle = begin(&registry, &new_run(Vec::new())).await;
    let nothing = [ended(&targets[0], Outcome::Current, Some("7"))];
    registry.record(&idle, 1, &nothing).await.unwrap();

    let last = async |databases: &[String]| {
        let run = registry
            .run_with_changes_before(&TrackName::Tenant, databases, None)
            .await
            .unwrap();
        run.map(|r| r.id)
    };
    let (own, other) = ([targets[0].database_id.clone()], [targets[1].database_id.clone()]);
    assert_eq!(last(&[]).await.as_ref(), ids.get(1));
    assert_eq!(last(&own).await.as_ref(), ids.get(1));
    assert_eq!(last(&other).await, None);
    let kira = TrackName::from_text("product:kira").unwrap();
    assert_eq!(
        registry.run_with_changes_before(&kira, &[], None).await.unwrap(),
        None
    );

    let back = NewRun {
        direction: Direction::Down,
        reverts: ids.get(1).cloned(),
        ..new_run(Vec::new())
    };
    let back = begin(&registry, &back).await;
    assert_eq!(last(&[]).await.as_ref(), ids.get(1), "nothing was taken back yet");
    let [acme, initech] = applied("6");
    registry.record(&back, 1, &[acme]).await.unwrap();
    assert_eq!(last(&own).await.as_ref(), ids.first());
    assert_eq!(last(&[]).await.as_ref(), ids.get(1), "initech still has it");
    registry.record(&back, 1, &[initech]).await.unwrap();
    assert_eq!(last(&[]).await.as_ref(), ids.first());
}

async fn a_run_knows_what_a_later_one_has_changed_of_its_rest(central: Central) {
    let (registry, targets) = fleet(&central).await;
    let id = begin(&registry, &new_run(targets.clone())).await;
    let done = [ended(&targets[0], Outcome::Applied, Some("6"))];
    registry.record(&id, 1, &done).await.unwrap();
    finish(&registry, &id, RunStatus::Paused).await;
    let run = registry.find_run(&id).await.unwrap();
    let changed = async || registry.changed_since(&run).await.unwrap();
    assert_eq!(changed().await, None);

    let later = begin(&registry, &new_run(Vec::new())).await;
    let elsewhere = [
        ended(&targets[0], Outcome::Applied, Some("7")),
        ended(&targets[1], Outcome::Current, Some("5")),
    ];
    registry.record(&later, 1, &elsewhere).await.unwrap();
    assert_eq!(changed().await, None);
    let of_the_rest = [ended(&targets[2], Outcome::Applied, Some("7"))];
    registry.record(&later, 1, &of_the_rest).await.unwrap();
    assert_eq!(changed().await, Some((later, "initech".to_owned())));
}

async fn a_long_error_is_cut(central: Central) {
    let (registry, targets) = fleet(&central).await;
    let id = begin(&registry, &new_run(Vec::new())).await;
    let mut failed = ended(&targets[0], Outcome::Failed, None);
    failed.error = Some("é".repeat(100_000));
    registry.record(&id, 1, &[failed]).await.unwrap();
    let found = registry.targets_of(&id).await.unwrap();
    assert_eq!(found[0].error.as_ref().map(|e| e.chars().count()), Some(1_000));
}
