//! Library errors as messages with exit codes.

mod import;
mod registry;

use std::time::Duration;

use tenantry::engine::{CreateError, SessionError};
use tenantry::fleet::{FleetError, PlanOf};
use tenantry::migration::{FileProblem, ReadError};
use tenantry::provision::ProvisionError;
use tenantry::registry::{Holding, RegistryError, Standstill};
use tenantry::run::{Driver, Failure, TargetReport};
use tenantry::{Code, MigrateError, NoRoom, ProductType, ServerName, nearest};

pub(super) use import::of_import;

use self::registry::{help_for, of_registry};
use crate::exit::Exit;
use crate::failure::{CommandError, Location};
use crate::render::failure::Group;
use crate::render::text;

/// How many further problems of a folder are listed after the first.
const FURTHER: usize = 20;

/// Returns how the process ends because of an error of this code.
fn exit_of(code: Code) -> Exit {
    match code.0 {
        1008 => Exit::Internal,
        1000..=1999 => Exit::Configuration,
        3000..=3999
        | 4005
        | 4014
        | 4015
        | 6001
        | 6003
        | 6008
        | 6014
        | 6016
        | 6017
        | 6018
        | 6020..=6024
        | 7004..=7006
        | 7008
        | 7010 => Exit::Refused,
        4001 => Exit::Held,
        4006 => Exit::Interrupted,
        4018 => Exit::Stopped,
        4003 => Exit::Empty,
        4008 | 4009 | 6002 | 6005 | 6010 | 6015 => Exit::NotFound,
        6011 => Exit::Usage,
        6009 => Exit::RegistryDown,
        _ => Exit::Failed,
    }
}

fn bare(code: Code, error: &dyn std::error::Error) -> CommandError {
    CommandError::new(exit_of(code), error.to_string())
        .code(code)
        .causes(error)
}

/// Adds the names that may have been meant.
fn meant(made: CommandError, nearest: &[String]) -> CommandError {
    if nearest.is_empty() {
        made
    } else {
        made.help(format!("did you mean  {} ?", nearest.join("  or  ")))
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        let Some((first, rest)) = error.problems().split_first() else {
            let folder = if let ReadError::Folder { folder, .. } = &error {
                Some(folder.clone())
            } else {
                None
            };
            let made = bare(error.code(), &error).fact("state", "nothing ran");
            return match folder {
                Some(folder) => made.help(format!("mkdir -p {}", text::path(&folder))),
                None => made,
            };
        };
        let mut made = of_problem(first);
        for problem in rest.iter().take(FURTHER) {
            made = made.fact(
                "also",
                format!("{}  {}  {}", location(problem), problem.code(), problem.kind),
            );
        }
        if rest.len() > FURTHER {
            made = made.fact("also", format!("{} more", rest.len() - FURTHER));
        }
        made.fact("state", "nothing ran; no database was touched")
    }
}

/// Writes where a problem is, relative to the present folder.
fn location(problem: &FileProblem) -> String {
    let path = text::path(&problem.path);
    match problem.place {
        Some(place) => format!("{path}:{}:{}", place.line, place.column),
        None => path,
    }
}

fn of_problem(problem: &FileProblem) -> CommandError {
    let mut made = CommandError::new(exit_of(problem.code()), problem.kind.to_string()).code(problem.code());
    made.message.at.push(Location {
        path: problem.path.clone(),
        place: problem.place,
    });
    if let (Some(line), Some(place)) = (&problem.snippet, problem.place) {
        made.message.snippet = Some(tenantry::run::Snippet {
            first_line: place.line,
            lines: vec![line.clone()],
            caret: problem.caret.saturating_sub(1),
            width: 1,
        });
    }
    made.help(problem.help())
}

impl From<FleetError> for CommandError {
    fn from(error: FleetError) -> Self {
        match error {
            FleetError::Registry(error) => error.into(),
            FleetError::Files(error) => error.into(),
            FleetError::UnknownVersion { ref nearest, .. } => {
                meant(untouched(&error, error.code()), nearest).help("tenantry migrate plan")
            }
            FleetError::UnknownProduct {
                ref product,
                ref known,
            } => of_unknown_product(untouched(&error, error.code()), product, known),
            FleetError::Central(error) => of_central(&error),
            FleetError::NotBegun(ref cause) => {
                let help = help_for(cause).unwrap_or_else(|| "tenantry config show --origin".to_owned());
                untouched(&error, error.code()).help(help)
            }
            FleetError::Held(ref holdings) => of_held(&error, holdings),
            FleetError::Waits {
                ref run_id,
                standstill,
            } => {
                let goes_on = match standstill {
                    Standstill::AtGate => "promote",
                    Standstill::Paused | Standstill::HalfWayBack => "resume",
                };
                bare(error.code(), &error)
                    .fact("state", "nothing ran")
                    .help(format!("tenantry run {goes_on} {run_id}"))
                    .help(format!("tenantry run cancel {run_id}"))
            }
            FleetError::Left { ref run_id } => bare(error.code(), &error)
                .fact("state", "another process drives it; nothing of it was stopped")
                .help(format!("tenantry run watch {run_id}"))
                .help(format!("tenantry run pause {run_id}")),
            FleetError::Abandoned { ref run_id, .. } => bare(error.code(), &error)
                .fact(
                    "state",
                    "what it recorded stands; every database's own history is right",
                )
                .help(format!("what is left of it:  tenantry run show {run_id}")),
            FleetError::Replanned { ref of, ref changes } => of_replanned(&error, of, changes),
            FleetError::NobodyInWave(_) => untouched(&error, error.code())
                .fact(
                    "cause",
                    "something is waited for behind it, and the run would go on without that",
                )
                .help("mend its `match` under [[rollout.wave]], or take the wave out")
                .help("tenantry tenant list"),
            FleetError::Schema(failure) => of_schema(&failure),
            FleetError::Create(error) => of_create(&error),
            error @ (FleetError::Broken(_) | _) => bare(error.code(), &error),
        }
    }
}

/// Says who has the targets, and what of it is ours.
fn of_held(error: &FleetError, holdings: &[Holding]) -> CommandError {
    let mut made = bare(error.code(), error);
    for held in holdings {
        let ago = |micros: i64| text::elapsed_short(Duration::from_micros(micros.unsigned_abs()));
        let (done, all) = held.done;
        made = made
            .fact(
                "owner",
                format!(
                    "{} on {}, heard of {} ago, {} of {} done",
                    held.actor,
                    Driver::for_people(&held.driver),
                    ago(held.silent),
                    text::number(done),
                    text::number(all)
                ),
            )
            .fact(
                "overlap",
                format!("{} of your targets", text::number(held.overlap)),
            )
            .help(format!("watch it:  tenantry run watch {}", held.run_id));
    }
    made.fact("state", "nothing ran; no target was touched")
        .help("start after it:  the same command with --wait")
}

/// Says what is otherwise than it was planned.
fn of_replanned(error: &FleetError, of: &PlanOf, changes: &[String]) -> CommandError {
    let mut made = bare(error.code(), error);
    for change in changes.iter().take(FURTHER) {
        made = made.fact("changed", change.clone());
    }
    match of {
        PlanOf::Run { id } => made
            .fact("state", "nothing ran; the run stays as it is")
            .help(format!("give it up:  tenantry run cancel {id}"))
            .help(format!("what is left of it:  tenantry run show {id}")),
        PlanOf::File { begun: Some(run) } => made
            .fact("state", "nothing ran")
            .help(format!("finish that run:  tenantry migrate resume {run}"))
            .help(PLAN_ANEW),
        PlanOf::File { begun: None } => made.fact("state", "nothing ran").help(PLAN_ANEW),
    }
}

const PLAN_ANEW: &str = "plan anew, and look at it:  tenantry migrate plan --out plan.json";

/// An error before a run began.
fn untouched(error: &dyn std::error::Error, code: Code) -> CommandError {
    bare(code, error).fact("state", "nothing ran; no target was touched")
}

/// The central database is not there: its own exit code, whatever the reason.
fn of_central(error: &SessionError) -> CommandError {
    let title = format!("the central database cannot be used: {error}");
    CommandError::new(Exit::RegistryDown, title)
        .code(tenantry::Code(6009))
        .causes(error)
        .fact("state", "nothing was changed")
        .help("check [central] in tenantry.toml:  tenantry config show --origin")
}

/// PostgreSQL 15 and newer let only a database's owner make tables in `public`.
const GRANT: &str = "as the owner of that database, in it:  GRANT USAGE, CREATE ON SCHEMA public TO <user of the \
    central URL>;  then  tenantry migrate central";

/// Our tables could not be migrated. Whether the database is away or somebody keeps it locked, it cannot be
/// used now.
fn of_schema(failure: &Failure) -> CommandError {
    let mut made = of_failure(failure);
    if matches!(failure.code.0, 4001 | 5000..=5999) {
        made.exit = Exit::RegistryDown;
    }
    made.fact("where", "the registry's own tables in the central database")
        .help(match failure.code.0 {
            3001..=3003 | 3007 => "use the tenantry that migrated it last, or a newer one",
            2014 => GRANT,
            3006 => "name an empty database under [central]:  tenantry config show --origin",
            _ => "tenantry migrate central",
        })
}

fn of_create(error: &CreateError) -> CommandError {
    bare(error.code(), error).fact("state", "nothing of somebody else's was touched")
}

/// Describes a failure that ended the whole command.
pub(super) fn of_failure(failure: &Failure) -> CommandError {
    let mut made = CommandError::new(exit_of(failure.code), failure.what.clone()).code(failure.code);
    if let Some(path) = &failure.file {
        made.message.at.push(Location {
            path: path.clone(),
            place: failure.place,
        });
    }
    made.message.snippet.clone_from(&failure.snippet);
    if let Some(database) = &failure.database {
        made = made.fact("database", database.to_string());
    }
    for cause in &failure.causes {
        made = made.fact("cause", cause.clone());
    }
    made
}

impl From<MigrateError> for CommandError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Fleet(error) => error.into(),
            MigrateError::Failed(failure) => of_failure(&failure),
            MigrateError::TenantNotFound { id, nearest } => {
                RegistryError::TenantNotFound { given: id, nearest }.into()
            }
            error @ (MigrateError::NotProvisioned { .. } | _) => bare(error.code(), &error),
        }
    }
}

impl From<ProvisionError> for CommandError {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Registry(error) => error.into(),
            ProvisionError::HalfWay(error) => of_registry(&error, CONTINUES),
            ProvisionError::Fleet(FleetError::UnknownProduct {
                ref product,
                ref known,
            }) => of_unknown_product(uncreated(&error), product, known),
            ProvisionError::Fleet(error) => error.into(),
            ProvisionError::Migrate { target, failure } => of_new_database(&target, &failure),
            ProvisionError::Create { .. } | ProvisionError::Stopped { .. } => {
                bare(error.code(), &error).fact("state", CONTINUES)
            }
            ProvisionError::NoServer { ref nearest, .. } => meant(uncreated(&error), nearest)
                .help("tenantry server add --help")
                .help("all of them:  tenantry server list"),
            ProvisionError::NoRoom { ref servers, .. } => no_room(uncreated(&error), servers),
            ProvisionError::Unfinished {
                ref tenant,
                ref product,
            } => uncreated(&error).help(format!(
                "tenantry tenant create {} --jurisdiction {} --product {product}",
                tenant.slug, tenant.jurisdiction
            )),
            ProvisionError::WrongJurisdiction { .. } => {
                uncreated(&error).help("all of them:  tenantry server list")
            }
            ProvisionError::Naming(_) => {
                uncreated(&error).help("change the templates under [naming]:  tenantry config show --origin")
            }
            error @ (ProvisionError::Random(_) | _) => uncreated(&error),
        }
    }
}

/// Says of each server why it takes no database, and what to do about the first.
fn no_room(made: CommandError, servers: &[(ServerName, NoRoom)]) -> CommandError {
    let told = servers.iter().fold(made, |made, (server, why)| {
        made.fact("servers", format!("{server} {why}"))
    });
    let help = servers.first().map(makes_room);
    let told = help.into_iter().fold(told, CommandError::help);
    told.help("or another one:  tenantry server add --help")
}

/// Returns the command with which a server takes a database again.
fn makes_room((server, why): &(ServerName, NoRoom)) -> String {
    match why {
        NoRoom::Drains => format!("tenantry server drain {server} --undo"),
        NoRoom::Full { .. } => format!("tenantry server set {server} --capacity <n>"),
        NoRoom::Accepts(_) => format!("tenantry server set {server} --accepts <what,…>"),
    }
}

/// An error before anything was created.
fn uncreated(error: &ProvisionError) -> CommandError {
    bare(error.code(), error).fact("state", "nothing was created")
}

fn of_unknown_product(made: CommandError, product: &ProductType, known: &[ProductType]) -> CommandError {
    let known: Vec<&str> = known.iter().map(ProductType::as_str).collect();
    if known.is_empty() {
        return made.help(format!(
            "make its folder:  mkdir -p migrations/products/{product}"
        ));
    }
    let near = nearest(product.as_str(), known.iter().copied());
    meant(made.fact("products", known.join(", ")), &near)
}

/// Describes what a run would say of the database, and that it is kept.
fn of_new_database(target: &TargetReport, failure: &Failure) -> CommandError {
    let group = Group {
        failure,
        targets: vec![target],
    };
    let made = CommandError {
        exit: exit_of(failure.code),
        message: Box::new(group.message(&[])),
    };
    made.fact("kept", CONTINUES)
}

/// Describes why a tenant or product was not provisioned; `again` is the command that continues it.
pub(super) fn of_provision(error: ProvisionError, again: &str) -> CommandError {
    let begun = matches!(
        error,
        ProvisionError::Create { .. }
            | ProvisionError::Migrate { .. }
            | ProvisionError::HalfWay(_)
            | ProvisionError::Stopped { .. }
    );
    let made = CommandError::from(error);
    if begun {
        made.help(format!("then it goes on:  {again}"))
    } else {
        made
    }
}

const CONTINUES: &str = "what was made is kept and belongs to this tenant; nobody else can get the name";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample::failed;

    #[test]
    fn a_central_schema_that_belongs_to_somebody_else_names_the_grant() {
        let failure = failed("central", Code(2014)).failure.unwrap();
        let help = of_schema(&failure).message.help;
        assert!(
            help.iter()
                .any(|line| line.contains("GRANT USAGE, CREATE ON SCHEMA public"))
        );
    }
}
