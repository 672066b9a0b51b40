//! Whether a statement may give a table a storage engine without transactions.

use crate::engine::Engine;
use crate::migration::cursor::Cursor;

/// What a statement says about storage engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Nothing, or `InnoDB`.
    Plain,
    /// It names another engine for a table, or a table whose engine another one gets.
    Named,
    /// It changes what tables get that name none.
    Default,
}

/// Reads what a statement says about storage engines; a word that only looks like it counts too.
pub(crate) fn storage(statement: &str) -> Storage {
    let mut cursor = Cursor::new(statement, Engine::MySql);
    let creates = Cursor::new(super::body(statement), Engine::MySql).at("CREATE");
    let mut found = Storage::Plain;
    while let Some(token) = cursor.bump() {
        let word = bare(cursor.text_of(token));
        if word.to_ascii_lowercase().ends_with("storage_engine") {
            return Storage::Default;
        }
        let copied = creates && token.is(cursor.text(), "LIKE");
        if copied || (token.is(cursor.text(), "ENGINE") && !is_innodb(cursor.clone())) {
            found = Storage::Named;
        }
    }
    found
}

fn is_innodb(mut cursor: Cursor<'_>) -> bool {
    cursor.eat_symbol(b'=');
    let Some(token) = cursor.peek() else {
        return false;
    };
    bare(cursor.text_of(token)).eq_ignore_ascii_case("InnoDB")
}

fn bare(word: &str) -> &str {
    word.trim_matches(['\'', '"', '`'])
}

#[cfg(test)]
mod tests {
    use super::{Storage, storage};

    #[test]
    fn another_engine_is_found_however_it_is_written() {
        for plain in [
            "CREATE TABLE t (n INT)",
            "CREATE TABLE t (n INT) ENGINE = innodb",
            "CREATE TABLE t (n INT) engine='InnoDB' COMMENT 'ENGINE=MyISAM'",
        ] {
            assert_eq!(storage(plain), Storage::Plain, "{plain}");
        }
        for named in [
            "CREATE TABLE t (n INT) ENGINE=MyISAM",
            "ALTER TABLE t ADD c INT, ENGINE Aria",
            "CREATE TABLE t (n INT) /*!40100 ENGINE = MEMORY */",
            "CREATE TABLE t LIKE u",
            "CREATE TEMPORARY TABLE t (LIKE u)",
        ] {
            assert_eq!(storage(named), Storage::Named, "{named}");
        }
        for default in [
            "SET SESSION default_storage_engine = MyISAM",
            "SET @@SESSION.`Storage_Engine` = MyISAM",
            "SET enforce_storage_engine = Aria",
        ] {
            assert_eq!(storage(default), Storage::Default, "{default}");
        }
    }
}
