//! Who has locked a file, as far as the system tells: Linux lists every lock in `/proc/locks`.
//!
//! The file itself is never opened for it: closing it would drop the locks that SQLite holds on it in this process
//! ("How To Corrupt An SQLite Database File", 2.2).

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rusqlite::Connection;

use super::connect::File;
use crate::engine::text::clean;
use crate::engine::{Certainty, Holder};

/// The bytes of the main file that writers and readers lock ("File Locking And Concurrency", `PENDING_BYTE`).
const LOCK_BYTES: std::ops::Range<u64> = 0x4000_0000..0x4000_0200;
/// The byte of the shared-memory file that the writer locks (`WAL_WRITE_LOCK` in "WAL-mode File Format", 2.3).
const WAL_WRITER: std::ops::Range<u64> = 120..121;
/// So many units of `starttime` are a second (`proc(5)`: `sysconf(_SC_CLK_TCK)`, which is 100 for programs).
const TICKS: i64 = 100;

/// Returns the processes that have the file locked for writing; empty where the system does not tell.
pub(super) fn writers(file: &File) -> Vec<Holder> {
    of_table(&read("/proc/locks"), file, "WRITE")
}

/// Returns the other processes that have the file locked, if only for reading: they delay a COMMIT.
pub(super) fn others(file: &File) -> Vec<Holder> {
    without_us(of_table(&read("/proc/locks"), file, ""))
}

/// Returns the other processes that have the file locked for writing.
pub(crate) fn other_writers(file: &File) -> Vec<Holder> {
    without_us(writers(file))
}

fn without_us(mut found: Vec<Holder>) -> Vec<Holder> {
    let own = fs::read_link("/proc/self").unwrap_or_default();
    found.retain(|holder| own != Path::new(&holder.pid.to_string()));
    found
}

fn of_table(table: &str, file: &File, kind: &str) -> Vec<Holder> {
    let mut found: Vec<Holder> = Vec::new();
    for lock in table.lines().filter_map(Lock::read) {
        if !lock.kind.contains(kind) || found.iter().any(|holder| holder.pid == lock.pid) {
            continue;
        }
        let certainty = [(String::new(), LOCK_BYTES), ("-shm".to_owned(), WAL_WRITER)]
            .into_iter()
            .find_map(|(suffix, bytes)| lock.is_on(&file.beside(&suffix), &bytes));
        found.extend(certainty.map(|certainty| holder(lock.pid, certainty)));
    }
    found
}

/// One line of the table.
struct Lock<'a> {
    kind: &'a str,
    pid: i64,
    major: u64,
    minor: u64,
    inode: u64,
    start: u64,
    end: u64,
}

impl<'a> Lock<'a> {
    /// Reads `1: POSIX  ADVISORY  WRITE 4711 fd:01:131090 1073741825 1073741825`; `None` for any other line, and for
    /// a process that only waits.
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? == "->" {
            return None;
        }
        let (kind, pid, place) = (words.nth(1)?, words.next()?, words.next()?);
        let mut place = place.split(':');
        let mut hexadecimal = || u64::from_str_radix(place.next()?, 16).ok();
        let (major, minor) = (hexadecimal()?, hexadecimal()?);
        let end = |word: &str| {
            if word == "EOF" {
                Some(u64::MAX)
            } else {
                word.parse().ok()
            }
        };
        Some(Self {
            kind,
            pid: pid.parse().ok()?,
            major,
            minor,
            inode: place.next()?.parse().ok()?,
            start: words.next()?.parse().ok()?,
            end: end(words.next()?)?,
        })
    }

    /// Returns how certain it is that the lock is on one of these bytes of a file; `None` if it is not. Some file
    /// systems show their files under another device than the table does.
    fn is_on(&self, path: &Path, bytes: &std::ops::Range<u64>) -> Option<Certainty> {
        let file = fs::symlink_metadata(path).ok()?;
        if file.ino() != self.inode || self.start >= bytes.end || self.end < bytes.start {
            return None;
        }
        // The numbers of a device as Linux keeps them in `st_dev` (`makedev(3)`).
        let (major, minor) = (
            (file.dev() >> 8) & 0xfff,
            (file.dev() & 0xff) | ((file.dev() >> 12) & 0xfff_ff00),
        );
        Some(if (major, minor) == (self.major, self.minor) {
            Certainty::Holds
        } else {
            Certainty::MayHold
        })
    }
}

/// Describes a process. A process that holds a lock is alive: the system takes the locks of a dead one away.
fn holder(pid: i64, certainty: Certainty) -> Holder {
    let about = |what: &str| read(&format!("/proc/{pid}/{what}"));
    let name = clean(about("comm").trim());
    Holder {
        certainty,
        pid,
        application: if name.is_empty() {
            "a process that cannot be seen from here".to_owned()
        } else {
            name
        },
        user: fs::metadata(format!("/proc/{pid}"))
            .map_or_else(|_| String::new(), |process| process.uid().to_string()),
        from: fs::read_link(format!("/proc/{pid}/exe"))
            .map_or_else(|_| String::new(), |program| clean(&program.to_string_lossy())),
        state: state(&about("stat")).to_owned(),
        since: started(&about("stat"), &read("/proc/stat")).unwrap_or_default(),
        // Its arguments may hold secrets.
        statement: String::new(),
        hidden: None,
    }
}

/// Returns what a process does, from its `stat`; empty if it cannot be read (`proc_pid_stat(5)`).
fn state(process: &str) -> &'static str {
    let letter = process
        .rsplit_once(')')
        .and_then(|(_, words)| words.trim_start().chars().next());
    match letter {
        Some('R') => "running",
        Some('S' | 'I') => "sleeping",
        Some('D') => "waits for the disk",
        Some('T' | 't') => "stopped",
        Some('Z' | 'X' | 'x') => "dead",
        _ => "",
    }
}

/// Returns when a process began, from its `stat` and the system's; `None` if they cannot be read.
fn started(process: &str, system: &str) -> Option<String> {
    // The name stands in parentheses and may hold anything; `starttime` is the 20th word behind it.
    let (_, words) = process.rsplit_once(')')?;
    let ticks: i64 = words.split_whitespace().nth(19)?.parse().ok()?;
    let booted = system.lines().find_map(|line| line.strip_prefix("btime "))?;
    let seconds = booted.trim().parse::<i64>().ok()? + ticks / TICKS;
    let memory = Connection::open_in_memory().ok()?;
    let question = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ?1, 'unixepoch')";
    memory.query_row(question, [seconds], |row| row.get(0)).ok()
}

/// Reads a file of the system's; empty if it is not there.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_lock_unless_somebody_only_waits() {
        let lock = Lock::read("1: POSIX  ADVISORY  WRITE 4711 fd:01:131090 1073741825 1073741825").unwrap();
        assert_eq!((lock.kind, lock.pid), ("WRITE", 4711));
        assert_eq!((lock.major, lock.minor, lock.inode), (253, 1, 131_090));
        assert_eq!((lock.start, lock.end), (0x4000_0001, 0x4000_0001));
        let open = Lock::read("2: POSIX  ADVISORY  READ 1 00:1a:7 0 EOF").unwrap();
        assert_eq!(open.end, u64::MAX);
        for line in [
            "",
            "1: -> POSIX  ADVISORY  WRITE 2 fd:01:3 0 EOF",
            "1: FLOCK",
            "x y z",
        ] {
            assert!(Lock::read(line).is_none(), "{line}");
        }
    }

    #[test]
    fn what_a_process_does_stands_behind_its_name() {
        for (stat, says) in [
            ("7 (a) S) T 1 7", "stopped"),
            ("7 (a) R 1 7", "running"),
            ("7 (a) S 1", "sleeping"),
            ("", ""),
        ] {
            assert_eq!(state(stat), says);
        }
    }

    #[test]
    fn a_process_began_after_the_system() {
        let process = "7 (a) name) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 250 0 0";
        let at = started(process, "cpu 1 2\nbtime 1700000000\n");
        assert_eq!(at.as_deref(), Some("2023-11-14T22:13:22Z"));
        assert_eq!(started("", "btime 1"), None);
    }
}
