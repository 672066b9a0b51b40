//! The one thing to do about each reason.

use super::FileProblemKind as Kind;
use crate::migration::split::Opened;

/// Returns the one thing to do about a reason.
pub(super) fn help(kind: &Kind) -> String {
    if let Kind::UnknownDirective {
        suggestion: Some(name),
        ..
    } = kind
    {
        return format!("did you mean  -- tenantry: {name}");
    }
    if let Kind::NotForEngine { engine, .. } = kind {
        let word = engine.as_str();
        return format!("add a file that ends in .{word}.sql, or one without an engine in its name");
    }
    advice_on_file(kind)
        .or_else(|| advice_on_statement(kind))
        .unwrap_or("change the file")
        .to_owned()
}

fn advice_on_file(kind: &Kind) -> Option<&'static str> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other half is in the function below"
    )]
    Some(match kind {
        Kind::SameVersion { .. } => "give one of them another version:  tenantry migrate make <name>",
        Kind::Empty | Kind::NoStatement => {
            "write the SQL into the file, or put back what stood there if it was applied; one that never ran can be \
             removed, and for a step that does nothing on purpose, write  SELECT 1;"
        }
        Kind::NotUtf8 { .. } => "save the file as UTF-8:  iconv -f <its encoding> -t UTF-8 <file>",
        Kind::NulByte | Kind::CtrlZ | Kind::MarkInside | Kind::Bidi(_) => "remove the character",
        Kind::Invisible(_) => "replace it by an ordinary space, or put it into a string",
        Kind::FileName => {
            "name it like 20260314093000_add_invoices.sql: letters, digits, `_` and `-`; before .sql may stand \
             .down and .postgres, .mysql or .sqlite"
        }
        Kind::VersionOutOfRange(_) => "begin the name with a number from 1 to 9223372036854775807",
        Kind::NameUnprintable | Kind::NameTooLong(_) | Kind::SameButCase(_) => "rename the file",
        Kind::DownWithoutUp => "add the migration it belongs to, with the same name, or remove the file",
        Kind::SymbolicLink => "put the file itself into the folder",
        Kind::NotAFile(_) => "move it out of the folder, or rename it so that it does not end in .sql",
        Kind::Unreadable(_) => "make the file readable for the user who runs tenantry",
        Kind::TooLarge(_) => "split the file, or load the data in another way",
        Kind::StatementTooLarge(_) => "write several statements, each with a part of the rows",
        Kind::Changed => "run the command again when nothing writes to the folder",
        _ => return None,
    })
}

fn advice_on_statement(kind: &Kind) -> Option<&'static str> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other half is in the function above"
    )]
    Some(match kind {
        Kind::Unclosed(Opened::Body) => "close the body with END, or use DELIMITER lines around it",
        Kind::Unclosed(_) => "close what begins here",
        Kind::TransactionControl(_) => "remove the statement: Tenantry begins and commits the transaction",
        Kind::ForeignSavepoint(_) => "make the savepoint in this file, before the statement that names it",
        Kind::SeveralWithoutTransaction(_) => "give each statement a file of its own",
        Kind::UnknownDirective { .. } => "use one of: no-transaction, verify SELECT …, resume rerun",
        Kind::Delimiter(_) => "end each statement with the delimiter, then put it back:  DELIMITER ;",
        Kind::HashComment(_) => "write the comment with --",
        Kind::ClientCommand => "write what the command does as SQL",
        Kind::CopyStream => "write the rows as INSERT statements",
        Kind::SessionChange(what) if what == "SET PASSWORD" || what.ends_with("CURRENT_USER") => {
            "remove the statement: migrations log in as this user, with the password that the registry keeps"
        }
        Kind::SessionChange(_) => "use SET LOCAL, or name the schema in the statements",
        Kind::StringRules("SET standard_conforming_strings = off") => {
            "remove the statement; write backslash escapes as E'…'"
        }
        Kind::StringRules(_) => "remove the statement, or write the value out as a plain string",
        Kind::ConditionalComment => "remove the comment, or the `*/` and `/*` in what it holds",
        Kind::Unlock(_) => "remove the call",
        Kind::OtherDatabase(_) => "name the objects without a database",
        Kind::NeedsNoTransaction(_) => "put this as the first line of the file:  -- tenantry: no-transaction",
        Kind::ConcurrentlyIfNotExists => "remove IF NOT EXISTS; an interrupted build is cleaned up by itself",
        Kind::TruncateWithoutRule => {
            "if it may run twice, put this as the first line of the file:  -- tenantry: resume rerun"
        }
        Kind::ServerFiles(_) => "write the data into the file as SQL",
        Kind::ServerWide(_) => "do it by hand, outside a migration",
        Kind::OwnTable(_) => "remove the statement: only tenantry itself writes the history",
        Kind::DirectiveValue { .. } => "write it as one of: no-transaction, verify SELECT …, resume rerun",
        Kind::DirectiveNotAtTop => "move the line to the top of the file",
        Kind::Placeholder(_) => "write the value itself; migration files are not templates",
        _ => return None,
    })
}
