//! Whether a plan agrees with itself: what was edited by hand usually does not.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::blueprint::PlannedTrack;
use super::read::{UnreadablePlan, beginning};
use super::{Group, Planned, SavedPlan};
use crate::engine::Engine;
use crate::migration::Version;
use crate::target::TrackName;
use crate::tenant::{ProductType, Slug};

/// The longest name of a migration in bytes: that of a file is no longer.
const LABEL_MAX: usize = 255;

/// The versions that the tracks of one name have, whatever the engine.
type Files<'a> = BTreeMap<&'a str, BTreeSet<Version>>;

impl SavedPlan {
    /// Checks that every target is there once and stands on files that the plan names.
    ///
    /// # Errors
    /// What no program of ours writes.
    pub(super) fn check(&self) -> Result<(), UnreadablePlan> {
        let files = self.files()?;
        for group in &self.groups {
            group.check(&files)?;
        }
        let used: HashSet<&str> = self.groups.iter().map(|group| group.track.as_str()).collect();
        if let Some(unused) = files.keys().find(|track| !used.contains(*track)) {
            return Err(odd(&format!("no target is on the track `{unused}`")));
        }
        self.check_once()?;
        self.check_skipped()
    }

    fn files(&self) -> Result<Files<'_>, UnreadablePlan> {
        let mut files = Files::new();
        let mut seen = HashSet::new();
        for track in &self.tracks {
            let versions = track.versions()?;
            if !seen.insert((&track.track, &track.engine)) {
                let (name, engine) = (&track.track, &track.engine);
                return Err(odd(&format!("the track `{name}` is there twice for {engine}")));
            }
            files.entry(&track.track).or_default().extend(versions);
        }
        Ok(files)
    }

    fn check_once(&self) -> Result<(), UnreadablePlan> {
        let (mut databases, mut labels) = (HashSet::new(), HashSet::new());
        for (_, planned, group) in self.targets() {
            let is_new = databases.insert((&planned.database, &group.track))
                & labels.insert((&planned.target, &group.track));
            if !is_new {
                return Err(odd(&format!("`{}` is a target twice", planned.target)));
            }
        }
        Ok(())
    }

    /// Whoever is skipped is a tenant, and none of its databases is a target.
    fn check_skipped(&self) -> Result<(), UnreadablePlan> {
        let owners: HashSet<&str> = self.targets().map(|(_, planned, _)| planned.owner()).collect();
        let mut seen = HashSet::new();
        for skipped in &self.skipped {
            let slug: Result<Slug, _> = skipped.parse();
            slug.map_err(|_| UnreadablePlan::value("skipped", skipped))?;
            if !seen.insert(skipped) {
                return Err(odd(&format!("`{skipped}` is skipped twice")));
            }
            if owners.contains(skipped.as_str()) {
                return Err(odd(&format!("`{skipped}` is skipped, and a target")));
            }
        }
        Ok(())
    }
}

impl PlannedTrack {
    /// Returns its versions.
    fn versions(&self) -> Result<Vec<Version>, UnreadablePlan> {
        if TrackName::from_text(&self.track).is_none() {
            return Err(UnreadablePlan::value("tracks.track", &self.track));
        }
        let engines = [Engine::Postgres, Engine::MySql, Engine::Sqlite];
        if !engines.iter().any(|engine| engine.to_string() == self.engine) {
            return Err(UnreadablePlan::value("tracks.engine", &self.engine));
        }
        let long = self
            .migrations
            .iter()
            .find(|(_, label, _)| label.len() > LABEL_MAX);
        if let Some((_, label, _)) = long {
            return Err(UnreadablePlan::value("tracks.migrations", label));
        }
        let texts = self.migrations.iter().map(|(version, _, _)| version);
        ascending("tracks.migrations", texts)
    }
}

impl Group {
    fn check(&self, files: &Files<'_>) -> Result<(), UnreadablePlan> {
        let Some(present) = files.get(self.track.as_str()) else {
            return Err(odd(&format!(
                "the files of the track `{}` are missing",
                self.track
            )));
        };
        if self.targets.is_empty() {
            return Err(odd(&format!(
                "a group of the track `{}` has no targets",
                self.track
            )));
        }
        ascending("groups.version", &self.version)?;
        let pending = ascending("groups.pending", &self.pending)?;
        if let Some(missing) = pending.iter().find(|version| !present.contains(version)) {
            return Err(odd(&format!(
                "the migration {missing} of the track `{}` is pending and not among its files",
                self.track
            )));
        }
        let stranger = self.targets.iter().find(|planned| !planned.is_on(&self.track));
        match stranger {
            Some(planned) => Err(UnreadablePlan::value("groups.targets.target", &planned.target)),
            None => Ok(()),
        }
    }
}

impl Planned {
    /// Returns the tenant that it belongs to, as the plan names it.
    fn owner(&self) -> &str {
        let parts = self.target.split_once('/');
        parts.map_or(self.target.as_str(), |(owner, _)| owner)
    }

    /// Returns whether its name is one that a target of this track can have.
    fn is_on(&self, track: &str) -> bool {
        let is_slug = |text: &str| text.parse::<Slug>().is_ok();
        match TrackName::from_text(track) {
            Some(TrackName::Central) => self.target == "central",
            Some(TrackName::Tenant) => is_slug(&self.target),
            Some(TrackName::Product(of)) => self.target.split_once('/').is_some_and(|(owner, product)| {
                is_slug(owner) && product.parse::<ProductType>().is_ok_and(|product| product == of)
            }),
            Some(TrackName::Registry) | None => false,
        }
    }
}

/// Reads versions as they are written, each larger than the one before it.
fn ascending<'a>(
    field: &'static str,
    texts: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<Version>, UnreadablePlan> {
    let mut versions: Vec<Version> = Vec::new();
    for text in texts {
        let version: Option<Version> = text.parse().ok();
        let version = version.filter(|version| version.to_string() == *text);
        let version = version.filter(|version| versions.last() < Some(version));
        versions.push(version.ok_or_else(|| UnreadablePlan::value(field, text))?);
    }
    Ok(versions)
}

fn odd(what: &str) -> UnreadablePlan {
    let what = beginning(what);
    UnreadablePlan::Inconsistent { what }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::SavedPlan;

    /// A plan as we write it, and where a change to it is made.
    fn plan() -> Value {
        let group = |track: &str, pending: Value, targets: Value| json!({ "track": track, "version": "1", "pending": pending, "targets": targets });
        let target = |label: &str| json!({ "target": label, "database": format!("id of {label}") });
        let track = |name: &str, engine: &str| {
            let migrations = json!([["1", "1_a", "aa"], ["2", "2_b", "bb"], ["3", "3_c", "cc"]]);
            json!({ "track": name, "engine": engine, "migrations": migrations })
        };
        json!({
            "tenantry_plan": 1,
            "tool_version": "0.1.0",
            "created_at": "2026-01-01T00:00:00Z",
            "registry": "r",
            "direction": "up",
            "goal": "head",
            "selection": {
                "tiers": ["central", "tenant", "products"],
                "only": [], "except": [], "jurisdictions": [], "servers": [], "products": []
            },
            "tracks": [
                track("central", "SQLite"),
                track("product:kira", "SQLite"),
                track("tenant", "PostgreSQL"),
                track("tenant", "SQLite"),
            ],
            "groups": [
                group("central", json!([]), json!([target("central")])),
                group("product:kira", json!(["2"]), json!([target("acme/kira")])),
                group("tenant", json!(["2", "3"]), json!([target("acme"), target("globex")])),
                group("tenant", json!(["3"]), json!([target("initech")])),
            ],
            "skipped": ["hooli"],
        })
    }

    /// Reads the plan with one value replaced, and returns what is said of it.
    fn read(pointer: &str, value: Value) -> String {
        let mut plan = plan();
        *plan.pointer_mut(pointer).expect(pointer) = value;
        match SavedPlan::read(&plan.to_string()) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_we_write_is_read() {
        let text = plan().to_string();
        let read = SavedPlan::read(&text).expect("a plan");
        assert_eq!(SavedPlan::read(&read.text()), Ok(read));
        assert_eq!(self::read("/skipped", json!([])), "fine");
        assert_eq!(self::read("/goal", json!("up_to 3")), "fine");
    }

    #[test]
    fn every_target_stands_on_files_that_the_plan_names() {
        let gone = "the files of the track `central` are missing";
        assert_eq!(read("/tracks", json!([])), gone);
        let pending = "the migration 2 of the track `product:kira` is pending and not among its files";
        assert_eq!(read("/tracks/1/migrations", json!([])), pending);
        let unused = json!({ "track": "product:yara", "engine": "SQLite", "migrations": [] });
        assert_eq!(
            read("/tracks/2", unused),
            "no target is on the track `product:yara`"
        );
        let twice = "the track `tenant` is there twice for PostgreSQL";
        assert_eq!(read("/tracks/3/engine", json!("PostgreSQL")), twice);
        let long = read("/tracks/0/migrations/0/1", json!("x".repeat(256)));
        assert!(long.starts_with("`tracks.migrations` cannot be `xxx"), "{long}");
        let unknown = "`tracks.engine` cannot be `Oracle`";
        assert_eq!(read("/tracks/0/engine", json!("Oracle")), unknown);
    }

    #[test]
    fn versions_are_written_in_one_way_and_in_their_order() {
        for (pointer, bad, field) in [
            ("/groups/3/pending/0", "03", "groups.pending"),
            ("/groups/3/pending/0", "99999999999999999999", "groups.pending"),
            ("/groups/2/pending/1", "2", "groups.pending"),
            ("/groups/0/version", "-1", "groups.version"),
            ("/tracks/0/migrations/2/0", "1", "tracks.migrations"),
        ] {
            assert_eq!(read(pointer, json!(bad)), format!("`{field}` cannot be `{bad}`"));
        }
        assert_eq!(read("/goal", json!("up_to 03")), "`goal` cannot be `up_to 03`");
    }

    #[test]
    fn a_target_is_there_once() {
        let twice = "`initech` is a target twice";
        assert_eq!(read("/groups/2/targets/0/target", json!("initech")), twice);
        assert_eq!(
            read("/groups/2/targets/0/database", json!("id of initech")),
            twice
        );
        assert_eq!(
            read("/groups/3/targets", json!([])),
            "a group of the track `tenant` has no targets"
        );
    }

    #[test]
    fn a_target_has_a_name_that_its_track_can_have() {
        for (pointer, bad) in [
            ("/groups/0/targets/0/target", "acme"),
            ("/groups/1/targets/0/target", "acme"),
            ("/groups/1/targets/0/target", "acme/yara"),
            ("/groups/2/targets/0/target", "acme/kira"),
            ("/groups/2/targets/0/target", "ac\u{202e}me"),
        ] {
            let said = format!("`groups.targets.target` cannot be `{bad}`");
            assert_eq!(read(pointer, json!(bad)), said);
        }
    }

    #[test]
    fn who_is_skipped_is_a_tenant_and_no_target() {
        let skipped = |names: Value| read("/skipped", names);
        assert_eq!(
            skipped(json!(["not one of ours"])),
            "`skipped` cannot be `not one of ours`"
        );
        assert_eq!(skipped(json!(["hooli", "hooli"])), "`hooli` is skipped twice");
        assert_eq!(skipped(json!(["acme"])), "`acme` is skipped, and a target");
    }

    #[test]
    fn of_a_long_value_the_beginning_is_told() {
        let said = read("/goal", json!("x".repeat(100_000)));
        assert!(said.ends_with("xx…`") && said.chars().count() < 200, "{said}");
        let said = read("/tracks/0/engine", json!({ "x".repeat(100_000): 1 }));
        assert!(said.chars().count() < 200, "{said}");
        let mut plan = plan();
        plan["x".repeat(100_000)] = json!(1);
        let said = SavedPlan::read(&plan.to_string())
            .expect_err("unknown")
            .to_string();
        assert!(said.starts_with("unknown field `xxx"), "{said}");
        assert!(said.chars().count() < 200, "{said}");
    }
}
