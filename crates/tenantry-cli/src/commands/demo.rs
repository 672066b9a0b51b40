//! `demo`: the whole story on 25 tenants in SQLite files, with one real failure and its repair.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tenantry::engine::{Engine, Place};
use tenantry::fleet::{Fleet, Selected, Tiers, central_target, prepare_central};
use tenantry::migration::Track;
use tenantry::plan::Goal;
use tenantry::provision::{Naming, NewTenant, Tenants};
use tenantry::registry::{self, NewServer};
use tenantry::run::{Control, Job, RunOptions, new_run_id, run as run_jobs};
use tenantry::{NameError, Selection, TenantId, TrackName};

use super::files::not_written;
use super::look::look;
use super::opened::{self, block_on};
use super::runs::{self, Asking, Ended};
use super::{Context, Format, errors, init};
use crate::args::{Annotations, EngineName, Limits};
use crate::config::Project;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::{Finished, text};

/// The migrations of the demo, by their path below `migrations/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/demo.rs"));
/// The migration that arrives later, and breaks on one tenant's data.
const STORY: &[(&str, &str)] = &[
    (
        "20260314093000_unique_invoice_number.sql",
        include_str!("../../demo/story/20260314093000_unique_invoice_number.sql"),
    ),
    (
        "20260314093000_unique_invoice_number.sqlite.down.sql",
        include_str!("../../demo/story/20260314093000_unique_invoice_number.sqlite.down.sql"),
    ),
];
const SPOIL: &str = include_str!("../../demo/story/spoil.sql");
const MEND: &str = include_str!("../../demo/story/mend.sql");

/// The tenant whose data is bad.
const UNLUCKY: &str = "globex";

/// Slug, name, jurisdiction, products.
const TENANTS: [(&str, &str, &str, &[&str]); 25] = [
    ("acme", "Acme Corp", "uk", &["kira", "nova"]),
    ("contoso", "Contoso Ltd", "uk", &["kira"]),
    ("cyberdyne", "Cyberdyne Systems", "us", &["nova"]),
    ("duff", "Duff Brewing", "us", &[]),
    ("globex", "Globex Corporation", "eu", &["kira"]),
    ("gringotts", "Gringotts Bank", "uk", &["nova"]),
    ("hooli", "Hooli", "us", &["kira", "nova"]),
    ("initech", "Initech", "us", &["kira"]),
    ("krusty", "Krusty Krab", "us", &[]),
    ("massive-dynamic", "Massive Dynamic", "us", &["nova"]),
    ("monarch", "Monarch Solutions", "eu", &["kira"]),
    ("nakatomi", "Nakatomi Trading", "eu", &[]),
    ("northwind", "Northwind Traders", "uk", &["kira"]),
    ("ollivanders", "Ollivanders", "uk", &[]),
    ("oscorp", "Oscorp Industries", "us", &["kira"]),
    ("pied-piper", "Pied Piper", "us", &["nova"]),
    ("sirius", "Sirius Cybernetics", "eu", &["kira"]),
    ("soylent", "Soylent Green", "eu", &[]),
    ("stark", "Stark Industries", "us", &["kira", "nova"]),
    ("tyrell", "Tyrell Corporation", "eu", &["nova"]),
    ("umbrella", "Umbrella Group", "eu", &["kira"]),
    ("wayne", "Wayne Enterprises", "us", &["kira"]),
    ("weyland", "Weyland Yutani", "eu", &["nova"]),
    ("wonka", "Wonka Ltd", "uk", &["kira"]),
    ("zorin", "Zorin Industries", "eu", &[]),
];

/// Makes the demo's folder and tells its story.
///
/// # Errors
/// TN-1004 if the folder is there already; otherwise only a bug or a full disk.
pub(super) fn run(context: &Context, named: Option<PathBuf>) -> Result<Exit, CommandError> {
    let base = context.globals.dir.clone().unwrap_or_default();
    let folder = base.join(named.unwrap_or_else(|| PathBuf::from("tenantry-demo")));
    let at = text::path(&folder);
    if folder.exists() {
        let title = format!("{at} is there already");
        return Err(CommandError::new(Exit::Refused, title)
            .code(tenantry::Code(1004))
            .fact("state", "nothing was written")
            .help(format!("look around in it:  tenantry -C {at} migrate status"))
            .help(format!("or begin anew:      rm -r {at}  and  tenantry demo")));
    }
    block_on(tell(context, &folder, &at))
}

async fn tell(context: &Context, folder: &Path, at: &str) -> Result<Exit, CommandError> {
    let project = set_up(context, folder)?;
    let there = context.in_folder(folder);
    context.say(&format!(
        "  Created  {at}: a project on SQLite, with migrations for two products"
    ));
    prepare_central(&project.settings.central()?.address, &project.settings.run).await?;
    // What fails here fails on purpose.
    let limits = Limits {
        annotations: Annotations::None,
        ..Limits::default()
    };
    let fleet = opened::fleet(&project, &limits).await?;
    migrate_central(&project, &fleet).await?;
    let databases = populate(&fleet, folder).await?;
    context.say(&format!(
        "  Created  {} in 3 jurisdictions, {} in all, each migrated\n",
        text::count(TENANTS.len(), "tenant"),
        text::count(databases, "database")
    ));

    write_files(&folder.join("migrations/tenant"), STORY)?;
    change_data(&fleet, "spoil", SPOIL).await?;
    context.say("A new migration arrives: invoice numbers become unique. All tenants get it:");
    context.say(&format!("\n$ tenantry -C {at} migrate all-tenants"));
    let selected = fleet.select(&Selection::default(), Tiers::Tenant).await?;
    let asking = Asking::up("migrate all-tenants", &limits);
    let broken = runs::show(&there, &project, &fleet, runs::Work::New(selected), asking).await?;
    let run_id = broken.report.run_id.clone();
    let mut runs = tell_run(context, broken)?;

    context.say(&format!(
        "\nOne tenant has two invoices with one number.\n\
         The demo mends {UNLUCKY}'s data and finishes the run:"
    ));
    change_data(&fleet, "mend", MEND).await?;
    context.say(&format!("\n$ tenantry -C {at} migrate resume {run_id}"));
    let selected = fleet.select(&Selection::default(), Tiers::Tenant).await?;
    let found = fleet.registry.find_run(&run_id).await?;
    let selected = fleet.unfinished(&found, Tiers::Tenant, selected).await?;
    let asking = Asking::up(format!("migrate resume {run_id}"), &limits).continuing(&run_id);
    let mended = runs::show(&there, &project, &fleet, runs::Work::New(selected), asking).await?;
    runs.extend(tell_run(context, mended)?);
    finish(context, &fleet, at, runs).await
}

/// Tells how a run ended, or keeps it for the one document at the end.
fn tell_run(context: &Context, ended: Ended) -> Result<Vec<Finished<'static>>, CommandError> {
    if context.format == Format::Json {
        return Ok(vec![ended.into_part()]);
    }
    ended.tell()?;
    Ok(Vec::new())
}

/// What to try next, and why.
const NEXT: [(&str, &str); 5] = [
    ("migrate status", "How far the fleet is"),
    ("migrate status globex", "One tenant's history"),
    (
        "migrate make add_due_dates",
        "A migration of your own (edit it, then  migrate plan)",
    ),
    ("tenant create initrode --jurisdiction eu", "One more tenant"),
    (
        "migrate rollback --all-tenants --dry-run",
        "What going back would do",
    ),
];

#[derive(Serialize)]
#[serde(tag = "type", rename = "demo.finished")]
struct Told {
    folder: String,
    tenants: usize,
    current: usize,
    /// The two runs; with `--ndjson` they stand in the stream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<Finished<'static>>,
    next: Vec<String>,
    exit_code: u8,
}

/// Counts who is current by asking every database, and says what to try next.
async fn finish(
    context: &Context,
    fleet: &Fleet,
    at: &str,
    runs: Vec<Finished<'static>>,
) -> Result<Exit, CommandError> {
    let selected = fleet.select(&Selection::default(), Tiers::Tenant).await?;
    let previews = look(context, fleet, &selected).await;
    let current = previews
        .iter()
        .filter(|p| matches!(&p.planned, Ok((plan, _)) if plan.steps.is_empty()))
        .count();
    let exit = if current == TENANTS.len() {
        Exit::Done
    } else {
        Exit::Failed
    };
    if context.format != Format::Human {
        let next = NEXT.map(|(command, _)| format!("tenantry -C {at} {command}"));
        let told = Told {
            folder: at.to_owned(),
            tenants: TENANTS.len(),
            current,
            runs,
            next: next.to_vec(),
            exit_code: exit.code(),
        };
        context.answer("", &told)?;
        return Ok(exit);
    }
    context.say(&format!(
        "\n{current} of {} tenants are current.\n",
        TENANTS.len()
    ));
    context.say("What to try next.");
    for (command, what) in NEXT {
        context.say(&format!("\n{what}:\n  tenantry -C {at} {command}"));
    }
    if let Some(program) = not_in_path(context) {
        context.say(&format!("\nHere, tenantry is  {program}"));
    }
    Ok(exit)
}

/// Returns the path of this program if the name alone does not start it, as with `cargo run`.
fn not_in_path(context: &Context) -> Option<String> {
    let (path, _) = context.environment.find("PATH")?;
    let is_there = std::env::split_paths(path).any(|folder| folder.join("tenantry").is_file());
    let program = std::env::current_exe().ok()?;
    (!is_there).then(|| text::path(&program))
}

fn set_up(context: &Context, folder: &Path) -> Result<Project, CommandError> {
    init::scaffold(folder, EngineName::Sqlite)?;
    write_files(&folder.join("migrations"), FILES)?;
    let globals = crate::args::Globals {
        dir: Some(folder.to_owned()),
        config: None,
        ..context.globals.clone()
    };
    Project::load(&globals, context.environment.clone())
}

fn write_files(folder: &Path, files: &[(&str, &str)]) -> Result<(), CommandError> {
    for (name, content) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .map_err(|error| not_written(&path, &error))?;
    }
    Ok(())
}

async fn migrate_central(project: &Project, fleet: &Fleet) -> Result<(), CommandError> {
    let mut selected = Selected::default();
    let address = &project.settings.central()?.address;
    let target = central_target(address, fleet.registry.registry_id(), TrackName::Central);
    let job = fleet.job(&mut selected, target)?;
    carry_out_quietly(fleet, job).await
}

/// Adds a server for each jurisdiction and creates the tenants; returns how many databases there are.
async fn populate(fleet: &Fleet, folder: &Path) -> Result<usize, CommandError> {
    for jurisdiction in ["uk", "eu", "us"] {
        let path = folder.join("data").join(jurisdiction);
        fs::create_dir_all(&path).map_err(|error| not_written(&path, &error))?;
        let path = std::path::absolute(&path).unwrap_or(path);
        let new = NewServer {
            name: format!("{jurisdiction}-files").parse().map_err(bad_name)?,
            engine: Engine::Sqlite,
            jurisdiction: jurisdiction.parse().map_err(bad_name)?,
            place: Place::Folder(path),
            admin: None,
            insecure_reason: None,
            max_parallel: None,
            intake: tenantry::Intake::default(),
            server_version: None,
        };
        fleet.registry.add_server(&new).await?;
    }
    let tenants = Tenants::new(fleet.clone(), Naming::default());
    let mut databases = 0;
    for (slug, name, jurisdiction, products) in TENANTS {
        let new = NewTenant {
            tenant: registry::NewTenant {
                id: TenantId::generate(),
                slug: slug.parse().map_err(bad_name)?,
                name: Some(name.to_owned()),
                jurisdiction: jurisdiction.parse().map_err(bad_name)?,
                external_id: None,
                domains: Vec::new(),
            },
            server: None,
            products: products
                .iter()
                .map(|p| p.parse())
                .collect::<Result<_, _>>()
                .map_err(bad_name)?,
        };
        let (_, made) = tenants.create(&new).await?;
        databases += made.len();
    }
    Ok(databases)
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands the error over")]
fn bad_name(error: NameError) -> CommandError {
    CommandError::new(Exit::Internal, error.to_string()).code(tenantry::Code(1008))
}

/// Runs SQL in the unlucky tenant's database as its application would, on a track of the demo's own.
async fn change_data(fleet: &Fleet, name: &str, sql: &str) -> Result<(), CommandError> {
    let selection = Selection {
        only: vec![tenantry::Pattern::new(UNLUCKY)],
        ..Selection::default()
    };
    let selected = fleet.select(&selection, Tiers::Tenant).await?;
    let Some(job) = selected.jobs.into_iter().next() else {
        return Ok(());
    };
    let track = TrackName::Product("demo-data".parse().map_err(bad_name)?);
    let (spoil, mend) = ("1_spoil.sql", "2_mend.sql");
    let files: Vec<(&str, &str)> = if name == "spoil" {
        vec![(spoil, sql)]
    } else {
        vec![(spoil, SPOIL), (mend, sql)]
    };
    let read = Track::from_files(track.clone(), Engine::Sqlite, &files)?;
    let mut target = job.target;
    target.track = track;
    carry_out_quietly(
        fleet,
        Job {
            target,
            track: read.into(),
            goal: Goal::Head,
            after: None,
            marker: None,
        },
    )
    .await
}

async fn carry_out_quietly(fleet: &Fleet, job: Job) -> Result<(), CommandError> {
    let (events, _unheard) = tokio::sync::mpsc::unbounded_channel();
    let options: RunOptions = fleet.options.clone();
    let report = run_jobs(&new_run_id(), vec![job], options, Control::default(), events).await;
    match report.targets.into_iter().find_map(|target| target.failure) {
        Some(failure) => Err(errors::of_failure(&failure)),
        None => Ok(()),
    }
}
