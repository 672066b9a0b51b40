//! A server behind a pooler: what goes through it, what does not, and the setting that helps.

use tenantry::engine::Engine;

use super::THINGS;
use crate::database::pooler_port;
use crate::platform::{Platform, wait};
use crate::{stderr, stdout};

const INDEX: &str = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY things_name ON things (name);\n";

/// Registers the server at a port, with more flags; returns what was said, with this exit code.
pub(super) fn add(platform: &Platform, exit: i32, words: &[&str]) -> std::process::Output {
    let server = platform.server.as_ref().unwrap();
    platform.write("password", &server.password);
    let login = ["--admin-user", &server.user, "--admin-password-file", "password"];
    let base = ["server", "add", "--host", "127.0.0.1"];
    platform.ends(exit, &[&base[..], &login, words].concat())
}

#[test]
fn the_refusal_names_the_setting_and_the_setting_helps() {
    let (Some(port), Some(platform)) = (pooler_port("2"), Platform::start(Engine::Postgres)) else {
        return;
    };
    let (port, direct) = (
        port.to_string(),
        platform.server.as_ref().unwrap().port.to_string(),
    );
    let place = ["--engine", "postgres", "--jurisdiction", "eu", "--port", &port];
    add(&platform, 0, &[&["behind"], &place[..]].concat());
    platform.write(&format!("migrations/tenant/{}", THINGS.0), THINGS.1);
    platform.ends(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
    platform.write("migrations/tenant/002_index.sql", INDEX);
    let refused = platform.ends(20, &["migrate", "all-tenants"]);
    let said = stderr(&refused);
    assert!(
        said.contains("error[TN-5007]") && said.contains("server set behind --direct-host"),
        "{said}"
    );
    let dead = ["--direct-host", "127.0.0.1", "--direct-port", "1"];
    let set = ["server", "set", "behind"];
    let unchanged = stderr(&platform.ends(20, &[&set[..], &dead].concat()));
    assert!(unchanged.contains("known as before"), "{unchanged}");
    for pooler in ["2", "LENIENT"] {
        let port = pooler_port(pooler).unwrap().to_string();
        let again = ["--direct-host", "127.0.0.1", "--direct-port", &port];
        let said = stderr(&platform.ends(20, &[&set[..], &again].concat()));
        let why = format!("127.0.0.1:{port} is a pooler");
        assert!(said.contains("error[TN-5007]") && said.contains(&why), "{said}");
        assert!(said.contains("known as before"), "{said}");
    }
    // Only with the key can logins be sent elsewhere.
    let forged = format!("UPDATE tenantry_servers SET direct_host = '127.0.0.1', direct_port = {direct}");
    wait(platform.central.query(&format!("{forged} WHERE name = 'behind'")));
    let refused = stderr(&platform.ends(20, &["migrate", "resume"]));
    assert!(refused.contains("direct endpoint"), "{refused}");

    let help = ["--direct-host", "127.0.0.1", "--direct-port", &direct];
    platform.ends(0, &[&set[..], &help].concat());
    platform.ends(0, &["migrate", "resume"]);
    let listed = stdout(&platform.ends(0, &["server", "list"]));
    assert!(
        listed.contains(&format!("127.0.0.1:{port} (direct 127.0.0.1:{direct})")),
        "{listed}"
    );
    let none = platform.json(0, &["server", "set", "behind", "--no-direct-host"]);
    assert_eq!(none["direct"], serde_json::Value::Null);
    platform.ends(2, &["server", "set", "behind"]);
}

#[test]
fn a_direct_endpoint_is_asked_before_the_server_is_added() {
    let (Some(port), Some(platform)) = (pooler_port("2"), Platform::start(Engine::Postgres)) else {
        return;
    };
    let (port, direct) = (
        port.to_string(),
        platform.server.as_ref().unwrap().port.to_string(),
    );
    let place = [
        "--jurisdiction",
        "eu",
        "--port",
        &port,
        "--direct-host",
        "127.0.0.1",
    ];
    let postgres = |name| [&[name, "--engine", "postgres"], &place[..]].concat();
    let dead = add(
        &platform,
        20,
        &[&postgres("dead")[..], &["--direct-port", "1"]].concat(),
    );
    assert!(stderr(&dead).contains("127.0.0.1:1 does not answer"), "{dead:?}");
    let pooled = [&postgres("pooled")[..], &["--direct-port", &port]].concat();
    let said = stderr(&add(&platform, 20, &pooled));
    assert!(
        said.contains("is a pooler") && said.contains("nothing was added"),
        "{said}"
    );
    add(
        &platform,
        2,
        &[&["other", "--engine", "mysql"], &place[..]].concat(),
    );
    add(
        &platform,
        0,
        &[&postgres("both")[..], &["--direct-port", &direct]].concat(),
    );
    let servers = platform.json(0, &["server", "list"]);
    assert_eq!(servers["items"][0]["direct"], format!("127.0.0.1:{direct}"));
    assert_eq!(servers["items"][1]["direct"], serde_json::Value::Null);
    platform.ends(0, &["server", "check"]);
    platform.write(&format!("migrations/tenant/{}", THINGS.0), THINGS.1);
    platform.write("migrations/tenant/002_index.sql", INDEX);
    platform.ends(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
}
