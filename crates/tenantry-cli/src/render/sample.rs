//! Targets and reports for tests, made by hand.

use std::path::PathBuf;
use std::time::Duration;

use tenantry::engine::{DatabaseError, Recorded, StateAfter};
use tenantry::migration::Place;
use tenantry::run::{
    BegunTarget, Failure, Outcome, RunEvent, RunReport, RunStatus, Snippet, Start, TargetReport,
};
use tenantry::{Code, Owner, TrackName};

/// A tenant.
pub(crate) fn owner(slug: &str) -> Owner {
    Owner {
        id: tenantry::TenantId::from_text(slug.to_owned()),
        slug: slug.parse().unwrap(),
        name: slug.to_owned(),
    }
}

/// A target that ended with an outcome.
pub(crate) fn target(label: &str, outcome: Outcome) -> TargetReport {
    TargetReport {
        database_id: format!("db-{label}"),
        track: TrackName::Tenant,
        label: label.to_owned(),
        owner: None,
        server: "eu-db-2".parse().ok(),
        database: format!("tenant_{label}_shared"),
        outcome,
        from: "20260301090100".parse().ok(),
        to: "20260301090100".parse().ok(),
        migrations: Vec::new(),
        failure: None,
        attempts: 1,
        duration: Duration::from_millis(1_904),
    }
}

/// A target that took one migration.
pub(crate) fn applied(label: &str) -> TargetReport {
    let version = "20260314093000".parse().unwrap();
    TargetReport {
        to: Some(version),
        migrations: vec![Recorded {
            version,
            duration_ms: 1_900,
            taken_up: None,
        }],
        ..target(label, Outcome::Applied)
    }
}

/// A target that was not started.
pub(crate) fn not_run(label: &str) -> TargetReport {
    TargetReport {
        attempts: 0,
        duration: Duration::ZERO,
        ..target(label, Outcome::NotRun)
    }
}

/// A target whose third statement of five failed.
pub(crate) fn failed(label: &str, code: Code) -> TargetReport {
    let text = "-- one number per order\nINSERT INTO invoice_number (ref) SELECT ref FROM orders;\n";
    let failure = Failure {
        code,
        what: "duplicate key value violates unique constraint \"invoice_number_pkey\"".to_owned(),
        migration: Some("20260314093000_add_invoices".to_owned()),
        file: Some(PathBuf::from("migrations/tenant/20260314093000_add_invoices.sql")),
        place: Some(Place { line: 14, column: 3 }),
        exact: false,
        snippet: Some(Snippet {
            first_line: 13,
            ..Snippet::around(text, 24)
        }),
        statement: Some((3, 5)),
        database: Some(DatabaseError {
            message: "duplicate key value violates unique constraint \"invoice_number_pkey\"".to_owned(),
            code: "SQLSTATE 23505".to_owned(),
            detail: Some("Key (ref)=(A-1009) already exists.".to_owned()),
            hint: None,
            class: code,
            transient: false,
        }),
        holders: Vec::new(),
        evidence: None,
        state: StateAfter::RolledBack,
        causes: Vec::new(),
    };
    TargetReport {
        failure: Some(std::sync::Arc::new(failure)),
        ..target(label, Outcome::Failed)
    }
}

/// A run that ended.
pub(crate) fn report(status: RunStatus, targets: Vec<TargetReport>) -> RunReport {
    RunReport {
        run_id: "run_7f3a".to_owned(),
        direction: tenantry::Direction::Up,
        status,
        targets,
        duration: Duration::from_secs(238),
        warnings: Vec::new(),
        unrecorded: None,
        cause: None,
    }
}

/// A run that begins.
pub(crate) fn started(run_id: &str, targets: usize, concurrency: usize) -> RunEvent {
    RunEvent::Started(Box::new(Start {
        run_id: run_id.to_owned(),
        targets,
        concurrency,
        ..Start::default()
    }))
}

/// A tenant's shared database that begins.
pub(crate) fn begun(label: &str) -> RunEvent {
    RunEvent::TargetStarted(Box::new(BegunTarget {
        label: label.to_owned(),
        track: TrackName::Tenant,
        database_id: label.to_owned(),
        server: "eu-db-2".parse().ok(),
        expected_ms: 0,
    }))
}
