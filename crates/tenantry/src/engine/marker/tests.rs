//! A comment keeps everybody else's text, and a marker fits one database, one track and one history only.

use proptest::prelude::*;

use super::*;
use crate::engine::Engine;
use crate::history::{Applied, History};

const WHOSE: Whose<'static> = Whose {
    registry_id: "registry",
    database_id: "database",
};

fn track(files: &[(&str, &str)]) -> Track {
    Track::from_files(TrackName::Tenant, Engine::Postgres, files).unwrap()
}

fn two() -> Track {
    track(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", "SELECT 2;")])
}

/// The history of a database in which these versions of a track are done.
fn done(track: &Track, versions: &[i64]) -> History {
    let of = |version: &i64| {
        let migration = track.find(Version::from_number(*version)?)?;
        Some(Applied {
            track: track.name.clone(),
            version: migration.version,
            name: migration.name.clone(),
            checksum: migration.up.checksum,
            phase: Phase::Done,
            attempt_id: String::new(),
            run_id: String::new(),
            epoch: 1,
            next_stmt: 1,
            total_stmts: 1,
            pre_fp: None,
            started_at: String::new(),
            done_at: None,
            duration_ms: 0,
        })
    };
    History {
        rows: versions.iter().filter_map(of).collect(),
        ..History::default()
    }
}

fn of_goal(whose: Whose<'_>, track: &Track, goal: &Goal) -> Option<Marker> {
    Done::of_goal(track, goal)?.by(whose)
}

fn of(history: &History) -> Option<Marker> {
    Marker::of_history(WHOSE, &TrackName::Tenant, history)
}

#[test]
fn the_marker_of_a_goal_is_that_of_the_history_that_reached_it() {
    let track = two();
    let goal = |goal: &Goal| of_goal(WHOSE, &track, goal);
    let up_to = |number| Goal::UpTo(Version::from_number(number).unwrap());
    assert_eq!(goal(&Goal::Head), of(&done(&track, &[1, 2])));
    assert_eq!(goal(&up_to(1)), of(&done(&track, &[1])));
    assert_ne!(goal(&Goal::Head), of(&done(&track, &[1])));
    assert_ne!(goal(&Goal::Head), of(&done(&track, &[2])));
    for asked in [up_to(3), Goal::BackSteps(1), Goal::BackTo(None)] {
        assert_eq!(goal(&asked), None, "{asked}");
    }
    assert_eq!(of_goal(WHOSE, &self::track(&[]), &Goal::Head), None);
}

#[test]
fn another_database_registry_track_name_or_text_is_another_fingerprint() {
    let ours = of_goal(WHOSE, &two(), &Goal::Head).unwrap();
    let other = |whose, track: &Track| of_goal(whose, track, &Goal::Head).unwrap().fingerprint;
    let whose = |registry_id, database_id| Whose {
        registry_id,
        database_id,
    };
    let product = Track {
        name: TrackName::from_text("product:kira").unwrap(),
        ..two()
    };
    for fingerprint in [
        other(whose("registry", "other"), &two()),
        other(whose("other", "database"), &two()),
        // The same letters, cut elsewhere.
        other(whose("registryd", "atabase"), &two()),
        other(WHOSE, &product),
        other(
            WHOSE,
            &track(&[("1_a.sql", "SELECT 1;"), ("2_c.sql", "SELECT 2;")]),
        ),
        other(
            WHOSE,
            &track(&[("1_a.sql", "SELECT 1;"), ("2_b.sql", "SELECT 3;")]),
        ),
    ] {
        assert_ne!(fingerprint, ours.fingerprint);
    }
    assert_eq!(of_goal(whose("", "database"), &two(), &Goal::Head), None);
}

#[test]
fn what_is_half_way_has_no_marker() {
    let mut history = done(&two(), &[1, 2]);
    for phase in [Phase::Running, Phase::Reverting] {
        history.rows[1].phase = phase;
        assert_eq!(of(&history), None);
    }
    assert_eq!(of(&History::default()), None);
}

#[test]
fn markers_stand_behind_creations_mark_and_beside_each_other() {
    let head = of_goal(WHOSE, &two(), &Goal::Head).unwrap();
    let kira = Marker {
        track: TrackName::from_text("product:kira").unwrap(),
        ..head.clone()
    };
    let one = with("tenantry:0190", &head.track, Some(&head)).unwrap();
    assert_eq!(one, format!("tenantry:0190 {head}"));
    let both = with(&one, &kira.track, Some(&kira)).unwrap();
    assert_eq!(both, format!("tenantry:0190 {head} {kira}"));
    assert_eq!(read(&both), [head.clone(), kira.clone()]);
    assert_eq!(text_of(&both), "tenantry:0190");
    let without = with(&both, &head.track, None).unwrap();
    assert_eq!(without, format!("tenantry:0190 {kira}"));
    assert_eq!(with("", &head.track, Some(&head)).unwrap(), head.to_string());
}

#[test]
fn only_what_we_write_is_a_marker() {
    let hex = "0123456789abcdef0123456789abcdef";
    for text in [
        format!("[tenantry tenant 3 {hex}] "),
        format!("[tenantry tenant 3 {hex}]\n"),
        format!("x[tenantry tenant 3 {hex}]"),
        format!("[tenantry tenant 03 {hex}]"),
        format!("[tenantry tenant 0 {hex}]"),
        format!("[tenantry tenant  3 {hex}]"),
        format!("[tenantry tenant 3 {}]", hex.to_uppercase()),
        format!("[tenantry nobody 3 {hex}]"),
        format!("[tenantry tenant 3 {hex} ]"),
        format!("[tenantry tenant 3 {hex} x]"),
        "[tenantry tenant 3 0123]".to_owned(),
        "[tenantry ]".to_owned(),
        "]".to_owned(),
    ] {
        assert_eq!(read(&text), [], "{text}");
        assert_eq!(text_of(&text), text);
    }
    assert_eq!(read(&format!("[tenantry tenant 3 {hex}]")).len(), 1);
}

#[test]
fn two_markers_of_one_track_count_only_if_they_agree() {
    let head = of_goal(WHOSE, &two(), &Goal::Head).unwrap();
    let older = Marker::of_history(WHOSE, &head.track, &done(&two(), &[1])).unwrap();
    let twice = [head.clone(), head.clone()];
    assert_eq!(find(&twice, &head.track), Some(&head));
    assert_eq!(find(&[head.clone(), older], &head.track), None);
    assert_eq!(find(&[], &head.track), None);
}

#[test]
fn a_comment_that_is_too_long_gets_no_marker() {
    let head = of_goal(WHOSE, &two(), &Goal::Head).unwrap();
    let room = LONGEST - head.to_string().len() - 1;
    assert!(with(&"a".repeat(room), &head.track, Some(&head)).is_some());
    assert_eq!(with(&"a".repeat(room + 1), &head.track, Some(&head)), None);
}

prop_compose! {
    fn marker()(track in 0..4usize, version in 1..i64::MAX, bytes in any::<[u8; 16]>()) -> Marker {
        let track = ["tenantry", "central", "tenant", "product:kira"][track];
        Marker {
            track: TrackName::from_text(track).unwrap(),
            version: Version::from_number(version).unwrap(),
            fingerprint: Fingerprint(bytes),
        }
    }
}

/// Texts that look like ours, and such that do not.
fn comment() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        marker().prop_map(|marker| marker.to_string()),
        marker().prop_map(|marker| format!(" {marker}")),
        Just(" ".to_owned()),
        Just(OPENING.to_owned()),
        Just("]".to_owned()),
        Just("tenantry:0190".to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whatever a comment says: others' text and other tracks' markers stay, ours is read back, and writing it again
    /// changes nothing.
    #[test]
    fn a_comment_keeps_what_is_not_ours(comment in comment(), marker in marker()) {
        let track = &marker.track;
        if let Some(written) = with(&comment, track, Some(&marker)) {
            prop_assert_eq!(text_of(&written), text_of(&comment));
            prop_assert!(written.starts_with(text_of(&comment)));
            prop_assert_eq!(find(&read(&written), track).cloned(), Some(marker.clone()));
            prop_assert_eq!(with(&written, track, Some(&marker)), Some(written.clone()));
            let others = |comment: &str| -> Vec<Marker> {
                read(comment).into_iter().filter(|other| other.track != *track).collect()
            };
            prop_assert_eq!(others(&written), others(&comment));
            let gone = with(&written, track, None).unwrap();
            prop_assert_eq!(find(&read(&gone), track).cloned(), None);
            prop_assert_eq!(text_of(&gone), text_of(&comment));
            if read(&comment).is_empty() {
                prop_assert_eq!(gone, comment);
            }
        }
    }
}
