//! What a run looks like at its end, at 80 and at 120 columns, and as JSON.

use tenantry::engine::{Recorded, StateAfter, TakenUp};
use tenantry::run::{Failure, Outcome, RunStatus, TargetReport};
use tenantry::{Code, TrackName};

use super::*;
use crate::render::wire::{Numbered, VersionLine};
use crate::render::{Invocation, Paint, failure, json, sample};

fn canvas(width: usize) -> Canvas {
    Canvas {
        width,
        paint: Paint::Plain,
        invocation: Invocation::default(),
    }
}

fn with_failure(target: TargetReport, change: impl FnOnce(&mut Failure)) -> TargetReport {
    let mut failure = target.failure.clone().unwrap();
    change(std::sync::Arc::make_mut(&mut failure));
    TargetReport {
        failure: Some(failure),
        ..target
    }
}

/// Six tenants fail alike, one is half-way, one server is down, the rest goes through.
fn mixed() -> RunReport {
    let mut targets = vec![sample::applied("acme"), sample::target("hooli", Outcome::Current)];
    for label in ["globex", "wonka", "tyrell", "cyberdyne", "oscorp", "initech"] {
        targets.push(sample::failed(label, Code(2003)));
    }
    let half = with_failure(sample::failed("contoso", Code(2002)), |failure| {
        failure.state = StateAfter::HalfWay { done: 2 };
        failure.exact = true;
    });
    targets.push(TargetReport {
        outcome: Outcome::Interrupted,
        ..half
    });
    let down = with_failure(sample::failed("pied-piper", Code(5001)), |failure| {
        failure.what = "db.us.internal:5432 does not answer".to_owned();
        failure.causes = vec!["connection refused".to_owned()];
        (failure.migration, failure.file, failure.place) = (None, None, None);
        (failure.snippet, failure.statement, failure.database) = (None, None, None);
    });
    targets.push(TargetReport {
        outcome: Outcome::Unreachable,
        ..down
    });
    sample::report(RunStatus::Completed, targets)
}

fn ending(report: &RunReport, exit: Exit) -> Ending<'_> {
    Ending {
        report,
        exit,
        again: vec![format!("tenantry migrate resume {}", report.run_id)],
        warnings: &[],
    }
}

fn drawn(report: &RunReport, exit: Exit, width: usize) -> String {
    let ending = ending(report, exit);
    let messages = messages(&ending, &canvas(width));
    format!("{messages}\n\n{}", summary(&ending, &canvas(width)))
}

#[test]
fn a_failed_run_at_80_columns() {
    insta::assert_snapshot!(drawn(&mixed(), Exit::Failed, 80));
}

#[test]
fn a_failed_run_at_120_columns() {
    insta::assert_snapshot!(drawn(&mixed(), Exit::Failed, 120));
}

#[test]
fn a_run_that_went_through() {
    let report = sample::report(
        RunStatus::Completed,
        vec![sample::applied("acme"), sample::target("hooli", Outcome::Current)],
    );
    insta::assert_snapshot!(summary(&ending(&report, Exit::Done), &canvas(80)));
}

#[test]
fn a_run_with_nothing_to_do_and_one_that_was_interrupted() {
    let current = sample::report(
        RunStatus::Completed,
        vec![sample::target("acme", Outcome::Current)],
    );
    let early = sample::report(
        RunStatus::Interrupted,
        vec![sample::applied("acme"), sample::not_run("hooli")],
    );
    let both = [
        summary(&ending(&current, Exit::Done), &canvas(80)),
        summary(&ending(&early, Exit::Interrupted), &canvas(80)),
    ];
    insta::assert_snapshot!(both.join("\n\n"));
}

#[test]
fn no_line_is_wider_than_the_terminal_but_for_what_is_copied() {
    for width in [80, 120] {
        for line in drawn(&mixed(), Exit::Failed, width).lines() {
            assert_eq!(line, line.trim_end());
            let fits = line.chars().count() <= width;
            assert!(
                fits || line.contains("-->") || line.contains("tenantry "),
                "{line}"
            );
        }
    }
}

#[test]
fn without_colour_there_is_no_escape_sequence_and_with_it_there_is() {
    let report = mixed();
    assert!(!drawn(&report, Exit::Failed, 80).contains('\u{1b}'));
    let colored = Canvas {
        paint: Paint::Colored,
        ..canvas(80)
    };
    assert!(summary(&ending(&report, Exit::Failed), &colored).contains("\u{1b}[31;1mDone"));
}

#[test]
fn the_words_of_a_database_cannot_paint_the_terminal() {
    let target = with_failure(sample::failed("globex", Code(2003)), |failure| {
        failure.database.as_mut().unwrap().message = "\u{1b}[2Jgone".to_owned();
        failure.what = "\u{1b}[2Jgone".to_owned();
        failure.code = Code(2000);
    });
    let report = sample::report(RunStatus::Completed, vec![target.clone()]);
    assert!(!drawn(&report, Exit::Failed, 80).contains('\u{1b}'));
    let event = RunEvent::TargetFinished(Box::new(target));
    let tally = Tally::new(Instant::now());
    let line = lines::event(&event, &tally, Detail::Every, Utc::of_micros(0));
    assert!(!line.unwrap().contains('\u{1b}'));
}

#[test]
fn json_has_the_targets_that_are_not_where_they_should_be() {
    let report = mixed();
    let finished =
        Finished::of(&ending(&report, Exit::Failed), &Invocation::default()).with_targets(&report.targets);
    let value: serde_json::Value = serde_json::from_str(&json(&finished)).unwrap();
    assert_eq!(value["type"], "run.finished");
    assert_eq!((&value["ok"], &value["failed"]), (&2.into(), &8.into()));
    assert_eq!(value["exit_code"], 20);
    assert_eq!(value["failures"][0]["count"], 6);
    let targets = value["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 8);
    assert_eq!(targets[0]["error"]["code"], "TN-2003");
    assert_eq!(targets[6]["error"]["statements_in_place"], 2);
}

#[test]
fn the_fields_of_a_stream() {
    let started = sample::started("run_7f3a", 2, 2);
    let retrying = RunEvent::Retrying {
        label: "globex".to_owned(),
        code: Code(2005),
        reason: "another session holds a lock".to_owned(),
        pause: Duration::from_millis(1_200),
    };
    let waiting = RunEvent::Waiting {
        label: "globex".to_owned(),
        reason: "waits for another session; in the way: pid 7, user app".to_owned(),
    };
    let begun = RunEvent::MigrationStarted {
        label: "globex".to_owned(),
        track: TrackName::Tenant,
        migration: "20260314093000_add_invoices".to_owned(),
    };
    let failed = RunEvent::TargetFinished(Box::new(sample::failed("globex", Code(2003))));
    let mut lines = vec![json(&VersionLine::new())];
    for (seq, event) in (1..).zip([&started, &begun, &waiting, &retrying, &failed]) {
        let event = Event::of(event).unwrap();
        lines.push(json(&Numbered {
            seq,
            ts: "T".to_owned(),
            event: &event,
        }));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn lines_with_a_time() {
    let at = Utc::of_micros(36_251_000_000);
    let begin = Instant::now();
    let mut tally = Tally::new(begin);
    let mut shown = Vec::new();
    let events = [
        sample::started("run_7f3a", 60, 24),
        sample::begun("initech"),
        RunEvent::TargetFinished(Box::new(sample::applied("acme"))),
        RunEvent::TargetFinished(Box::new(sample::failed("globex", Code(2003)))),
    ];
    for event in &events {
        tally.count(event, begin);
        shown.extend(lines::event(event, &tally, Detail::Usual, at));
    }
    shown.push(lines::heartbeat(&tally, begin + Duration::from_secs(12), at));
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_signal_is_answered_with_what_happens_now() {
    let begin = Instant::now();
    let mut tally = Tally::new(begin);
    let event = sample::begun("initech");
    tally.count(&event, begin);
    let now = begin + Duration::from_secs(41);
    let text = notice_text(Notice::Draining, &tally, now);
    assert_eq!(
        text,
        "Pausing. Nothing new starts; 1 is finishing (longest 41s). \
         Ctrl-C again stops waiting and cancels their statements."
    );
}

#[tokio::test]
async fn a_view_ends_when_the_run_closes_its_channel() {
    let globals = Globals {
        progress: Some(Progress::None),
        ..Globals::default()
    };
    let mut view = RunView::new(&globals, &canvas(80));
    let (events, received) = tokio::sync::mpsc::unbounded_channel();
    let (signals, noticed) = tokio::sync::mpsc::unbounded_channel();
    drop(signals);
    let event = RunEvent::TargetFinished(Box::new(sample::applied("acme")));
    events.send(event).unwrap();
    drop(events);
    let (wish, wishes) = tokio::sync::mpsc::unbounded_channel();
    drop(wish);
    let heard = Heard {
        events: received,
        notices: noticed,
        wishes,
        control: Control::default(),
    };
    view.follow(heard).await;
    assert_eq!(view.tally.done, 1);
}

#[test]
fn failures_in_files_of_two_engines_are_two() {
    let other = with_failure(sample::failed("globex", Code(2004)), |failure| {
        failure.file = Some("migrations/tenant/20260314093000_add_invoices.mysql.sql".into());
    });
    let targets = vec![
        sample::failed("acme", Code(2004)),
        other,
        sample::failed("initech", Code(2004)),
    ];
    let report = sample::report(RunStatus::Completed, targets);
    let groups = failure::groups(&report);
    let names: Vec<Vec<&str>> = groups.iter().map(|group| group.labels().collect()).collect();
    assert_eq!(names, [vec!["acme", "initech"], vec!["globex"]]);
}

#[test]
fn what_was_taken_up_is_said() {
    let mut target = sample::applied("acme");
    let one = target.migrations[0].clone();
    let in_a_way = |how| Recorded {
        taken_up: Some(how),
        ..one.clone()
    };
    target.migrations.push(in_a_way(TakenUp::Adopted));
    target.migrations.push(in_a_way(TakenUp::Resumed));
    target.migrations.push(in_a_way(TakenUp::Adopted));
    assert_eq!(
        lines::became(&target),
        "4 migrations to 20260314093000, 2 adopted, 1 resumed"
    );
}
