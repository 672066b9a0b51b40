//! What a PostgreSQL file changes of its session in the open, where whoever reads the file sees it.

use super::Script;
use super::cursor::{Cursor, mentions};
use crate::engine::Engine;

/// What decides whose rights a statement has, and which object a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// `role` and `session_authorization`.
    Rights,
    /// `search_path`.
    SearchPath,
}

impl Guarded {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Rights => &["role", "authorization"],
            Self::SearchPath => &["search_path", "schema"],
        }
    }
}

/// Returns whether a statement of the file's own changes it: `SET LOCAL`, or `set_config`. What a block, a
/// function or a procedure does inside does not count.
pub(crate) fn changes_openly(script: &Script, what: Guarded) -> bool {
    let names = |statement: &str| what.words().iter().any(|word| mentions(statement, word));
    let changes = |statement: &str| {
        let sets = Cursor::new(statement, Engine::Postgres).at("SET");
        sets || !is_code(statement) && mentions(statement, "set_config")
    };
    (0..script.statements.len())
        .map(|at| script.statement(at))
        .any(|statement| changes(statement) && names(statement))
}

/// Whether what stands in a statement is run as code, now or later.
fn is_code(statement: &str) -> bool {
    let mut cursor = Cursor::new(statement, Engine::Postgres);
    if !cursor.eat("CREATE") {
        return cursor.at("DO");
    }
    cursor.eat_all(&["OR", "REPLACE"]);
    cursor.at_any(&["FUNCTION", "PROCEDURE"]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrackName;
    use crate::migration::Track;

    #[test]
    fn only_what_the_file_itself_says_is_in_the_open() {
        for (text, rights, search_path) in [
            ("SET LOCAL search_path = a;", false, true),
            (
                "SELECT pg_catalog.set_config('search_path', '', false);",
                false,
                true,
            ),
            ("SET LOCAL ROLE a;", true, false),
            ("SELECT helper();", false, false),
            (
                "CREATE TEMP TABLE kept AS SELECT set_config('search_path', 'a', false);",
                false,
                true,
            ),
            (
                "DO $$ BEGIN PERFORM set_config('search_path', 'a', false); END $$;",
                false,
                false,
            ),
            (
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a AS 'SELECT 1';",
                false,
                false,
            ),
            ("SET LOCAL work_mem = '3MB';", false, false),
        ] {
            let track = Track::from_files(TrackName::Tenant, Engine::Postgres, &[("1_a.sql", text)]).unwrap();
            let script = &track.migrations[0].up;
            assert_eq!(changes_openly(script, Guarded::Rights), rights, "{text}");
            assert_eq!(changes_openly(script, Guarded::SearchPath), search_path, "{text}");
        }
    }
}
