//! Every file begins in the same session: what the one before it left there is taken away.

use super::connect::{Connection, Settings, session_settings};
use crate::engine::OpenOptions;
use crate::engine::text::literal;

/// Gives our own statements behind a file the rights of the login again.
pub(super) const OWN_RIGHTS: [&str; 2] = ["RESET SESSION AUTHORIZATION", "RESET ROLE"];

/// What takes a file's traces out of its session; each is allowed in a transaction, and none touches an
/// advisory lock. RESET ALL leads back to the start packet ("RESET": the value it would have had without
/// any SET in this session).
const TRACES: [&str; 4] = ["RESET ALL", "DISCARD TEMP", "DISCARD SEQUENCES", "CLOSE ALL"];

/// RESET ALL leads behind a pooler to the start packet of its own connection, which need not ask for UTF-8: the
/// next message would be read in the database's encoding. A pooler that lends connections keeps this setting
/// apart for each client.
const ENCODING: &str = "SET client_encoding = 'UTF8'";

/// Prepared statements stay behind a pooler, which may keep those of other clients on the same connection.
const PREPARED: &str = "DEALLOCATE ALL";

/// Returns the statements that make a session, in a transaction or not, as it was before its first file.
pub(super) fn traces(settings: Settings) -> Vec<String> {
    let last = match settings {
        Settings::StartPacket => PREPARED,
        Settings::PerTransaction => ENCODING,
    };
    TRACES.into_iter().chain([last]).map(ToOwned::to_owned).collect()
}

/// Returns the settings that a transaction makes for itself: where a pooler kept them from the server. RESET ALL
/// takes the name away that the pooler has passed on, and the connection's last client may have left its role.
pub(super) fn local_settings(connection: &Connection, options: &OpenOptions) -> Vec<String> {
    match connection.settings {
        Settings::StartPacket => Vec::new(),
        Settings::PerTransaction => {
            let settings = session_settings(options)
                .into_iter()
                .chain([("application_name", options.application_name.clone())])
                .map(|(name, value)| format!("SET LOCAL {name} = {}", literal(&value)));
            OWN_RIGHTS
                .map(ToOwned::to_owned)
                .into_iter()
                .chain(settings)
                .collect()
        }
    }
}

/// Returns what stands between two files of one transaction.
pub(super) fn between_files(connection: &Connection, options: &OpenOptions) -> Vec<String> {
    let mut statements = traces(connection.settings);
    statements.extend(local_settings(connection, options));
    statements
}
