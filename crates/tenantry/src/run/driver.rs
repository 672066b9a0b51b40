//! The process that drives a run, told apart from every other one, also after its death.

use std::fs;
use std::path::Path;

use uuid::Uuid;

use super::lease::Sign;

/// What separates the parts; no part contains it.
const SEPARATOR: char = ' ';

/// A process that drives runs.
///
/// Its text has five parts: host, process id, boot of the machine, process namespace, start of the process. With them
/// whoever runs on the same machine knows at once that a driver is dead, and need not wait for the end of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver(String);

impl Default for Driver {
    fn default() -> Self {
        Self::this()
    }
}

impl Driver {
    /// Describes this process. Where the system does not tell what it is asked, the text is one that nobody can check:
    /// then only the lease counts.
    pub fn this() -> Self {
        let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".to_owned());
        let parts = this_process().unwrap_or_else(|| {
            let unique = Uuid::now_v7().simple().to_string();
            ["0", "-", "-", unique.as_str()].map(str::to_owned)
        });
        let all: Vec<String> = std::iter::once(host)
            .chain(parts)
            .map(|part| part.replace(SEPARATOR, "_"))
            .collect();
        Self(all.join(&SEPARATOR.to_string()))
    }

    /// Returns the text that the registry keeps.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what is known of another driver's process; only of one on this machine, in the same namespace.
    pub fn sign_of(&self, other: &str) -> Sign {
        let (ours, theirs) = (parts(&self.0), parts(other));
        let (Some([_, _, boot, space, _]), Some([_, pid, their_boot, their_space, start])) = (ours, theirs)
        else {
            return Sign::Unknown;
        };
        if boot == "-" || boot != their_boot || space != their_space {
            return Sign::Unknown;
        }
        match start_of(pid) {
            Some(present) if present == start => Sign::Unknown,
            Some(_) | None => Sign::Gone,
        }
    }

    /// Returns a driver's text as people read it: `runner-7 (pid 412)`.
    pub fn for_people(text: &str) -> String {
        match parts(text) {
            Some([host, pid, ..]) if pid != "0" => format!("{host} (pid {pid})"),
            Some([host, ..]) => host.to_owned(),
            None => text.to_owned(),
        }
    }
}

fn parts(text: &str) -> Option<[&str; 5]> {
    text.split(SEPARATOR).collect::<Vec<_>>().try_into().ok()
}

/// Returns process id, boot, namespace and start of this process; `None` where the system does not tell (proc(5)).
fn this_process() -> Option<[String; 4]> {
    let pid = fs::read_link("/proc/self").ok()?.to_string_lossy().into_owned();
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let space = fs::read_link("/proc/self/ns/pid")
        .ok()?
        .to_string_lossy()
        .into_owned();
    let start = start_of(&pid)?;
    Some([pid, boot, space, start])
}

/// Returns when a process started, in ticks since boot: field 22 of its `stat` (proc(5)). `None` if there is none, or if it
/// is dead and only waits to be collected.
fn start_of(pid: &str) -> Option<String> {
    if !pid.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let told = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
    // The name of the program stands in parentheses and may contain anything.
    let (_, behind) = told.rsplit_once(") ")?;
    let mut fields = behind.split(' ');
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X" | "x")).then(|| start.to_owned())
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_not_gone_and_one_that_never_was_is() {
        let this = Driver::this();
        assert_eq!(this.sign_of(this.as_str()), Sign::Unknown);
        let Some([host, pid, boot, space, start]) = parts(this.as_str()) else {
            panic!("{this:?}");
        };
        if boot == "-" {
            return;
        }
        let with = |pid: &str, boot: &str, start: &str| format!("{host} {pid} {boot} {space} {start}");
        assert_eq!(this.sign_of(&with("4194305", boot, start)), Sign::Gone);
        assert_eq!(
            this.sign_of(&with(pid, boot, "1")),
            Sign::Gone,
            "another one had the number"
        );
        assert_eq!(this.sign_of(&with("4194305", "another", start)), Sign::Unknown);
        assert_eq!(Driver::for_people(this.as_str()), format!("{host} (pid {pid})"));
    }

    #[test]
    fn a_text_of_another_form_tells_nothing() {
        let this = Driver::this();
        for text in ["", "a b", "host ../1 - - 5", "h 1 - - u"] {
            assert_eq!(this.sign_of(text), Sign::Unknown, "{text:?}");
        }
    }
}
