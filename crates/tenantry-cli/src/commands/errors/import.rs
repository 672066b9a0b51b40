//! Why a fleet's list was not taken in, as messages.

use tenantry::import::{ImportError, Problems};
use tenantry::registry::RegistryError;

use super::{bare, exit_of, of_registry};
use crate::failure::CommandError;
use crate::render::text;

/// What is true after an import that failed.
const UNTOUCHED: &str = "nothing was imported";

/// Describes why a list was not taken in.
pub(in super::super) fn of_import(error: &ImportError) -> CommandError {
    let made = || bare(error.code(), error).fact("state", UNTOUCHED);
    match error {
        ImportError::Registry(error) => of_registry(error, UNTOUCHED),
        ImportError::Rows(problems) => of_rows(bare(error.code(), error), problems),
        ImportError::MissingColumns { columns, .. } => {
            let made = made().fact("columns", columns_text(columns));
            let theirs = columns.first().map_or("theirs", String::as_str);
            made.help(format!(
                "say what a column of yours is here:  --map '{theirs}=<field>'"
            ))
        }
        ImportError::NoSuchColumn { columns, .. } => made().fact("columns", columns_text(columns)),
        ImportError::TwoColumns { .. } => made().help("say which it is:  --map <column>=<field>"),
        ImportError::Legacy { .. } => made()
            .help("try another --legacy-secrets, --legacy-key-form or key:  tenantry tenant import --help"),
        ImportError::NoSelect => made().help("--from-sql 'SELECT id, slug, db_name … FROM tenants'"),
        ImportError::Query(RegistryError::Database(said)) => {
            CommandError::new(exit_of(error.code()), error.to_string())
                .code(error.code())
                .fact("database", said.to_string())
                .fact("state", UNTOUCHED)
        }
        ImportError::Meanwhile(_) => made().help("the same command again says what is there now"),
        ImportError::TooLong { .. } => made().help("take it in in several parts"),
        ImportError::Read { .. } | ImportError::Encoding { .. } | ImportError::Malformed { .. } | _ => made(),
    }
}

fn of_rows(made: CommandError, problems: &Problems) -> CommandError {
    let made = problems
        .shown()
        .iter()
        .fold(made, |made, problem| made.fact("row", problem.to_string()));
    let more = problems.count() - problems.shown().len();
    let made = if more > 0 {
        made.fact("also", format!("{} more", text::number(more)))
    } else {
        made
    };
    made.fact("state", UNTOUCHED)
        .help("mend the list, and look at it first:  the same command with --dry-run")
}

fn columns_text(columns: &[String]) -> String {
    text::names(columns.iter().map(String::as_str))
}
