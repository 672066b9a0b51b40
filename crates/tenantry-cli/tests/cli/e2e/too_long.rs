//! A statement that the server does not take is refused at once, and said with the setting's name.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;
use crate::stderr;

#[test]
fn a_statement_above_the_servers_limit_is_tried_once_and_named() {
    let Some(platform) = Platform::with_tenants(Engine::MySql, &[THINGS], &["acme"]) else {
        return;
    };
    let acme = platform.database("acme");
    let before = platform.one(&acme, "SELECT @@GLOBAL.max_allowed_packet");
    let limit = 1 << 20;
    let text = format!("UPDATE things SET name = '{}';\n", "x".repeat(limit));
    platform.write("migrations/tenant/002_long.sql", &text);
    platform.query(&acme, &format!("SET GLOBAL max_allowed_packet = {limit}"));
    let ended = platform.ends(20, &["migrate", "all-tenants"]);
    platform.query(&acme, &format!("SET GLOBAL max_allowed_packet = {before}"));
    let said = stderr(&ended);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("error[TN-2015]"), "{said}");
    assert!(
        said.contains(&format!("max_allowed_packet of {limit} bytes")),
        "{said}"
    );
    assert!(said.contains("write it as several statements"), "{said}");
    assert!(!said.contains("attempts"), "{said}");
}
