//! Declarations on made-up histories.

use super::*;
use crate::engine::Engine;
use crate::history::Meta;
use crate::migration::Checksum;
use crate::target::TrackName;

fn track() -> Track {
    let files = [
        ("1_a.sql", "SELECT 1;"),
        ("2_b.sql", "SELECT 2; SELECT 3;"),
        ("3_c.sql", "SELECT 4;"),
    ];
    Track::from_files(TrackName::Tenant, Engine::MySql, &files).unwrap()
}

fn version(n: i64) -> Version {
    Version::from_number(n).unwrap()
}

fn row(n: i64, phase: Phase) -> Applied {
    let track = track();
    let known = track.find(version(n));
    let checksum = known.map_or_else(|| Checksum::of("gone"), |m| m.up.checksum);
    Applied {
        track: TrackName::Tenant,
        version: version(n),
        name: known.map_or_else(|| "gone".to_owned(), |m| m.name.clone()),
        checksum,
        phase,
        attempt_id: "attempt".to_owned(),
        run_id: "run_1".to_owned(),
        epoch: 1,
        next_stmt: 1,
        total_stmts: 2,
        pre_fp: Some("v1:-:0".to_owned()),
        started_at: "then".to_owned(),
        done_at: None,
        duration_ms: 1,
    }
}

fn history(rows: &[(i64, Phase)]) -> History {
    History {
        meta: Some(Meta {
            database_id: "d".to_owned(),
            tenant_id: "t".to_owned(),
            registry_id: "r".to_owned(),
            epoch: 1,
            format: 1,
        }),
        rows: rows.iter().map(|(n, phase)| row(*n, *phase)).collect(),
        occupied: false,
    }
}

fn declared(rows: &[(i64, Phase)], n: i64, mark: Mark) -> Result<Vec<Entry>, MarkError> {
    entries(&track(), &history(rows), version(n), mark)
}

fn added(entries: &[Entry]) -> Vec<i64> {
    let version = |entry: &Entry| match entry {
        Entry::Add(row) => Some(row.version.number()),
        Entry::Change(_) | Entry::Remove(_) => None,
    };
    entries.iter().filter_map(version).collect()
}

const ALONE: Mark = Mark::Applied(Older::Refused);
const WITH_OLDER: Mark = Mark::Applied(Older::Included);

#[test]
fn what_is_applied_leaves_no_older_one_behind() {
    let refused = declared(&[(1, Phase::Done)], 3, ALONE).unwrap_err();
    assert_eq!(
        refused,
        MarkError::OlderLeft {
            labels: vec!["2_b".to_owned()]
        }
    );
    let both = declared(&[(1, Phase::Done)], 3, WITH_OLDER).unwrap();
    assert_eq!(added(&both), [2, 3]);
    assert_eq!(added(&declared(&[(1, Phase::Done)], 2, ALONE).unwrap()), [2]);
    // A late one that somebody has carried out by hand.
    let late = declared(&[(1, Phase::Done), (3, Phase::Done)], 2, ALONE).unwrap();
    assert_eq!(added(&late), [2]);
}

#[test]
fn what_the_history_says_already_is_not_written_again() {
    let all = [(1, Phase::Done), (2, Phase::Done)];
    assert_eq!(declared(&all, 2, WITH_OLDER), Ok(Vec::new()));
    assert_eq!(declared(&all, 3, Mark::RolledBack), Ok(Vec::new()));
    assert_eq!(declared(&all, 2, Mark::AcceptEdit), Ok(Vec::new()));
    assert_eq!(declared(&all, 9, Mark::Forget), Ok(Vec::new()));
}

#[test]
fn a_half_way_migration_is_declared_as_a_whole() {
    let entries = declared(&[(1, Phase::Done), (2, Phase::Running)], 2, ALONE).unwrap();
    let [Entry::Change(row)] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!((row.phase, row.next_stmt, row.total_stmts), (Phase::Done, 2, 2));
    assert_eq!((row.pre_fp.as_deref(), row.run_id.as_str()), (None, "run_1"));
    let gone = declared(&[(1, Phase::Done), (2, Phase::Running)], 2, Mark::RolledBack);
    assert_eq!(gone, Ok(vec![Entry::Remove(version(2))]));
    assert!(matches!(
        declared(&[(2, Phase::Running)], 2, Mark::AcceptEdit),
        Err(MarkError::HalfWay { .. })
    ));
}

#[test]
fn what_was_half_way_is_told_of_the_rows_that_a_declaration_changes() {
    let told = |phase, mark| {
        let history = history(&[(1, Phase::Done), (2, phase)]);
        let entries = entries(&track(), &history, version(2), mark).unwrap();
        half_way(&track(), &history, &entries)
    };
    let at = |direction| WasHalfWay {
        migration: "2_b".to_owned(),
        direction,
        statement: 2,
        statements: 2,
    };
    assert_eq!(told(Phase::Running, ALONE), [at(Direction::Up)]);
    assert_eq!(told(Phase::Running, Mark::RolledBack), [at(Direction::Up)]);
    assert_eq!(told(Phase::Reverting, Mark::RolledBack), [at(Direction::Down)]);
    assert_eq!(told(Phase::Done, Mark::RolledBack), []);
}

#[test]
fn what_is_rolled_back_leaves_no_newer_one_above() {
    let refused = declared(&[(1, Phase::Done), (2, Phase::Done)], 1, Mark::RolledBack);
    assert_eq!(
        refused,
        Err(MarkError::NewerLeft {
            labels: vec!["2_b".to_owned()]
        })
    );
}

#[test]
fn a_database_without_a_table_has_nothing_applied() {
    let empty = History::default();
    let refused = entries(&track(), &empty, version(1), ALONE);
    assert_eq!(refused, Err(MarkError::Empty));
    let occupied = History {
        occupied: true,
        ..History::default()
    };
    let taken_over = entries(&track(), &occupied, version(2), WITH_OLDER).unwrap();
    assert_eq!(added(&taken_over), [1, 2]);
}

#[test]
fn an_edit_is_accepted_with_the_present_text_and_the_run_stays() {
    let mut history = history(&[(1, Phase::Done), (2, Phase::Done)]);
    history.rows[1].checksum = Checksum::of("as it was");
    let entries = entries(&track(), &history, version(2), Mark::AcceptEdit).unwrap();
    let [Entry::Change(row)] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!(
        Some(row.checksum),
        track().find(version(2)).map(|m| m.up.checksum)
    );
    assert_eq!((row.run_id.as_str(), row.total_stmts), ("run_1", 2));
}

#[test]
fn only_what_has_no_file_is_forgotten() {
    let rows = [(1, Phase::Done), (9, Phase::Done)];
    assert_eq!(
        declared(&rows, 9, Mark::Forget),
        Ok(vec![Entry::Remove(version(9))])
    );
    assert!(matches!(
        declared(&rows, 1, Mark::Forget),
        Err(MarkError::FileIsThere { .. })
    ));
    assert!(matches!(
        declared(&rows, 9, Mark::RolledBack),
        Err(MarkError::UnknownVersion { .. })
    ));
}

#[test]
fn a_decision_moves_the_row_the_way_the_file_was_going() {
    let open = |if_applied, if_not_applied| OpenStatement {
        statement: 0,
        statements: 2,
        reason: String::new(),
        evidence: String::new(),
        if_applied,
        if_not_applied,
    };
    let whole = open(Settled::Whole, Settled::Untouched);
    let phase = |entry| match entry {
        Entry::Change(row) => Some(row.phase),
        Entry::Add(_) | Entry::Remove(_) => None,
    };
    for (at, decision, expected) in [
        (Phase::Running, Decision::Applied, Some(Phase::Done)),
        (Phase::Running, Decision::NotApplied, None),
        (Phase::Reverting, Decision::Applied, None),
        (Phase::Reverting, Decision::NotApplied, Some(Phase::Done)),
    ] {
        let entry = settle(&row(2, at), &whole, decision);
        assert_eq!(phase(entry), expected, "{at:?} {decision:?}");
    }
    let behind = |next| Settled::Behind {
        next,
        pre_fp: format!("v1:-:{next}"),
    };
    let entry = settle(
        &row(2, Phase::Reverting),
        &open(behind(1), behind(0)),
        Decision::Applied,
    );
    let Entry::Change(row) = entry else {
        panic!("{entry:?}")
    };
    assert_eq!((row.phase, row.next_stmt), (Phase::Reverting, 1));
    assert_eq!(row.pre_fp.as_deref(), Some("v1:-:1"));
}

#[test]
fn a_name_that_only_the_file_has_is_taken_over() {
    let mut history = history(&[(1, Phase::Done), (2, Phase::Done)]);
    history.rows[1].name = "old".to_owned();
    let entries = entries(&track(), &history, version(2), Mark::AcceptEdit).unwrap();
    let [entry @ Entry::Change(row)] = entries.as_slice() else {
        panic!("{entries:?}");
    };
    assert_eq!((row.name.as_str(), row.checksum), ("b", history.rows[1].checksum));
    assert!(!is_written(&track(), &history, entry));
}
