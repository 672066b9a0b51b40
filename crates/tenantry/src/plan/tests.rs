//! What would run, from files and histories made by hand.

use super::*;
use crate::engine::Engine;
use crate::history::Meta;
use crate::target::TrackName;

const FILES: [(&str, &str); 4] = [
    ("1_a.sql", "SELECT 1;"),
    ("2_b.sql", "SELECT 2;"),
    ("2_b.down.sql", "SELECT 20;"),
    ("3_c.sql", "SELECT 3;"),
];

fn track(files: &[(&str, &str)]) -> Track {
    Track::from_files(TrackName::Tenant, Engine::MySql, files).unwrap()
}

/// A history of versions with their phases, each applied by the run of its number.
fn history(track: &Track, rows: &[(i64, Phase)]) -> History {
    let row = |(number, phase): &(i64, Phase)| {
        let version = Version::from_number(*number).unwrap();
        let migration = track.find(version).unwrap();
        Applied {
            track: TrackName::Tenant,
            version,
            name: migration.name.clone(),
            checksum: migration.up.checksum,
            phase: *phase,
            attempt_id: String::new(),
            run_id: format!("run_{number}"),
            epoch: 1,
            next_stmt: 0,
            total_stmts: 1,
            pre_fp: None,
            started_at: String::new(),
            done_at: None,
            duration_ms: 0,
        }
    };
    let meta = Meta {
        database_id: String::new(),
        tenant_id: String::new(),
        registry_id: String::new(),
        epoch: 1,
        format: 1,
    };
    History {
        meta: Some(meta),
        rows: rows.iter().map(row).collect(),
        occupied: false,
    }
}

fn steps(rows: &[(i64, Phase)], goal: &Goal) -> Vec<(i64, Direction)> {
    let track = track(&FILES);
    let plan = plan(&track, &history(&track, rows), goal).unwrap();
    let of_step = |step: &Step| (step.migration.version.number(), step.direction);
    plan.steps.iter().map(of_step).collect()
}

fn up_to(number: i64) -> Goal {
    Goal::UpTo(Version::from_number(number).unwrap())
}

#[test]
fn a_half_way_revert_is_finished_and_applied_again_only_up_to_the_goal() {
    let rows = [(1, Phase::Done), (2, Phase::Reverting)];
    let (up, down) = (Direction::Up, Direction::Down);
    assert_eq!(steps(&rows, &Goal::Head), [(2, down), (2, up), (3, up)]);
    assert_eq!(steps(&rows, &up_to(2)), [(2, down), (2, up)]);
    assert_eq!(steps(&rows, &up_to(1)), [(2, down)]);
}

#[test]
fn a_half_way_migration_above_the_goal_is_left_as_it_is() {
    let rows = [(1, Phase::Done), (2, Phase::Running)];
    assert_eq!(steps(&rows, &up_to(1)), []);
    assert_eq!(steps(&rows, &up_to(2)), [(2, Direction::Up)]);
}

#[test]
fn the_runs_of_a_chain_are_taken_back_together() {
    let rows = [(1, Phase::Done), (2, Phase::Done)];
    let runs = |names: &[&str]| Goal::BackRuns(names.iter().map(ToString::to_string).collect());
    assert_eq!(steps(&rows, &runs(&["run_2", "run_9"])), [(2, Direction::Down)]);
    assert_eq!(steps(&rows, &runs(&["run_9"])), []);
}

#[test]
fn a_fixed_way_back_takes_only_what_is_left_of_it() {
    let files = [
        FILES.as_slice(),
        &[("3_c.down.sql", "SELECT 30;"), ("1_a.down.sql", "SELECT 10;")],
    ]
    .concat();
    let track = track(&files);
    let planned = |rows: &[(i64, Phase)], goal: &Goal| {
        let plan = plan(&track, &history(&track, rows), goal)?;
        let versions = plan.steps.iter().map(|step| step.migration.version.number());
        Ok::<_, PlanError>((versions.collect::<Vec<_>>(), plan.fixed(goal)))
    };
    let all = [(1, Phase::Done), (2, Phase::Done), (3, Phase::Done)];
    for goal in [Goal::BackSteps(2), Goal::BackTo(Version::from_number(1))] {
        let (versions, fixed) = planned(&all, &goal).unwrap();
        assert_eq!(versions, [3, 2]);
        assert_eq!(planned(&all, &fixed).unwrap().0, [3, 2]);
        assert_eq!(
            planned(&all[..2], &fixed).unwrap(),
            (vec![2], Goal::BackVersions(vec!["2".parse().unwrap()]))
        );
        assert!(planned(&all[..1], &fixed).unwrap().0.is_empty());
    }
    let two = Goal::BackVersions(vec!["2".parse().unwrap()]);
    let error = planned(&all, &two).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 migration is applied above it and would stay: 3_c"
    );
}

#[test]
fn an_older_run_is_not_taken_back_beneath_a_newer_one() {
    let track = track(&FILES);
    let rows = [(1, Phase::Done), (2, Phase::Done), (3, Phase::Done)];
    let goal = Goal::BackRuns(vec!["run_2".to_owned()]);
    let refused = plan(&track, &history(&track, &rows), &goal).unwrap_err();
    assert_eq!(
        refused,
        PlanError::Beneath {
            labels: vec!["3_c".to_owned()],
            run_id: "run_3".to_owned(),
            below: Version::from_number(1),
            depth: 2,
        }
    );
    assert_eq!(refused.code(), Code(3060));
}

#[test]
fn a_track_without_files_has_nothing_to_do_whatever_the_version() {
    let empty = track(&[]);
    let plan = plan(&empty, &history(&empty, &[]), &up_to(7)).unwrap();
    assert!(plan.steps.is_empty());
    let full = track(&FILES);
    let unknown = super::plan(&full, &history(&full, &[]), &up_to(7));
    assert!(
        matches!(unknown, Err(PlanError::UnknownVersion { .. })),
        "{unknown:?}"
    );
}

#[test]
fn a_goal_is_read_as_it_is_written() {
    let runs = ["run_a".to_owned(), "run_b".to_owned()];
    for goal in [
        Goal::Head,
        up_to(20_260_314_093_000),
        Goal::BackSteps(2),
        Goal::BackTo(Version::from_number(7)),
        Goal::BackTo(None),
        Goal::BackRuns(runs.to_vec()),
        Goal::BackVersions(vec!["3".parse().unwrap(), "2".parse().unwrap()]),
        Goal::BackVersions(Vec::new()),
    ] {
        assert_eq!(Goal::from_text(&goal.to_string()), Some(goal));
    }
    for text in ["", "head 1", "up_to", "up_to x", "sideways 3"] {
        assert_eq!(Goal::from_text(text), None, "{text}");
    }
}

#[test]
fn an_applied_file_that_was_emptied_is_named_and_not_called_gone() {
    let whole = track(&FILES);
    let history = history(&whole, &[(1, Phase::Done), (2, Phase::Done)]);
    let mut emptied = track(&[("2_b.sql", "SELECT 2;"), ("3_c.sql", "SELECT 3;")]);
    emptied.unfinished = vec!["m/1_a.sql".into()];
    let files = vec!["1_a.sql".to_owned()];
    let error = plan(&emptied, &history, &Goal::BackSteps(1)).unwrap_err();
    assert_eq!(
        (error.code(), &error),
        (Code(3001), &PlanError::Emptied { files })
    );

    let mut no_way = track(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", "SELECT 2;")]);
    no_way.unfinished = vec!["m/2_b.down.sql".into(), "m/3_c.sql".into()];
    let files = vec!["2_b.down.sql".to_owned()];
    let error = plan(&no_way, &history, &Goal::BackSteps(1)).unwrap_err();
    assert_eq!(
        (error.code(), &error),
        (Code(3005), &PlanError::EmptyWayBack { files })
    );
}

#[test]
fn a_file_that_was_renamed_after_it_was_applied_is_told_and_runs_no_second_time() {
    let mut applied = history(&track(&FILES), &[(1, Phase::Done), (2, Phase::Running)]);
    for row in &mut applied.rows {
        row.name = "old".to_owned();
    }
    let planned = plan(&track(&FILES), &applied, &Goal::Head).unwrap();
    let numbers: Vec<i64> = planned
        .steps
        .iter()
        .map(|s| s.migration.version.number())
        .collect();
    assert_eq!(numbers, [2, 3]);
    // What is half-way gets the present name with its next row.
    let [told] = planned.warnings.as_slice() else {
        panic!("{:?}", planned.warnings);
    };
    assert_eq!((told.code(), told.version.number()), (Code(3107), 1));
    assert_eq!(told.kind.to_string(), "applied as 1_old, and renamed since");
    let command = "tenantry migrate mark 1 --accept-edit --all-tenants --reason \"renamed\"";
    assert!(told.help().ends_with(command), "{}", told.help());
}
