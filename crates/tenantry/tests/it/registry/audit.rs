//! The audit: a row for each change, in its transaction, and no way to change one unnoticed.

use sea_orm::ConnectionTrait as _;
use tenantry::engine::Engine;
use tenantry::registry::{
    Action, AuditFinding, AuditHead, AuditQuery, AuditRow, ChangedBy, Draining, Registry, RegistryError,
};
use tenantry::run::{Driver, Wanted};
use tokio::task::JoinSet;

use super::{ADMIN_PASSWORD, Central, TENANT_PASSWORD, begin, new_run, new_server, new_tenant, provisioned};

super::on_every_engine!(
    every_change_leaves_a_row_that_says_who_and_why,
    without_its_row_there_is_no_change,
    many_at_once_leave_one_chain,
    whatever_is_changed_in_the_rows_is_found,
    rows_that_are_taken_out_are_missed,
    an_audit_that_was_written_anew_is_not_the_one_that_was_kept,
    rows_cannot_be_changed_or_deleted_where_triggers_keep_them,
);

async fn by_ann(central: &Central) -> Registry {
    central.registry().await.changed_by(ChangedBy {
        actor: "ann".to_owned(),
        origin: "laptop-3 (pid 7)".to_owned(),
        reason: Some("ticket 12".to_owned()),
    })
}

async fn all(registry: &Registry) -> Vec<AuditRow> {
    registry.audit_behind(0).await.unwrap()
}

async fn findings(registry: &Registry, kept: Option<&AuditHead>) -> Vec<AuditFinding> {
    registry.verify_audit(kept).await.unwrap().findings
}

async fn every_change_leaves_a_row_that_says_who_and_why(central: Central) {
    let registry = by_ann(&central).await;
    registry.add_server(&new_server("eu-db-1")).await.unwrap();
    registry.drain("eu-db-1", Draining::Begins).await.unwrap();
    registry.drain("eu-db-1", Draining::Ends).await.unwrap();
    let tenant = provisioned(&registry, "acme", "eu-db-1").await;
    registry.activate_tenant(&tenant.id).await.unwrap();
    let run = begin(&registry, &new_run(Vec::new())).await;
    registry.want(&run, Wanted::Pause, &Driver::this()).await.unwrap();
    let rows = all(&registry).await;
    let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "key.activate",
            "server.add",
            "server.set",
            "server.set",
            "tenant.create",
            "database.reserve",
            "database.ready",
            "tenant.activate",
            "run.start",
            "run.pause",
        ],
        "a tenant that is active already is not activated once more"
    );
    assert!(rows.iter().all(|row| row.actor == "ann"
        && row.origin == "laptop-3 (pid 7)"
        && row.reason.as_deref() == Some("ticket 12")));
    assert!(rows.iter().zip(1..).all(|(row, seq)| row.seq == seq));
    let text = format!("{rows:?}");
    for secret in [ADMIN_PASSWORD, TENANT_PASSWORD, "tmc1."] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(findings(&registry, None).await, []);
    let about = |about: &str| AuditQuery {
        about: Some(about.to_owned()),
        ..AuditQuery::default()
    };
    let of_acme = registry.audit(&about("acme"), 10).await.unwrap();
    assert_eq!(of_acme.len(), 4, "newest first: {of_acme:?}");
    assert_eq!(of_acme[0].action, Action::TenantActivate.as_str());
    let by_id = about(&format!("tenant:{}", tenant.id));
    assert_eq!(registry.audit(&by_id, 10).await.unwrap().len(), 2);
}

async fn without_its_row_there_is_no_change(central: Central) {
    let registry = by_ann(&central).await;
    central.execute("DELETE FROM tenantry_audit_head").await;
    let refused = registry.create_tenant(&new_tenant("acme")).await;
    assert!(refused.is_err(), "{refused:?}");
    let found = registry.find_tenant("acme").await;
    assert!(
        matches!(found, Err(RegistryError::TenantNotFound { .. })),
        "{found:?}"
    );
}

async fn many_at_once_leave_one_chain(central: Central) {
    let registry = by_ann(&central).await;
    let mut creations = JoinSet::new();
    for n in 0..24 {
        let registry = registry.clone();
        creations.spawn(async move { registry.create_tenant(&new_tenant(&format!("t{n}"))).await });
    }
    for created in creations.join_all().await {
        created.unwrap();
    }
    let verified = registry.verify_audit(None).await.unwrap();
    assert_eq!((verified.rows, verified.findings), (24, Vec::new()));
}

/// Lets the rows be changed, as somebody could who owns the tables.
async fn without_triggers(central: &Central) {
    match central.address.engine() {
        Engine::Postgres => {
            central
                .execute("DROP TRIGGER tenantry_audit_stays ON tenantry_audit")
                .await;
        }
        Engine::Sqlite => {
            central.execute("DROP TRIGGER tenantry_audit_stays").await;
            central.execute("DROP TRIGGER tenantry_audit_kept").await;
        }
        Engine::MySql => {}
    }
}

/// Ten rows that anybody can change.
async fn ten_rows(central: &Central) -> Registry {
    let registry = by_ann(central).await;
    for n in 0..10 {
        registry
            .create_tenant(&new_tenant(&format!("t{n}")))
            .await
            .unwrap();
    }
    without_triggers(central).await;
    registry
}

async fn whatever_is_changed_in_the_rows_is_found(central: Central) {
    let registry = ten_rows(&central).await;
    let original = all(&registry).await;
    let words = [
        "actor",
        "origin",
        "action",
        "object",
        "name",
        "state_before",
        "state_after",
        "reason",
        "hash",
    ];
    for (seq, column) in (1..).zip(words) {
        let change = format!("UPDATE tenantry_audit SET {column} = 'x' WHERE seq = {seq}");
        central.execute(&change).await;
        let found = findings(&registry, None).await;
        assert!(
            found.contains(&AuditFinding::Changed { seq }),
            "{column}: {found:?}"
        );
        let row = &original[usize::try_from(seq).unwrap() - 1];
        let quoted = |text: &Option<String>| {
            text.as_ref().map_or("NULL".to_owned(), |text| {
                format!("'{}'", text.replace('\'', "''"))
            })
        };
        let back = match column {
            "actor" => quoted(&Some(row.actor.clone())),
            "origin" => quoted(&Some(row.origin.clone())),
            "action" => quoted(&Some(row.action.clone())),
            "object" => quoted(&Some(row.object.clone())),
            "name" => quoted(&Some(row.name.clone())),
            "state_before" => quoted(&row.before),
            "state_after" => quoted(&row.after),
            "reason" => quoted(&row.reason),
            _ => quoted(&Some(row.hash.clone())),
        };
        central
            .execute(&format!(
                "UPDATE tenantry_audit SET {column} = {back} WHERE seq = {seq}"
            ))
            .await;
        assert_eq!(findings(&registry, None).await, [], "{column} was put back");
    }
    central
        .execute("UPDATE tenantry_audit SET changed_at = changed_at + 1 WHERE seq = 10")
        .await;
    assert_eq!(
        findings(&registry, None).await,
        [AuditFinding::Changed { seq: 10 }]
    );
}

async fn rows_that_are_taken_out_are_missed(central: Central) {
    let registry = ten_rows(&central).await;
    central
        .execute("DELETE FROM tenantry_audit WHERE seq IN (1, 4, 5)")
        .await;
    assert_eq!(
        findings(&registry, None).await,
        [
            AuditFinding::Missing { from: 1, to: 1 },
            AuditFinding::Missing { from: 4, to: 5 }
        ]
    );
    central.execute("DELETE FROM tenantry_audit WHERE seq > 8").await;
    let found = findings(&registry, None).await;
    assert!(
        matches!(&found[2..], [AuditFinding::End { rows, head }] if rows.seq == 8 && head.seq == 10),
        "{found:?}"
    );
    central.execute("DELETE FROM tenantry_audit").await;
    let found = findings(&registry, None).await;
    assert!(
        matches!(&found[..], [AuditFinding::End { rows, .. }] if rows.seq == 0),
        "{found:?}"
    );
}

async fn an_audit_that_was_written_anew_is_not_the_one_that_was_kept(central: Central) {
    let registry = ten_rows(&central).await;
    let kept = registry.verify_audit(None).await.unwrap().head;
    registry.create_tenant(&new_tenant("later")).await.unwrap();
    assert_eq!(findings(&registry, Some(&kept)).await, [], "it only grew");
    // Everything anew, and whole in itself.
    central.execute("DELETE FROM tenantry_audit").await;
    let zeros = "0".repeat(64);
    central
        .execute(&format!(
            "UPDATE tenantry_audit_head SET seq = 0, hash = '{zeros}'"
        ))
        .await;
    for n in 0..12 {
        registry
            .create_tenant(&new_tenant(&format!("forged{n}")))
            .await
            .unwrap();
    }
    assert_eq!(findings(&registry, None).await, []);
    assert_eq!(
        findings(&registry, Some(&kept)).await,
        [AuditFinding::NotAsKept(kept)]
    );
}

async fn rows_cannot_be_changed_or_deleted_where_triggers_keep_them(central: Central) {
    let registry = by_ann(&central).await;
    registry.create_tenant(&new_tenant("acme")).await.unwrap();
    let mut tries = vec![
        "UPDATE tenantry_audit SET actor = 'nobody'",
        "DELETE FROM tenantry_audit",
    ];
    match central.address.engine() {
        Engine::Postgres => tries.push("TRUNCATE tenantry_audit"),
        Engine::Sqlite => tries.push(
            "REPLACE INTO tenantry_audit SELECT seq, changed_at, 'x', origin, action, object, name, \
             state_before, state_after, reason, hash FROM tenantry_audit WHERE seq = 1",
        ),
        // docs/audit.md says so.
        Engine::MySql => return,
    }
    for sql in tries {
        let refused = central.db.execute_unprepared(sql).await;
        let refused = refused.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(all(&registry).await.len(), 1);
}
