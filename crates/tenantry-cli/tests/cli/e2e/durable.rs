//! What was told as applied is there after the server died, whatever the database says of waiting for its disk.

use tenantry::engine::Engine;

use super::apart::Place;

/// A server that writes what nobody waits for after ten seconds.
const LAZY: [&str; 1] = ["-cwal_writer_delay=10s"];

#[test]
fn what_was_applied_outlives_the_server_where_nobody_waits_for_the_disk() {
    let Some(mut place) = Place::with_tenant(Engine::Postgres) else {
        return;
    };
    place.server.turns(&LAZY);
    let acme = place.platform.database("acme");
    let lazy = format!("ALTER DATABASE \"{acme}\" SET synchronous_commit = off");
    place.ask("postgres", &lazy);
    for (version, sql) in [
        ("2", "INSERT INTO things VALUES (3, 'c');\n"),
        (
            "3",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY things_name ON things (name);\n",
        ),
    ] {
        place
            .platform
            .write(&format!("migrations/tenant/00{version}_more.sql"), sql);
        place.platform.ends(0, &["migrate", "all-tenants"]);
        place.server.turns(&LAZY);
        let newest = "SELECT max(version) FROM _tenantry_history WHERE phase = 'done'";
        assert_eq!(place.ask(&acme, newest), [[version]]);
    }
    assert_eq!(place.ask(&acme, "SELECT count(*) FROM things"), [["3"]]);
}
