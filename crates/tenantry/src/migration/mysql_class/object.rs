//! The objects that a MySQL statement names.

use std::borrow::Cow;

use super::Class;
use crate::engine::Engine;
use crate::migration::cursor::Cursor;

/// What an object is; sequences count as tables, as `SHOW CREATE TABLE` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A stored procedure.
    Procedure,
    /// A stored function.
    Function,
    /// An event.
    Event,
}

impl ObjectKind {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "TABLE" | "TABLES" | "SEQUENCE" => Self::Table,
            "VIEW" => Self::View,
            "TRIGGER" => Self::Trigger,
            "PROCEDURE" => Self::Procedure,
            "FUNCTION" => Self::Function,
            "EVENT" => Self::Event,
            _ => return None,
        })
    }
}

/// An object that a statement names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name, unquoted, without a database before it.
    pub name: String,
}

/// The objects found so far, and the first database named before one.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) objects: Vec<Object>,
    pub(super) database: Option<String>,
}

impl Named {
    /// Takes the name that is next; returns whether there was one.
    pub(super) fn take(&mut self, cursor: &mut Cursor<'_>, kind: ObjectKind) -> bool {
        let Some(found) = cursor.qualified() else {
            return false;
        };
        self.objects.push(Object {
            kind,
            name: found.name.into_owned(),
        });
        self.database = self.database.take().or(found.before.map(Cow::into_owned));
        true
    }

    /// Takes the table of `… INDEX i … ON t`.
    pub(super) fn index_table(&mut self, cursor: &mut Cursor<'_>) -> Class {
        let found = cursor.skip_past("ON") && self.take(cursor, ObjectKind::Table);
        if found { self.atomic() } else { Class::Opaque }
    }

    /// Takes the other name of `RENAME TO x`, if there is one.
    pub(super) fn second_name(&mut self, mut cursor: Cursor<'_>, kind: ObjectKind) {
        const PARTS: [&str; 5] = ["COLUMN", "INDEX", "KEY", "CONSTRAINT", "PARTITION"];
        while cursor.skip_past("RENAME") {
            if cursor.at_any(&PARTS).is_none() {
                cursor.eat_any(&["TO", "AS"]);
                self.take(&mut cursor, kind);
                return;
            }
        }
    }

    pub(super) fn atomic(&mut self) -> Class {
        if self.objects.is_empty() {
            return Class::Opaque;
        }
        Class::AtomicDdl {
            objects: std::mem::take(&mut self.objects),
        }
    }

    pub(super) fn several(&mut self) -> Class {
        Class::MultiObjectDdl {
            objects: std::mem::take(&mut self.objects),
        }
    }
}

/// Returns whether a statement, without settings of its own, begins with these keywords.
pub(crate) fn starts(statement: &str, keywords: &[&str]) -> bool {
    Cursor::new(super::body(statement), Engine::MySql).eat_all(keywords)
}

/// Steps over `ALGORITHM = …`, `DEFINER = user` and `SQL SECURITY …`.
pub(super) fn skip_definer(cursor: &mut Cursor<'_>) {
    const WHAT: [&str; 5] = ["VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"];
    if cursor.at_any(&["ALGORITHM", "DEFINER", "SQL"]).is_none() {
        return;
    }
    while cursor.peek().is_some() && cursor.at_any(&WHAT).is_none() {
        cursor.bump();
    }
}
