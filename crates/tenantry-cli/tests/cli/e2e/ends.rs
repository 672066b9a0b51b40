//! A file that ends its transaction from inside a block or a procedure is refused by PostgreSQL, and rolled back.

use tenantry::engine::Engine;

use super::THINGS;
use crate::platform::Platform;

#[test]
fn what_ends_the_transaction_from_inside_is_named_and_rolled_back() {
    let Some(platform) = Platform::with_tenants(Engine::Postgres, &[THINGS], &["acme"]) else {
        return;
    };
    let acme = platform.database("acme");
    for ends in [
        "DO $$ BEGIN COMMIT; END $$;\n",
        "DO $$ BEGIN ROLLBACK; END $$;\n",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;\nCALL p();\n",
    ] {
        let sql = format!("CREATE TABLE half (id INTEGER);\n{ends}");
        platform.write("migrations/tenant/002_ends.sql", &sql);
        let report = platform.json(20, &["migrate", "all-tenants"]);
        let error = &report["targets"][0]["error"];
        assert_eq!(error["code"], "TN-2012", "{report}");
        assert_eq!(error["state_after"], "rolled_back", "{report}");
        assert_eq!(error["migration"], "2_ends", "{report}");
        let half = "SELECT count(*) FROM pg_class WHERE relname = 'half'";
        assert_eq!(platform.one(&acme, half), "0");
        assert_eq!(platform.one(&acme, "SELECT count(*) FROM _tenantry_history"), "1");
    }
}
