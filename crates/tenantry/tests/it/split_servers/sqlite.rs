//! SQLite takes one statement after the other from a text and tells its bytes.

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection};
use tenantry::engine::Engine;

use super::scripts;

/// Returns the bytes of the first statement that SQLite takes from a text; `None` if it sees none in it.
fn taken(connection: &Connection, text: &str) -> Option<String> {
    let mut batch = Batch::new(connection, text);
    let mut statement = batch.next().unwrap_or_else(|error| panic!("{error}\n{text}"))?;
    let taken = statement.expanded_sql();
    let mut rows = statement.raw_query();
    while rows.next().unwrap().is_some() {}
    taken
}

/// Our bytes are in those that SQLite takes, and nothing else that is a statement.
#[test]
fn sqlite_cuts_where_we_cut() {
    for cut in scripts(Engine::Sqlite) {
        let connection = Connection::open_in_memory().unwrap();
        let mut begin = 0;
        for range in &cut.ranges {
            let taken_here = taken(&connection, &cut.text[begin..]).unwrap();
            assert!(cut.text[begin..].starts_with(&taken_here), "{taken_here}");
            let end = begin + taken_here.len();
            let (statement, text) = (&cut.text[range.clone()], &cut.text);
            assert!(
                begin <= range.start && range.end <= end,
                "{taken_here}\nis not\n{statement}"
            );
            for gap in [
                &text[begin..range.start],
                text[range.end..end].trim_end_matches(';'),
            ] {
                assert_eq!(taken(&connection, gap), None, "a part of {taken_here}");
            }
            begin = end;
        }
        assert_eq!(taken(&connection, &cut.text[begin..]), None);
    }
}
