//! What to type to go on with a run that did not bring every target to its goal.

use std::collections::BTreeMap;

use tenantry::plan::Goal;
use tenantry::registry::RunTarget;
use tenantry::run::Outcome;
use tenantry::{Jurisdiction, ProductType, ServerName, TrackName};

use crate::args::{Back, Whom};

/// How a run is gone on with.
#[derive(Clone, Debug)]
pub(super) enum Again {
    /// Forwards: `migrate resume`.
    Resume,
    /// Backwards: the same rollback again.
    Rollback {
        /// The command without the program's name, with the unit that it took back.
        command: String,
        /// What it took back.
        goal: Goal,
    },
}

impl Again {
    /// Returns the commands, the first being the one to begin with. Usually one; none if nothing is left.
    pub(super) fn commands(&self, run_id: &str, targets: &[RunTarget]) -> Vec<String> {
        match self {
            Self::Resume => vec![format!("tenantry migrate resume {run_id}")],
            Self::Rollback {
                goal: Goal::BackSteps(steps),
                ..
            } => steps_left(*steps, targets),
            Self::Rollback { command, .. } => vec![format!("tenantry {command}")],
        }
    }

    /// Returns the commands for a run that did everything and was not recorded.
    pub(super) fn telling_the_registry(&self, run_id: &str) -> Vec<String> {
        match self {
            // It asks every target that has no outcome, and records what it finds.
            Self::Resume => vec![format!("tenantry migrate resume {run_id}")],
            // So does the same rollback again, unless it would take further steps.
            Self::Rollback { .. } => vec![self.blind()],
        }
    }

    /// Returns the command where nothing is known of the targets.
    pub(super) fn blind(&self) -> String {
        match self {
            Self::Resume => "tenantry migrate resume".to_owned(),
            // How many of the steps were taken stands only in the databases.
            Self::Rollback {
                goal: Goal::BackSteps(_),
                ..
            } => "tenantry migrate status --live".to_owned(),
            Self::Rollback { command, .. } => format!("tenantry {command}"),
        }
    }
}

/// Returns a rollback as it can be typed again: the chosen targets and what is taken back, without the
/// confirmation. `unit` is a flag with its value, `--run run_7f3a`, or empty.
pub(super) fn rollback(back: &Back, unit: &str) -> String {
    let mut command = format!("migrate rollback{}", whom(&back.whom));
    if !unit.is_empty() {
        command = format!("{command} {unit}");
    }
    command
}

/// Returns the chosen targets as they can be typed again, each word with a space before it.
pub(super) fn whom(whom: &Whom) -> String {
    let mut words: Vec<String> = whom.tenant.as_deref().map(quoted).into_iter().collect();
    words.extend(whom.all_tenants.then(|| "--all-tenants".to_owned()));
    words.extend(whom.central.then(|| "--central".to_owned()));
    let chosen = &whom.selection;
    let lists = [
        ("--only", list(chosen.chosen())),
        ("--except", list(&chosen.except)),
        (
            "--jurisdiction",
            list(chosen.jurisdiction.iter().map(Jurisdiction::as_str)),
        ),
        ("--server", list(chosen.server.iter().map(ServerName::as_str))),
        ("--product", list(chosen.product.iter().map(ProductType::as_str))),
    ];
    let given = lists.into_iter().filter(|(_, list)| !list.is_empty());
    words.extend(given.map(|(flag, list)| format!("{flag} {}", quoted(&list))));
    words
        .into_iter()
        .flat_map(|word| [" ".to_owned(), word])
        .collect()
}

fn list<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<T> = values.into_iter().collect();
    values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",")
}

/// Returns a word as a shell takes it whole.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,/".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Names the targets that have steps left: repeating the whole command would take further steps back in
/// those that are done.
fn steps_left(steps: usize, targets: &[RunTarget]) -> Vec<String> {
    let mut left: BTreeMap<(&TrackName, usize), Vec<&str>> = BTreeMap::new();
    let is_left = |outcome: Outcome| !outcome.is_success() && outcome != Outcome::Skipped;
    for target in targets.iter().filter(|target| is_left(target.outcome)) {
        let steps = steps.saturating_sub(target.migrations);
        let slug = target.label.split('/').next().unwrap_or_default();
        if steps > 0 {
            left.entry((&target.track, steps)).or_default().push(slug);
        }
    }
    let command = |((track, steps), slugs): ((&TrackName, usize), Vec<&str>)| {
        let who = match (track, slugs.as_slice()) {
            (TrackName::Central | TrackName::Registry, _) => "--central".to_owned(),
            (TrackName::Tenant, [one]) => (*one).to_owned(),
            (TrackName::Tenant, several) => format!("--only {}", several.join(",")),
            (TrackName::Product(product), slugs) => format!("--only {} --product {product}", slugs.join(",")),
        };
        format!("tenantry migrate rollback {who} --step {steps}")
    };
    left.into_iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, MigrateCommand};

    fn target(label: &str, outcome: Outcome, migrations: usize) -> RunTarget {
        let track = match label.split_once('/') {
            Some((_, product)) => TrackName::Product(product.parse().unwrap()),
            None => TrackName::Tenant,
        };
        RunTarget {
            track,
            migrations,
            ..RunTarget::reported(&crate::render::sample::target(label, outcome))
        }
    }

    #[test]
    fn steps_are_taken_only_where_they_are_left() {
        let again = Again::Rollback {
            command: "migrate rollback --all-tenants --step 2".to_owned(),
            goal: Goal::BackSteps(2),
        };
        let targets = [
            target("acme", Outcome::Applied, 2),
            target("globex", Outcome::Failed, 0),
            target("hooli", Outcome::NotRun, 0),
            target("initech", Outcome::Interrupted, 1),
            target("wonka/kira", Outcome::Failed, 1),
        ];
        assert_eq!(
            again.commands("run_x", &targets),
            [
                "tenantry migrate rollback initech --step 1",
                "tenantry migrate rollback --only globex,hooli --step 2",
                "tenantry migrate rollback --only wonka --product kira --step 1",
            ]
        );
    }

    #[test]
    fn a_rollback_is_typed_again_with_what_it_chose() {
        let words = "tenantry migrate rollback --all-tenants --only acme-* --server eu-db-1,eu-db-2";
        let words = words.split(' ').chain(["--confirm", "25 tenants"]);
        let cli = <crate::args::Cli as clap::Parser>::parse_from(words);
        let Command::Migrate(MigrateCommand::Rollback(back)) = cli.command else {
            panic!("{:?}", cli.command);
        };
        assert_eq!(
            rollback(&back, "--run run_7f3a"),
            "migrate rollback --all-tenants --only 'acme-*' --server eu-db-1,eu-db-2 --run run_7f3a"
        );
    }
}
