//! Whoever creates or deletes a tenant dies behind each step: the same command goes on, and nothing is there twice, left
//! over or taken from somebody else.

use tenantry::engine::Engine;
use tenantry::faults::Point;

use crate::deployer::{End, run};
use crate::output::stderr;
use crate::platform::Platform;

const CREATE: [&str; 7] = [
    "tenant",
    "create",
    "acme",
    "--jurisdiction",
    "uk",
    "--product",
    "kira",
];
const DELETE: [&str; 6] = ["tenant", "delete", "acme", "--confirm", "acme", "--now"];

/// The steps of a creation, each with how often it is passed: once for the tenant, or for each of its two databases.
const CREATING: [(Point, usize); 9] = [
    (Point::LifeTenantWritten, 1),
    (Point::LifeReserved, 1),
    (Point::LifeRoleMade, 2),
    (Point::LifeDatabaseMade, 2),
    (Point::LifeDatabaseMarked, 2),
    (Point::LifeDatabaseCreated, 2),
    (Point::LifeMigrated, 2),
    (Point::LifeReady, 2),
    (Point::LifeActive, 1),
];

/// The same of a deletion.
const DELETING: [(Point, usize); 5] = [
    (Point::LifeDeletionDecided, 1),
    (Point::LifeDatabaseDropped, 2),
    (Point::LifeDatabaseGone, 2),
    (Point::LifeDatabaseForgotten, 2),
    (Point::LifeTenantForgotten, 1),
];

/// The same of a new password.
const ROTATING: [Point; 4] = [
    Point::LifePasswordBegun,
    Point::LifePasswordSet,
    Point::LifePasswordTried,
    Point::LifePasswordStored,
];

const ROTATE: [&str; 4] = ["secret", "rotate", "--only", "acme"];

#[test]
fn on_postgres_a_life_goes_on_behind_every_step() {
    goes_on(Engine::Postgres);
}

#[test]
fn on_mariadb_a_life_goes_on_behind_every_step() {
    goes_on(Engine::MySql);
}

#[test]
fn on_sqlite_a_life_goes_on_behind_every_step() {
    goes_on(Engine::Sqlite);
}

fn goes_on(engine: Engine) {
    let Some(life) = Life::start(engine) else { return };
    for (point, passings) in CREATING.into_iter().filter(|(point, _)| has(engine, *point)) {
        for passing in 1..=passings {
            life.dies(&CREATE, point, passing);
            life.is_created_again(point);
            life.platform.ends(0, &DELETE);
            life.has_nothing_left(point);
        }
    }
    for (point, passings) in DELETING {
        for passing in 1..=passings {
            life.platform.ends(0, &CREATE);
            life.dies(&DELETE, point, passing);
            life.is_deleted_again(point);
            life.has_nothing_left(point);
        }
    }
    if engine != Engine::Sqlite {
        life.platform.ends(0, &CREATE);
        for point in ROTATING {
            life.dies(&ROTATE, point, 1);
            life.platform.ends(0, &ROTATE);
            // As its own role, with what the registry has.
            let report = life.platform.json(0, &["migrate", "all", "--live"]);
            assert_eq!(report["current"], 5, "{}: {report}", point.name());
        }
    }
    life.platform.ends(0, &["audit", "verify"]);
}

/// Returns whether an engine has a step: a file has no role, and only PostgreSQL marks in a step of its own.
fn has(engine: Engine, point: Point) -> bool {
    match engine {
        Engine::Postgres => true,
        Engine::MySql => point != Point::LifeDatabaseMarked,
        Engine::Sqlite => ![Point::LifeRoleMade, Point::LifeDatabaseMarked].contains(&point),
    }
}

/// A platform with a bystander, whose databases must stay as they are.
struct Life {
    platform: Platform,
    before: Vec<String>,
}

impl Life {
    fn start(engine: Engine) -> Option<Self> {
        let platform = Platform::start(engine)?;
        let things = "CREATE TABLE things (id INTEGER);\n";
        platform.write("migrations/tenant/001_things.sql", things);
        platform.write("migrations/products/kira/001_things.sql", things);
        let config = std::fs::read_to_string(platform.path("tenantry.toml")).unwrap();
        // The same names each time: what was left over would be in the way.
        let names = format!(
            "[naming]\ntenant = \"{0}{{slug}}\"\nproduct = \"{0}{{slug}}_{{product}}\"\n",
            prefix()
        );
        let kept = config.lines().filter(|line| !line.contains("_{"));
        let kept: Vec<&str> = kept.collect();
        platform.write("tenantry.toml", &kept.join("\n").replace("[naming]\n", &names));
        platform.ends(0, &["tenant", "create", "globex", "--product", "kira"]);
        let before = objects(&platform);
        assert!(before.len() >= 2, "{before:?}");
        Some(Self { platform, before })
    }

    fn dies(&self, words: &[&str], point: Point, passing: usize) {
        let faults = format!("kill={}:{passing}", point.name());
        let end: End = run(&self.platform, words, &faults);
        assert!(end.killed, "nobody came to {}: {}", faults, end.said);
    }

    /// The same command twice, and both databases are there once, current, and usable as their own role.
    fn is_created_again(&self, point: Point) {
        for _ in 0..2 {
            let again = self.platform.command(&CREATE).output().unwrap();
            let said = stderr(&again);
            let is_there = again.status.code() == Some(40) && said.contains("TN-6001");
            assert!(
                again.status.code() == Some(0) || is_there,
                "{}: {said}",
                point.name()
            );
        }
        let shown = self.platform.json(0, &["tenant", "show", "acme"]);
        assert_eq!(shown["status"], "active", "{}", point.name());
        assert_eq!(shown["databases"].as_array().unwrap().len(), 2, "{shown}");
        // The central database is one of them.
        let report = self.platform.json(0, &["migrate", "all", "--live"]);
        assert_eq!(report["current"], 5, "{}: {report}", point.name());
        let kinds = if self.platform.engine == Engine::Sqlite {
            1
        } else {
            2
        };
        let now = objects(&self.platform);
        assert_eq!(
            now.len(),
            self.before.len() + 2 * kinds,
            "{}: {now:?}",
            point.name()
        );
    }

    fn is_deleted_again(&self, point: Point) {
        let again = self.platform.command(&DELETE).output().unwrap();
        let is_gone = again.status.code() == Some(4);
        assert!(
            again.status.code() == Some(0) || is_gone,
            "{}: {}",
            point.name(),
            stderr(&again)
        );
        self.platform.ends(4, &["tenant", "show", "acme"]);
    }

    /// Whatever was made is gone, the bystander's is not.
    fn has_nothing_left(&self, point: Point) {
        assert_eq!(objects(&self.platform), self.before, "{}", point.name());
    }
}

/// What the names of this process's databases and roles begin with: other tests use the same servers.
fn prefix() -> String {
    format!("lf{}_", std::process::id())
}

/// Returns the databases and roles of tenants on the server, sorted.
fn objects(platform: &Platform) -> Vec<String> {
    let prefix = prefix();
    let (at, sql) = match platform.engine {
        Engine::Sqlite => {
            let names = std::fs::read_dir(platform.path("data")).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut found: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
            found.sort();
            return found;
        }
        Engine::Postgres => (
            "postgres",
            format!(
                "SELECT 'database ' || datname FROM pg_database WHERE starts_with(datname, '{prefix}') \
                 UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE starts_with(rolname, '{prefix}')"
            ),
        ),
        Engine::MySql => (
            "mysql",
            format!(
                "SELECT CONCAT('database ', schema_name) FROM information_schema.schemata \
                 WHERE LEFT(schema_name, LENGTH('{prefix}')) = '{prefix}' \
                 UNION ALL SELECT CONCAT('role ', User) FROM mysql.user WHERE LEFT(User, LENGTH('{prefix}')) = '{prefix}'"
            ),
        ),
    };
    let mut found: Vec<String> = platform.query(at, &sql).into_iter().flatten().collect();
    found.sort();
    found
}
