//! Statements that stand wholly in comments which some servers execute and others skip.

use super::Object;
use crate::engine::Engine;
use crate::migration::cursor::unquoted;
use crate::migration::split::{Kind, Lexer};

/// Versions below are executed by every server that we migrate: MySQL from 5.7 on, and MariaDB, which skips 5.7
/// and what came after it ("Comment Syntax").
const BY_ALL: u32 = 50_700;

/// Returns whether a server may skip all of a statement. What it skips must be sent alone: an empty statement is
/// refused where others share its message.
pub(super) fn may_be_skipped(statement: &str) -> bool {
    if !statement.starts_with("/*") {
        return false;
    }
    let mut inside = false;
    for token in Lexer::new(statement, Engine::MySql).map_while(Result::ok) {
        match token.kind {
            Kind::CodeOpen if is_executed_by_all(token.text(statement)) => return false,
            Kind::CodeOpen => inside = true,
            Kind::CodeClose => inside = false,
            Kind::LineComment => {}
            Kind::Word | Kind::Number | Kind::Name | Kind::Text | Kind::Delimiter | Kind::Symbol => {
                if !inside {
                    return false;
                }
            }
        }
    }
    true
}

/// Returns whether a server may skip the name of one of these objects, or the words that say what the first is: it
/// would then change another one, or none.
pub(super) fn hides_name(statement: &str, objects: &[Object]) -> bool {
    const GUARDS: [&str; 5] = ["OR", "REPLACE", "IF", "NOT", "EXISTS"];
    let (mut inside, mut is_head) = (false, true);
    for token in Lexer::new(statement, Engine::MySql).map_while(Result::ok) {
        match token.kind {
            Kind::CodeOpen => inside = !is_executed_by_all(token.text(statement)),
            Kind::CodeClose => inside = false,
            Kind::LineComment => {}
            Kind::Word | Kind::Number | Kind::Name | Kind::Text | Kind::Delimiter | Kind::Symbol => {
                let name = unquoted(token, statement);
                let is_object =
                    name.is_some_and(|name| objects.iter().any(|o| o.name.eq_ignore_ascii_case(&name)));
                let is_guard = GUARDS.iter().any(|word| token.is(statement, word));
                if inside && (is_object || (is_head && !is_guard)) {
                    return true;
                }
                is_head &= !is_object;
            }
        }
    }
    false
}

/// Returns whether every server that we migrate executes what a `/*!80000` opens: `/*M!` is an ordinary comment to
/// MySQL, and `/*!` without a version is executed by everybody.
pub(in crate::migration) fn is_executed_by_all(opening: &str) -> bool {
    let version = opening.strip_prefix("/*!");
    version.is_some_and(|version| version.parse().unwrap_or(0) < BY_ALL)
}

#[cfg(test)]
mod tests {
    use super::may_be_skipped;
    use crate::migration::mysql_class::{Class, classify, sets_user_variables};

    #[test]
    fn a_statement_that_a_server_may_skip_is_sent_alone() {
        for statement in [
            "/*!99999 INSERT INTO a VALUES (2) */",
            "/*!80000 CREATE TABLE */ /*M!100600 a (n INT) */ -- b",
            "/*M! UPDATE a SET n = 1 */",
        ] {
            assert!(may_be_skipped(statement), "{statement}");
            assert_eq!(classify(statement), Class::Opaque, "{statement}");
        }
        for statement in [
            "INSERT INTO a VALUES (1) /*!99999 , (2) */",
            "/*!99999 INSERT */ INTO a VALUES (2)",
            "/*!40000 ALTER TABLE a DISABLE KEYS */",
            "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1 */",
            "/*! INSERT INTO a VALUES (1) */",
        ] {
            assert!(!may_be_skipped(statement), "{statement}");
            assert_ne!(classify(statement), Class::Opaque, "{statement}");
        }
        let set = "/*!80000 SET @a = 1, SESSION information_schema_stats_expiry = 0 */";
        assert_eq!(classify(set), Class::Session);
        assert!(sets_user_variables("/*!40101 SET @a = 1 */"));
        assert!(!sets_user_variables("/*!80000 SET @a = 1 */"));
    }
}
