//! What a plan shows: the migrations of each track, and who cannot be planned.

use std::collections::BTreeMap;

use serde::Serialize;
use tenantry::engine::Engine;
use tenantry::fleet::Selected;
use tenantry::migration::Script;
use tenantry::plan::Step;
use tenantry::run::{Preview, TargetReport};
use tenantry::{Direction, TrackName};

use super::loss::Loss;
use super::saved::Out;
use crate::render::failure::groups_of;
use crate::render::summary::group_lines;
use crate::render::{Canvas, Told, text};

/// What would run where.
#[derive(Serialize)]
pub(super) struct Planned {
    pub(super) tracks: Vec<TrackPlan>,
    current: usize,
    refused: Vec<Refused>,
    left_out: Vec<String>,
    warnings: Vec<Told>,
    /// What going back loses, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) loss: Option<Loss>,
    /// The file that it was to go into, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out: Option<Out>,
    /// What cannot be planned, as a run would report it.
    #[serde(skip)]
    pub(super) failed: Vec<TargetReport>,
}

/// What would run on one track.
#[derive(Serialize)]
pub(super) struct TrackPlan {
    track: String,
    head: Option<String>,
    pub(super) migrations: Vec<MigrationPlan>,
    targets: usize,
    #[serde(skip)]
    pub(super) name: TrackName,
}

/// One migration and how many targets it would run in.
#[derive(Clone, Serialize)]
pub(super) struct MigrationPlan {
    version: String,
    name: String,
    direction: String,
    statements: usize,
    transactional: bool,
    targets: usize,
}

#[derive(Serialize)]
struct Refused {
    target: String,
    code: String,
    reason: String,
    outcome: &'static str,
}

/// Migrations by version and direction, and by what differs between engines: whether they run in a transaction,
/// and how many statements their files have.
type ByVersion = BTreeMap<(i64, String, bool, usize), MigrationPlan>;

impl Planned {
    /// Sums up what every target answered.
    pub(super) fn new(selected: &Selected, previews: &[Preview], warnings: Vec<Told>) -> Self {
        let mut tracks: BTreeMap<String, (TrackPlan, ByVersion)> = BTreeMap::new();
        let mut current = 0;
        for preview in previews {
            let Ok((plan, _)) = &preview.planned else { continue };
            let engine = preview.target.address.engine();
            let (track, migrations) = tracks.entry(preview.target.track.to_string()).or_insert_with(|| {
                (
                    track_plan(selected, &preview.target.track, engine),
                    BTreeMap::new(),
                )
            });
            current += usize::from(plan.steps.is_empty());
            track.targets += usize::from(!plan.steps.is_empty());
            for step in &plan.steps {
                let plan = migration_plan(step, engine);
                let key = (
                    step.migration.version.number(),
                    plan.direction.clone(),
                    plan.transactional,
                    plan.statements,
                );
                migrations.entry(key).or_insert(plan).targets += 1;
            }
        }
        for target in &selected.settled {
            // Only this engine has servers that can tell.
            let new = || {
                (
                    track_plan(selected, &target.track, Engine::Postgres),
                    BTreeMap::new(),
                )
            };
            tracks.entry(target.track.to_string()).or_insert_with(new);
            current += 1;
        }
        let tracks = tracks.into_values().map(|(track, migrations)| TrackPlan {
            migrations: in_order(migrations),
            ..track
        });
        let failed = failed(selected, previews);
        Self {
            tracks: tracks.collect(),
            current,
            refused: failed.iter().filter_map(refused).collect(),
            left_out: left_out(selected),
            warnings,
            loss: None,
            out: None,
            failed,
        }
    }

    /// Returns the steps of all targets together.
    pub(super) fn is_anything_pending(&self) -> bool {
        self.tracks.iter().any(|track| !track.migrations.is_empty())
    }
}

/// Returns what cannot be planned: targets that did not answer, must not go on, or were left out for a reason.
pub(super) fn failed(selected: &Selected, previews: &[Preview]) -> Vec<TargetReport> {
    let left_out = selected.left_out.iter().filter(|target| target.failure.is_some());
    let asked = previews.iter().filter_map(Preview::report);
    asked.chain(left_out.cloned()).collect()
}

/// Names what was left out on purpose.
fn left_out(selected: &Selected) -> Vec<String> {
    let skipped = selected.left_out.iter().filter(|target| target.failure.is_none());
    skipped
        .map(|target| format!("{} ({})", target.label, target.outcome.as_str()))
        .collect()
}

fn track_plan(selected: &Selected, track: &TrackName, engine: Engine) -> TrackPlan {
    let read = selected.tracks.find(track, engine);
    TrackPlan {
        track: track.to_string(),
        head: read.and_then(|t| t.migrations.last()).map(|m| m.label()),
        migrations: Vec::new(),
        targets: 0,
        name: track.clone(),
    }
}

fn migration_plan(step: &Step, engine: Engine) -> MigrationPlan {
    MigrationPlan {
        version: step.migration.version.to_string(),
        name: step.migration.name.clone(),
        direction: step.direction.to_string(),
        statements: step.script().statements.len(),
        transactional: is_transactional(engine, step.script()),
        targets: 0,
    }
}

fn refused(target: &TargetReport) -> Option<Refused> {
    let failure = target.failure.as_ref()?;
    Some(Refused {
        target: target.label.clone(),
        code: failure.code.to_string(),
        reason: failure.what.clone(),
        outcome: target.outcome.as_str(),
    })
}

/// Returns the migrations in the order in which they run: back from the newest, forwards from the oldest.
fn in_order(migrations: ByVersion) -> Vec<MigrationPlan> {
    let (back, ahead): (Vec<_>, Vec<_>) = migrations.into_values().partition(is_back);
    back.into_iter().rev().chain(ahead).collect()
}

fn is_back(migration: &MigrationPlan) -> bool {
    migration.direction == Direction::Down.to_string()
}

fn is_transactional(engine: Engine, script: &Script) -> bool {
    engine.has_transactional_ddl() && !script.directives.no_transaction
}

/// Draws a plan.
pub(super) fn human(planned: &Planned, canvas: &Canvas) -> String {
    let mut lines = Vec::new();
    for track in planned.tracks.iter().filter(|track| !track.migrations.is_empty()) {
        let head = track.head.as_deref().unwrap_or("nothing");
        lines.push(text::printable(&format!("Track {} · head {head}\n", track.track)));
        let width = track.migrations.iter().map(|m| label(m).chars().count()).max();
        for migration in &track.migrations {
            lines.push(text::printable(&format!(
                "  {}",
                row(migration, width.unwrap_or(0))
            )));
        }
        lines.push(String::new());
    }
    let groups = groups_of(&planned.failed);
    for group in &groups {
        lines.extend(group_lines(group, canvas));
    }
    if !groups.is_empty() {
        lines.push(String::new());
    }
    if !planned.left_out.is_empty() {
        let names = text::names(planned.left_out.iter().map(String::as_str));
        lines.push(text::printable(&format!("Left out: {names}\n")));
    }
    if let Some(loss) = &planned.loss {
        lines.push("Would lose data:\n".to_owned());
        let lost = loss
            .loses
            .iter()
            .map(|lost| format!("  {}", text::printable(lost)));
        lines.extend(lost);
        lines.push(String::new());
    }
    lines.push(conclusion(planned));
    lines.join("\n")
}

/// Says in one sentence what would be done, and that not everybody could be asked.
fn conclusion(planned: &Planned) -> String {
    let targets: usize = planned.tracks.iter().map(|track| track.targets).sum();
    let all = || planned.tracks.iter().flat_map(|track| &track.migrations);
    let (back, ahead): (Vec<_>, Vec<_>) = all().partition(|migration| is_back(migration));
    let steps = |migrations: &[&MigrationPlan]| -> usize { migrations.iter().map(|m| m.targets).sum() };
    let (todo, rest) = match (steps(&back), steps(&ahead)) {
        (0, ahead) => (
            format!("{} to carry out", text::count(ahead, "migration")),
            "current",
        ),
        (back, 0) => (
            format!("{} to revert", text::count(back, "migration")),
            "with nothing to revert",
        ),
        (back, ahead) => (
            format!(
                "{} to revert, {} to carry out",
                text::count(back, "migration"),
                text::number(ahead)
            ),
            "with nothing to revert",
        ),
    };
    let failed = planned.failed.len();
    match (targets, failed) {
        (0, 0) => format!(
            "Nothing is pending: {} current.",
            text::count(planned.current, "target")
        ),
        (0, _) => format!(
            "No plan for {}; {} {rest}.",
            text::count(failed, "target"),
            text::number(planned.current)
        ),
        (_, _) => format!(
            "Plan: {}, {todo}; {} {rest}{}.",
            text::count(targets, "target"),
            text::number(planned.current),
            if failed == 0 {
                String::new()
            } else {
                format!("; no plan for {}", text::number(failed))
            }
        ),
    }
}

fn label(migration: &MigrationPlan) -> String {
    let back = if is_back(migration) { "  (back)" } else { "" };
    format!("{}_{}{back}", migration.version, migration.name)
}

fn row(migration: &MigrationPlan, width: usize) -> String {
    let line = format!(
        "{:width$}   {:13}  {:10}  {}",
        label(migration),
        text::count(migration.statements, "statement"),
        text::count(migration.targets, "target"),
        if migration.transactional {
            ""
        } else {
            "NOT in a transaction"
        },
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantry::engine::{Address, Login, NetworkAddress, Tls};
    use tenantry::fleet::central_target;
    use tenantry::history::History;
    use tenantry::migration::Track;
    use tenantry::plan::{Goal, plan};

    fn migration(version: i64, direction: Direction) -> MigrationPlan {
        MigrationPlan {
            version: version.to_string(),
            name: "a".to_owned(),
            direction: direction.to_string(),
            statements: 1,
            transactional: true,
            targets: 1,
        }
    }

    fn on(engine: Engine, sql: &str) -> Preview {
        let address = Address::Network(NetworkAddress {
            engine,
            host: "db".to_owned(),
            port: 1,
            tls: Tls::Disable,
            direct: None,
            database: "acme".to_owned(),
            login: Login {
                user: "acme".to_owned(),
                password: "x".into(),
            },
        });
        let track = Track::from_files(TrackName::Tenant, engine, &[("1_a.sql", sql)]).unwrap();
        let target = central_target(&address, "registry", TrackName::Tenant);
        let planned = plan(&track, &History::default(), &Goal::Head).unwrap();
        Preview {
            target,
            planned: Ok((planned, History::default())),
            outcome: None,
            unplanned: None,
            refused: None,
        }
    }

    #[test]
    fn what_differs_between_engines_is_told_of_each() {
        let two = "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n";
        let previews = [
            on(Engine::Postgres, two),
            on(Engine::MySql, two),
            on(Engine::Postgres, "CREATE TABLE a (id INTEGER);\n"),
            on(Engine::MySql, two),
        ];
        let planned = Planned::new(&Selected::default(), &previews, Vec::new());
        let told: Vec<_> = planned.tracks[0]
            .migrations
            .iter()
            .map(|m| (m.transactional, m.statements, m.targets))
            .collect();
        assert_eq!(told, [(false, 2, 2), (true, 1, 1), (true, 2, 1)]);
    }

    #[test]
    fn what_goes_forwards_is_not_counted_as_taken_back() {
        let concluded = |directions: &[Direction]| {
            let migrations = directions.iter().map(|direction| migration(1, *direction));
            let track = TrackPlan {
                track: "tenant".to_owned(),
                head: None,
                migrations: migrations.collect(),
                targets: 1,
                name: TrackName::Tenant,
            };
            conclusion(&Planned {
                tracks: vec![track],
                current: 0,
                refused: Vec::new(),
                left_out: Vec::new(),
                warnings: Vec::new(),
                loss: None,
                out: None,
                failed: Vec::new(),
            })
        };
        let (up, down) = (Direction::Up, Direction::Down);
        assert_eq!(
            concluded(&[down, up]),
            "Plan: 1 target, 1 migration to revert, 1 to carry out; 0 with nothing to revert."
        );
        assert_eq!(
            concluded(&[up, up]),
            "Plan: 1 target, 2 migrations to carry out; 0 current."
        );
    }
}
