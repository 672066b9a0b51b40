//! Sealing anew is killed again and again, and no secret is lost.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tenantry::secret::{Envelope, KeyId};

use super::Project;

/// More than twenty batches.
const TENANTS: usize = 11_000;
const KILLS: u64 = 20;

#[test]
fn twenty_kills_lose_no_secret() {
    let project = Project::with_tenants(TENANTS);
    project.ends(0, &["key", "rotate"]);
    let heads: Vec<String> = project
        .ids()
        .iter()
        .map(|id| Envelope::head_of(id.parse::<KeyId>().unwrap()))
        .collect();
    let sql = project.sql();
    let under = |head: &String| -> i64 {
        let count = "SELECT COUNT(*) FROM tenantry_databases WHERE substr(secret, 1, 33) = ?1";
        sql.query_row(count, [head], |row| row.get(0)).unwrap()
    };
    for kill in 0..KILLS {
        let before = under(&heads[0]);
        let mut child = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["key", "rewrap"])
            .current_dir(project.path())
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while under(&heads[0]) == before {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(kill * 7 % 20));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "kill {kill} came too late");
        let (new, old) = (under(&heads[0]), under(&heads[1]));
        assert_eq!(new + old, i64::try_from(TENANTS).unwrap());
        assert!(new > before && old > 0, "kill {kill}: {new} and {old}");
    }
    project.ends(0, &["key", "rewrap"]);
    assert_eq!(under(&heads[1]), 0);
    let old = project.ids()[1].clone();
    project.ends(0, &["key", "destroy", &old]);
    project.assert_every_secret_opens(TENANTS);
}

#[test]
fn two_at_once_seal_every_secret_once_and_lose_none() {
    const SOME: usize = 3_000;
    let project = Project::with_tenants(SOME);
    project.ends(0, &["key", "rotate"]);
    let renewed = thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| project.json(0, &["key", "rewrap"])));
        both.map(|one| one.join().unwrap()["renewed"].as_u64().unwrap())
    });
    assert_eq!(
        renewed.iter().sum::<u64>(),
        u64::try_from(SOME).unwrap() + 1,
        "{renewed:?}"
    );
    project.assert_every_secret_opens(SOME);
}
