//! One run in its three faces: the same events on a terminal of 80 and of 120 columns, as lines, and as a stream.

use tenantry::run::{BegunTarget, OnServer, RunEvent, Start, TargetReport, Then};
use tenantry::{Code, TrackName};

use super::*;
use crate::render::wire::Numbered;
use crate::render::{Invocation, Paint, json, rows, sample, scroll};

const SERVERS: [(&str, usize); 5] = [
    ("eu-db-1", 520),
    ("eu-db-2", 310),
    ("uk-db-1", 580),
    ("uk-db-2", 200),
    ("us-db-1", 180),
];

fn started() -> RunEvent {
    let on = |(name, targets): (&str, usize)| OnServer {
        server: name.parse().ok(),
        targets,
        done: (0, 0),
    };
    let migrations = ["20260314093000", "20260320110000"];
    RunEvent::Started(Box::new(Start {
        run_id: "run_7f3a".to_owned(),
        targets: 1_790,
        concurrency: 24,
        per_server: 8,
        waves: [("canary", 1), ("internal", 14), ("rest", 1_775)]
            .map(|(name, targets)| (name.to_owned(), targets))
            .to_vec(),
        current: 49,
        skipped: 3,
        max_failures: Some(17),
        migrations: migrations
            .iter()
            .map(|version| version.parse().unwrap())
            .collect(),
        tracks: vec![TrackName::Tenant],
        actor: "ci@build-118".to_owned(),
        servers: SERVERS.map(on).to_vec(),
        ..Start::default()
    }))
}

fn wave(name: &str, index: usize, targets: usize) -> RunEvent {
    RunEvent::WaveStarted {
        wave: name.to_owned(),
        index,
        targets,
    }
}

fn over(name: &str, index: usize, (soak, then): (u64, Then)) -> RunEvent {
    RunEvent::WaveFinished {
        wave: name.to_owned(),
        index,
        soak: Duration::from_secs(soak),
        then,
    }
}

fn begun(label: &str, server: &str) -> RunEvent {
    RunEvent::TargetStarted(Box::new(BegunTarget {
        label: label.to_owned(),
        track: TrackName::Tenant,
        database_id: label.to_owned(),
        server: server.parse().ok(),
        expected_ms: 0,
    }))
}

fn ended(target: TargetReport) -> RunEvent {
    RunEvent::TargetFinished(Box::new(target))
}

fn in_trouble() -> Vec<RunEvent> {
    let (initech, wonka) = ("initech".to_owned(), "wonka".to_owned());
    let migration = "20260320110000_index_events".to_owned();
    vec![
        begun("initech", "uk-db-1"),
        begun("hooli", "eu-db-2"),
        RunEvent::MigrationStarted {
            label: initech.clone(),
            track: TrackName::Tenant,
            migration: migration.clone(),
        },
        ended(sample::failed("globex", Code(2003))),
        RunEvent::Retrying {
            label: "hooli".to_owned(),
            code: Code(2005),
            reason: "another session holds a lock; in the way: pid 4411, application billing".to_owned(),
            pause: Duration::from_millis(1_200),
        },
        RunEvent::Slow {
            label: initech,
            track: TrackName::Tenant,
            migration,
            after: Duration::from_secs(30),
        },
        RunEvent::PutBack {
            label: wonka,
            track: TrackName::Tenant,
            code: Code(5001),
            reason: "db.us.internal:5432 does not answer".to_owned(),
            pause: Duration::from_secs(5),
        },
        RunEvent::RegistryAway {
            reason: "the registry does not answer".to_owned(),
        },
        RunEvent::RegistryBack,
    ]
}

fn run() -> Vec<RunEvent> {
    let run_id = "run_7f3a".to_owned();
    let driver = "runner-7 (pid 412)".to_owned();
    let mut events = vec![
        RunEvent::Attached {
            run_id: run_id.clone(),
            driver: driver.clone(),
        },
        RunEvent::TakenOver { run_id, from: driver },
        started(),
        wave("canary", 0, 1),
        begun("northwind", "eu-db-2"),
        ended(sample::applied("northwind")),
        over("canary", 0, (0, Then::GoOn)),
        wave("internal", 1, 14),
        over("internal", 1, (1_800, Then::GoOn)),
        wave("rest", 2, 1_775),
    ];
    events.extend(in_trouble());
    events.push(over("rest", 2, (0, Then::Pause)));
    events
}

fn drawn(width: usize) -> String {
    let canvas = Canvas {
        width,
        paint: Paint::Plain,
        invocation: Invocation::default(),
    };
    let begin = Instant::now();
    let mut tally = Tally::new(begin);
    let mut lines = Vec::new();
    for event in run() {
        tally.count(&event, begin);
        lines.extend(scroll::event(&event, &tally, Detail::Usual, &canvas));
    }
    let now = begin + Duration::from_secs(161);
    lines.push(match rows::how_far(&tally, width, now) {
        rows::HowFar::Bar(text) => format!("Migrating [bar] {text}"),
        rows::HowFar::Words(text) => text,
    });
    lines.extend(rows::under_bar(&tally, &canvas, Listen::ToKeys, now));
    lines.join("\n")
}

#[test]
fn on_a_terminal_of_80_columns() {
    let drawn = drawn(80);
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    insta::assert_snapshot!(drawn);
}

#[test]
fn on_a_terminal_of_120_columns() {
    let drawn = drawn(120);
    assert!(drawn.lines().all(|line| line.chars().count() <= 120), "{drawn}");
    insta::assert_snapshot!(drawn);
}

#[test]
fn as_lines() {
    let at = Utc::of_micros(36_251_000_000);
    let begin = Instant::now();
    let mut tally = Tally::new(begin);
    let mut lines = Vec::new();
    for event in run() {
        tally.count(&event, begin);
        lines.extend(lines::event(&event, &tally, Detail::Every, at));
    }
    lines.push(lines::heartbeat(&tally, begin + Duration::from_secs(12), at));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn as_a_stream() {
    let events: Vec<Event> = run().iter().filter_map(Event::of).collect();
    let lines = (1..).zip(&events).map(|(seq, event)| {
        let ts = "T".to_owned();
        json(&Numbered { seq, ts, event })
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}
