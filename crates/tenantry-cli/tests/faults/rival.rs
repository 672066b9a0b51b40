//! A second deployer that knows nothing of the first one's run: only the databases' own locks stand between the two.

use std::process::Command;

use tenantry::engine::Engine;

use crate::deployer::with_faults;
use crate::scenes::Stage;

impl Stage {
    /// A deployer of the same databases with a registry of its own, so that nothing but the databases' own locks stands
    /// between it and others; `registry` is what [`Self::copied_registry`] gave.
    pub(crate) fn rival(&self, registry: &str, words: &[&str], faults: &str) -> Command {
        let mut command = with_faults(&self.platform, words, faults);
        command.env("CENTRAL_DATABASE_URL", registry);
        command
    }

    /// Copies the registry as it is now, which nobody may use meanwhile, and returns the copy's URL.
    pub(crate) fn copied_registry(&self) -> String {
        let (platform, central) = (&self.platform, self.platform.central.address.database());
        let copy = format!("{central}_copy");
        match platform.engine {
            Engine::Postgres => {
                platform.query("postgres", &format!("DROP DATABASE IF EXISTS {copy}"));
                platform.query("postgres", &format!("CREATE DATABASE {copy} TEMPLATE {central}"));
            }
            Engine::MySql => {
                platform.query("mysql", &format!("DROP DATABASE IF EXISTS {copy}"));
                platform.query("mysql", &format!("CREATE DATABASE {copy}"));
                let tables = format!(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = '{central}'"
                );
                for table in platform.query("mysql", &tables).into_iter().flatten() {
                    let (from, to) = (format!("{central}.{table}"), format!("{copy}.{table}"));
                    platform.query("mysql", &format!("CREATE TABLE {to} LIKE {from}"));
                    platform.query("mysql", &format!("INSERT INTO {to} SELECT * FROM {from}"));
                }
            }
            Engine::Sqlite => panic!("its registry is no database of a server"),
        }
        let url = platform.url.as_ref().unwrap();
        url.strip_suffix(central).unwrap().to_owned() + &copy
    }
}
