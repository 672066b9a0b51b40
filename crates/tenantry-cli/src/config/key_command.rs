//! The command that prints the keys: the door to a key service. No shell, no environment, and little patience.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at once it has said everything.
const LOOK: Duration = Duration::from_millis(5);

/// How much it may print, in bytes.
const OUTPUT_MAX: usize = 4 * 1024;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyCommand {
    program: PathBuf,
    arguments: Vec<String>,
}

impl KeyCommand {
    /// Takes the words of a command.
    ///
    /// # Errors
    /// Why it cannot be one: there is no word, or the program is looked for somewhere.
    pub(super) fn new(words: Vec<String>) -> Result<Self, &'static str> {
        let mut words = words.into_iter();
        let program = PathBuf::from(words.next().unwrap_or_default());
        if !program.is_absolute() {
            return Err("its first word must be the absolute path of a program");
        }
        Ok(Self {
            program,
            arguments: words.collect(),
        })
    }

    /// Returns the program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Carries it out and returns what it printed. What it writes to stderr goes nowhere: it may be a key.
    ///
    /// # Errors
    /// TN-1012 if it does not end well within [`PATIENCE`], or prints more than [`OUTPUT_MAX`].
    pub(super) fn output(&self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| self.failed("cannot be started").fact("cause", error.to_string()))?;
        let answer = self.answer_of(&mut child);
        if answer.is_err() {
            end(&mut child);
        }
        answer
    }

    fn answer_of(&self, child: &mut Child) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let until = Instant::now() + PATIENCE;
        let too_slow = || self.failed(&format!("did not end within {} s", PATIENCE.as_secs()));
        let printed = match read_beside(child).recv_timeout(PATIENCE) {
            Ok(printed) => printed,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(too_slow()),
        };
        let unread = |error: io::Error| self.failed("could not be read").fact("cause", error.to_string());
        let printed = printed.map_err(unread)?;
        if printed.len() > OUTPUT_MAX {
            return Err(self.failed(&format!("printed more than {OUTPUT_MAX} bytes")));
        }
        match ended(child, until).map_err(unread)? {
            Some(status) if status.success() => Ok(printed),
            Some(status) => Err(self.failed(&format!("ended with {status}"))),
            None => Err(too_slow()),
        }
    }

    fn failed(&self, why: &str) -> CommandError {
        let title = format!("the key's command {} {why}", self.program.display());
        CommandError::new(Exit::Configuration, title)
            .code(Code(1012))
            .fact("state", "nothing ran")
            .help(format!(
                "give it by hand, with its words and no environment:  env -i {}",
                self.program.display()
            ))
    }
}

/// Ends a child and whatever it has started; it may have ended already.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        kill_process_group(group, Signal::KILL).ok();
    }
    drop(child.wait());
}

/// Reads what a child prints, a byte more than is allowed, on a thread of its own: a child that hangs must not hang us.
fn read_beside(child: &mut Child) -> Receiver<io::Result<Zeroizing<Vec<u8>>>> {
    let (answer, answered) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::spawn(move || {
        // Room for everything at once: a growing buffer would leave copies behind that nobody wipes.
        let mut printed = Zeroizing::new(Vec::with_capacity(2 * OUTPUT_MAX));
        let limit = u64::try_from(OUTPUT_MAX).unwrap_or(0) + 1;
        let read = stdout.map_or(Ok(0), |stdout| stdout.take(limit).read_to_end(&mut printed));
        // Nobody listens any more if it took too long.
        drop(answer.send(read.map(|_| printed)));
    });
    answered
}

/// Waits for a child that has closed its output; `None` if it does not end.
fn ended(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}
