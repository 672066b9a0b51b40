//! What became of each row on each engine, as one table.

use std::fmt;

/// What begins a line that a row prints at its end, before a tabulator.
const MARK: &str = "torture\t";

/// What became of a row on one engine.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// How often it was done, and what came of it.
    Done {
        count: String,
        /// How many migrations were half-way when everybody had died or ended.
        half_way: String,
        /// How many were found there and recorded, by whoever took them up.
        adopted: String,
        /// How many were taken up behind what was half made and removed or finished.
        repaired: String,
        /// How many went on where they stood.
        resumed: String,
        violations: u64,
        seed: String,
        seconds: String,
    },
    /// It was not done, and why.
    Skipped(String),
}

#[derive(Debug)]
struct Line {
    row: String,
    subject: String,
    ending: Ending,
}

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Adds what the tests of a row printed. Tests that print no line of their own are counted; those that failed
    /// without a line are a violation.
    pub(crate) fn add(&mut self, row: &str, said: &str) {
        let before = self.lines.len();
        // What a test of the same moment printed without ending its line may stand before the mark.
        let marked = said.lines().filter_map(|line| Some(line.split_once(MARK)?.1));
        self.lines.extend(marked.filter_map(parse));
        let fresh = self.lines.get(before..).unwrap_or_default();
        let failed = said.lines().any(|line| line == "torture failed");
        let is_told = fresh.iter().any(Line::is_violated);
        if fresh.is_empty() || (failed && !is_told) {
            self.lines.push(Line {
                row: row.to_owned(),
                subject: "all".to_owned(),
                ending: Ending::Done {
                    count: passed(said).to_string(),
                    half_way: "-".to_owned(),
                    adopted: "-".to_owned(),
                    repaired: "-".to_owned(),
                    resumed: "-".to_owned(),
                    violations: u64::from(failed),
                    seed: "-".to_owned(),
                    seconds: seconds(said),
                },
            });
        }
    }

    /// Returns whether anything was violated.
    pub(crate) fn has_violations(&self) -> bool {
        self.lines.iter().any(Line::is_violated)
    }

    /// Returns whether anything was not done.
    pub(crate) fn has_skips(&self) -> bool {
        self.lines
            .iter()
            .any(|line| matches!(line.ending, Ending::Skipped(_)))
    }
}

impl Line {
    fn is_violated(&self) -> bool {
        matches!(self.ending, Ending::Done { violations, .. } if violations > 0)
    }
}

/// Reads one line; `None` if it is none.
fn parse(line: &str) -> Option<Line> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (row, subject, ending) = match *fields.as_slice() {
        [row, subject, "skipped", why] => (row, subject, Ending::Skipped(why.to_owned())),
        [
            row,
            subject,
            count,
            half_way,
            adopted,
            repaired,
            resumed,
            violations,
            seed,
            seconds,
        ] => {
            let ending = Ending::Done {
                count: count.to_owned(),
                half_way: half_way.to_owned(),
                adopted: adopted.to_owned(),
                repaired: repaired.to_owned(),
                resumed: resumed.to_owned(),
                violations: violations.parse().ok()?,
                seed: seed.to_owned(),
                seconds: seconds.to_owned(),
            };
            (row, subject, ending)
        }
        _ => return None,
    };
    Some(Line {
        row: row.to_owned(),
        subject: subject.to_owned(),
        ending,
    })
}

/// Returns how many tests passed, by the summary of the test program.
fn passed(said: &str) -> u64 {
    let summaries = said.lines().filter_map(|line| line.strip_prefix("test result: "));
    let count = |summary: &str| -> Option<u64> {
        let (_, rest) = summary.split_once(". ")?;
        rest.split_once(" passed")?.0.parse().ok()
    };
    summaries.filter_map(count).sum()
}

/// Returns how long the tests took, by the same summary.
fn seconds(said: &str) -> String {
    let summary = said.lines().rev().find(|line| line.starts_with("test result: "));
    let told = summary.and_then(|line| line.rsplit_once(" in ")?.1.strip_suffix('s'));
    told.unwrap_or("-").to_owned()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:<32} {:>6} {:>8} {:>8} {:>8} {:>8} {:>10} {:>15} {:>8}",
            "row",
            "engine",
            "times",
            "half-way",
            "adopted",
            "repaired",
            "resumed",
            "violations",
            "seed",
            "seconds"
        )?;
        for Line { row, subject, ending } in &self.lines {
            match ending {
                Ending::Skipped(why) => writeln!(f, "{row:<10} {subject:<32} SKIPPED: {why}")?,
                Ending::Done {
                    count,
                    half_way,
                    adopted,
                    repaired,
                    resumed,
                    violations,
                    seed,
                    seconds,
                } => writeln!(
                    f,
                    "{row:<10} {subject:<32} {count:>6} {half_way:>8} {adopted:>8} {repaired:>8} {resumed:>8} \
                     {violations:>10} {seed:>15} {seconds:>8}"
                )?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(said: &str) -> Table {
        let mut table = Table::default();
        table.add("kills", said);
        table
    }

    #[test]
    fn each_engine_has_its_line() {
        let said = "noise\ntorture\tkills\tSQLite\t60\t0\t0\t0\t0\t0\t17\t3.1\n\
                    half a line torture\tkills\tMariaDB\t60\t12\t5\t3\t7\t0\t18\t9.0\n";
        let table = table(said);
        assert_eq!(table.lines.len(), 2);
        assert!(!table.has_violations() && !table.has_skips());
        let told = table.to_string();
        let row = told.lines().find(|line| line.contains("MariaDB")).unwrap();
        let numbers: Vec<&str> = row.split_whitespace().skip(2).collect();
        assert_eq!(numbers, ["60", "12", "5", "3", "7", "0", "18", "9.0"], "{table}");
    }

    #[test]
    fn a_failure_is_a_violation_whether_it_has_a_line_or_not() {
        assert!(
            table("torture\tkills\tSQLite\t3\t0\t0\t0\t0\t1\t17\t3.1\ntorture failed\n").has_violations()
        );
        assert!(table("error: it did not build\ntorture failed\n").has_violations());
        let silent = table("torture\tkills\tSQLite\t60\t0\t0\t0\t0\t0\t17\t3.1\ntorture failed\n");
        assert!(silent.has_violations());
        assert_eq!(silent.lines.len(), 2);
    }

    #[test]
    fn tests_without_a_line_are_counted() {
        let table = table("test result: ok. 7 passed; 0 failed; 0 ignored; finished in 1.25s\n");
        let line = table.lines.first().unwrap();
        let Ending::Done { count, seconds, .. } = &line.ending else {
            panic!("{line:?}")
        };
        assert_eq!((count.as_str(), seconds.as_str()), ("7", "1.25"));
    }

    #[test]
    fn what_was_skipped_is_said() {
        let table = table("torture\tdisk\tSQLite\tskipped\tonly root can mount\n");
        assert!(table.has_skips());
        assert!(
            table.to_string().contains("SKIPPED: only root can mount"),
            "{table}"
        );
    }
}
