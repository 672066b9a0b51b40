//! Savepoints of other files: files may share a transaction, and none of them takes another's work back.

use crate::engine::Engine;
use crate::migration::cursor::Cursor;
use crate::migration::problem::FileProblemKind as Kind;
use crate::migration::split::Kind as TokenKind;

/// The savepoints that are open at a place in a file, oldest first.
#[derive(Debug, Default)]
pub(super) struct Savepoints(Vec<String>);

impl Savepoints {
    /// Takes a statement in; returns the refusal of one that names a savepoint which the file did not make.
    /// On MySQL every savepoint is refused elsewhere.
    pub(super) fn refused(&mut self, mut cursor: Cursor<'_>, engine: Engine) -> Option<Kind> {
        let verb = match engine {
            Engine::Postgres | Engine::Sqlite => cursor.eat_any(&["SAVEPOINT", "RELEASE", "ROLLBACK"])?,
            Engine::MySql => return None,
        };
        if verb == "SAVEPOINT" {
            self.0.push(name(&cursor, engine)?);
            return None;
        }
        if verb == "ROLLBACK" {
            cursor.eat_any(&["WORK", "TRANSACTION"]);
            if !cursor.eat("TO") {
                return None;
            }
        }
        cursor.eat("SAVEPOINT");
        let wanted = name(&cursor, engine)?;
        let Some(at) = self.0.iter().rposition(|open| *open == wanted) else {
            return Some(Kind::ForeignSavepoint(wanted));
        };
        // The savepoint itself outlives going back to it.
        self.0.truncate(if verb == "ROLLBACK" { at + 1 } else { at });
        None
    }
}

/// Returns a name as the engine compares it: PostgreSQL keeps the case of a quoted one.
fn name(cursor: &Cursor<'_>, engine: Engine) -> Option<String> {
    let token = cursor.peek()?;
    let name = cursor.clone().name()?;
    if engine == Engine::Postgres && token.kind == TokenKind::Name {
        return Some(name.into_owned());
    }
    Some(name.to_ascii_lowercase())
}
