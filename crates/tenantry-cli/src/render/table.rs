//! Tables: aligned on a terminal, tab-separated with a header elsewhere. Nothing is cut off.

use std::io::IsTerminal as _;

use super::text;

/// Rows under a header.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Begins a table.
    pub(crate) fn new(header: &[&str]) -> Self {
        Self {
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        let cells = cells.iter().map(|cell| text::printable(cell)).collect();
        self.rows.push(cells);
    }

    /// Draws it for stdout, as it is.
    pub(crate) fn draw(&self) -> String {
        if std::io::stdout().is_terminal() {
            self.aligned()
        } else {
            self.separated()
        }
    }

    /// Draws it with columns under each other.
    pub(crate) fn aligned(&self) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_header(&self.header)
            .add_rows(&self.rows);
        let drawn = table.to_string();
        let lines = drawn
            .lines()
            .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end());
        let lines: Vec<&str> = lines.collect();
        lines.join("\n")
    }

    /// Draws it with tabs between the columns; tabs and line breaks inside cells become spaces.
    pub(crate) fn separated(&self) -> String {
        let line = |cells: &Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|c| c.replace(['\t', '\n'], " ")).collect();
            cells.join("\t")
        };
        let lines: Vec<String> = std::iter::once(&self.header)
            .chain(&self.rows)
            .map(line)
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_table_is_aligned_for_people_and_separated_for_programs() {
        let mut table = Table::new(&["SLUG", "STATE"]);
        table.row(&["acme".to_owned(), "current".to_owned()]);
        table.row(&["a-long-slug".to_owned(), "a\tb\u{1b}".to_owned()]);
        assert_eq!(
            table.separated(),
            "SLUG\tSTATE\nacme\tcurrent\na-long-slug\ta\\u{9}b\\u{1b}"
        );
        let aligned = table.aligned();
        let column = |line: &str, word: &str| line.find(word);
        let lines: Vec<&str> = aligned.lines().collect();
        assert_eq!(
            column(lines[0], "STATE"),
            column(lines[1], "current"),
            "{aligned}"
        );
    }
}
