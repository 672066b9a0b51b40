//! A registry with very many tenants in it, as years of runs would have left it. Not measured.
//!
//! Rows go in as SQL, many at a time: one by one as `tenant create` writes them they would take an hour. The
//! passwords are sealed, so that every target can be opened. One database is there; the others are rows alone.

use anyhow::Context as _;
use secrecy::SecretString;
use tenantry::TenantId;
use tenantry::registry::ListedServer;
use tenantry::run::Outcome;
use tenantry::secret::{Binding, Endpoint, KeyRing, read_key_file, seal};

use crate::create::{add_server, create_database, prepare};
use crate::job::Job;
use crate::ours;
use crate::sink::{Rows, Sink};

/// The tenant whose database is there.
const REAL: usize = 42;
/// How many servers the databases are spread over, all of them the same one.
const SERVERS: usize = 4;
/// One tenant in so many has a product database.
const WITH_PRODUCT: usize = 10;
/// How many rows one statement writes.
const ROWS: usize = 1_000;
/// When all this was, in microseconds since 1970-01-01 UTC.
const THEN: i64 = 1_767_225_600_000_000;
const RUN: &str = "019b0000-0000-7000-8000-000000000001";

/// Writes the set's tenants, databases and last run.
pub(crate) async fn fill(job: &Job) -> anyhow::Result<Vec<(String, String)>> {
    let fleet = prepare(job).await?;
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        servers.push(add_server(job, &fleet, &format!("db-{number}")).await?);
    }
    let filling = Filling {
        job,
        registry: fleet.registry.registry_id().to_owned(),
        keys: read_key_file(&job.folder.join("key"))?,
        servers,
        versions: job
            .track()?
            .migrations
            .iter()
            .map(|m| m.version.number())
            .collect(),
    };
    let mut sink = Sink::open(&ours::central(job)?).await?;
    sink.execute(&run()).await?;
    for from in (0..job.databases).step_by(ROWS) {
        let to = (from + ROWS).min(job.databases);
        for statement in filling.rows(from..to)? {
            sink.execute(&statement).await?;
        }
    }
    let real = database_id(REAL, "");
    create_database(job, REAL, real).await?;
    sink.end().await?;
    Ok(Vec::new())
}

/// What the rows are made of.
struct Filling<'a> {
    job: &'a Job,
    registry: String,
    keys: KeyRing,
    servers: Vec<ListedServer>,
    versions: Vec<i64>,
}

/// What the last run left of a database.
struct Left {
    outcome: Option<Outcome>,
    code: Option<u16>,
    version: Option<i64>,
}

impl Filling<'_> {
    /// Nine in ten are where they should be; a few are behind, and of every hundred four failed and one was never run.
    fn left(&self, number: usize) -> Left {
        let head = self.versions.last().copied();
        let before = self.versions.iter().rev().nth(1).copied();
        let (outcome, code, version) = match number % 100 {
            // What is there is empty until the first run.
            _ if number == REAL => (None, None, None),
            0..=29 => (Some(Outcome::Current), None, head),
            30..=89 => (Some(Outcome::Applied), None, head),
            90..=94 => (Some(Outcome::Applied), None, before),
            95 => (Some(Outcome::Failed), Some(2003), before),
            96 => (Some(Outcome::Unreachable), Some(5001), before),
            97 => (Some(Outcome::Blocked), Some(2006), before),
            98 => (Some(Outcome::Modified), Some(3001), before),
            _ => (None, None, None),
        };
        Left {
            outcome,
            code,
            version,
        }
    }

    /// Returns the statements that write some of the tenants.
    fn rows(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<[String; 5]> {
        let mut tenants =
            Rows::of("tenantry_tenants (id, slug, name, jurisdiction, status, external_id, created_at)");
        let mut names = Rows::of("tenantry_tenant_names (name, tenant_id)");
        let mut domains = Rows::of("tenantry_domains (domain, tenant_id)");
        let mut databases = Rows::of(
            "tenantry_databases (id, tenant_id, product, server_id, name, db_user, secret, secret_version, status, \
             version, outcome, error_code, checked_at, created_at)",
        );
        let mut targets = Rows::of(
            "tenantry_run_targets (run_id, database_id, track, label, outcome, from_version, to_version, migrations, \
             error_code, error, duration_ms)",
        );
        for number in numbers {
            let (id, slug) = (tenant_id(number), slug(number));
            let jurisdiction = ["eu", "uk", "us"][number % 3];
            tenants.add(&format!(
                "'{id}', '{slug}', 'Tenant {number} Ltd', '{jurisdiction}', 'active', 'crm-{number}', {THEN}"
            ));
            for name in [id.clone(), slug.clone(), format!("crm-{number}")] {
                names.add(&format!("'{name}', '{id}'"));
            }
            domains.add(&format!("'{slug}.example.test', '{id}'"));
            databases.add(&self.database(number, "")?);
            if number % WITH_PRODUCT == 0 {
                databases.add(&self.database(number, "kira")?);
            }
            targets.add(&self.target(number));
        }
        Ok([tenants, names, domains, databases, targets].map(|rows| rows.0))
    }

    fn database(&self, number: usize, product: &str) -> anyhow::Result<String> {
        let server = self.servers.get(number % SERVERS).context("there is no server")?;
        let (id, tenant) = (database_id(number, product), tenant_id(number));
        let (name, login) = self.name_and_login(number, product, &id)?;
        let Left {
            outcome,
            code,
            version,
        } = self.left(number);
        Ok(format!(
            "'{id}', '{tenant}', '{product}', '{}', '{name}', {login}, 1, 'ready', {}, {}, {}, {THEN}, {THEN}",
            server.id,
            or_null(version),
            outcome.map_or_else(|| "NULL".to_owned(), |outcome| format!("'{}'", outcome.as_str())),
            or_null(code),
        ))
    }

    /// Returns the name, and user and sealed password as SQL.
    fn name_and_login(&self, number: usize, product: &str, id: &str) -> anyhow::Result<(String, String)> {
        let Some(server) = &self.job.server else {
            return Ok((
                format!("{product}{}", self.job.file(number).file),
                "NULL, NULL".to_owned(),
            ));
        };
        let name = format!("{}{product}", self.job.database(number));
        let login = self.job.login(number);
        let endpoint = Endpoint::new(server.engine, &server.host, server.port, &server.tls, &login.user);
        let binding = Binding {
            registry_id: self.registry.clone(),
            table: "tenantry_databases".to_owned(),
            row_id: id.to_owned(),
            tenant_id: Some(TenantId::from_text(tenant_id(number))),
            database_id: Some(id.to_owned()),
            field: "secret".to_owned(),
            secret_version: 1,
            purpose: "tenant-login".to_owned(),
            endpoint: endpoint.with_database(&name),
        };
        let password: &SecretString = &login.password;
        let sealed = seal(self.keys.active(), &binding, password)?.to_text();
        Ok((name, format!("'{}', '{sealed}'", login.user)))
    }

    fn target(&self, number: usize) -> String {
        let Left {
            outcome,
            code,
            version,
        } = self.left(number);
        let outcome = outcome.unwrap_or(Outcome::NotRun);
        format!(
            "'{RUN}', '{}', 'tenant', '{}', '{}', {}, {}, 0, {}, {}, 12",
            database_id(number, ""),
            slug(number),
            outcome.as_str(),
            or_null(version),
            or_null(version),
            or_null(code),
            if code.is_some() {
                "'the database said why'"
            } else {
                "NULL"
            },
        )
    }
}

fn run() -> String {
    format!(
        "INSERT INTO tenantry_runs (id, command, direction, started_at, finished_at, status, actor, goal) \
         VALUES ('{RUN}', 'migrate all-tenants', 'up', {THEN}, {THEN}, 'completed', 'bench', NULL)"
    )
}

/// Returns an id of the form that ours have.
fn database_id(number: usize, product: &str) -> String {
    let kind = if product.is_empty() { 'a' } else { 'b' };
    format!("019b0000-0000-7{kind}00-8000-{number:012}")
}

fn tenant_id(number: usize) -> String {
    format!("019b0000-0000-7000-9000-{number:012}")
}

fn slug(number: usize) -> String {
    format!("t{number:06}")
}

fn or_null(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
}
