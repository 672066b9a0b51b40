//! Keys while a run goes on at a terminal: each is a wish. What the terminal was is put back on every way out.
//!
//! Only canonical mode and echo are off, so that Ctrl-C stays a signal. The terminal is touched and read only while this
//! process is in the foreground: a job in the background that does either is stopped by the system (termios(3), "SIGTTIN").

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal as Fatal, getpgrp, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::args::Globals;

/// How long a key is waited for before it is looked whether anybody still wants one.
const LOOK: Duration = Duration::from_millis(100);

/// What somebody wants of a run that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To see everything that runs.
    Running,
    /// To see what has failed.
    Failures,
    /// That nothing new starts.
    Pause,
    /// One more target at once.
    Faster,
    /// One less.
    Slower,
    /// To leave a run that another process drives.
    Detach,
    /// To see the keys.
    Keys,
}

impl Wish {
    /// Reads a key; `None` for one that means nothing.
    fn of(key: u8) -> Option<Self> {
        match key {
            b't' => Some(Self::Running),
            b'f' => Some(Self::Failures),
            b'p' => Some(Self::Pause),
            b'+' | b'=' => Some(Self::Faster),
            b'-' => Some(Self::Slower),
            b'd' => Some(Self::Detach),
            b'?' | b'h' => Some(Self::Keys),
            _ => None,
        }
    }
}

/// Returns whether keys can be listened to: somebody sits at both ends, and did not say that nobody does.
pub(crate) fn can_listen(globals: &Globals) -> bool {
    !globals.no_input && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Keys, and SIGUSR1, which is the wish to see everything that runs.
    ToKeys,
    /// SIGUSR1 alone.
    ToSignals,
}

/// Listens to wishes until it is dropped.
#[derive(Debug)]
pub(crate) struct Keys {
    terminal: Arc<Terminal>,
    thread: Option<JoinHandle<()>>,
    _signals: JoinSet<()>,
}

impl Keys {
    /// Begins to listen.
    pub(crate) fn listen(to: Listen, wishes: UnboundedSender<Wish>) -> Self {
        let terminal = Arc::new(Terminal::default());
        let mut signals = JoinSet::new();
        // Where the system refuses, a signal keeps its own meaning.
        if let Ok(asked) = signal(SignalKind::user_defined1()) {
            signals.spawn(hear(asked, wishes.clone()));
        }
        let thread = match to {
            Listen::ToSignals => None,
            Listen::ToKeys => {
                if let Ok(quit) = signal(SignalKind::quit()) {
                    signals.spawn(restore_on(quit, Arc::clone(&terminal)));
                }
                let listened = Arc::clone(&terminal);
                let listen = move || listened.listen(&wishes);
                thread::Builder::new().name("keys".to_owned()).spawn(listen).ok()
            }
        };
        Self {
            terminal,
            thread,
            _signals: signals,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.terminal.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked listens no more either.
            drop(thread.join());
        }
        self.terminal.restore();
    }
}

async fn hear(mut asked: Signal, wishes: UnboundedSender<Wish>) {
    while asked.recv().await.is_some() && wishes.send(Wish::Running).is_ok() {}
}

/// Puts the terminal back before SIGQUIT does what it does.
async fn restore_on(mut quit: Signal, terminal: Arc<Terminal>) {
    if quit.recv().await.is_some() {
        terminal.is_over.store(true, Ordering::Relaxed);
        terminal.restore();
        let _sent = kill_process(getpid(), Fatal::ABORT).is_ok();
    }
}

/// The terminal behind stdin.
#[derive(Debug, Default)]
struct Terminal {
    /// What it was before it was changed; `None` while it is as it was.
    before: Mutex<Option<Termios>>,
    is_over: AtomicBool,
}

impl Terminal {
    fn listen(&self, wishes: &UnboundedSender<Wish>) {
        let mut keys = [0; 64];
        while !self.is_over.load(Ordering::Relaxed) {
            if !in_foreground() {
                thread::sleep(LOOK);
                continue;
            }
            self.listen_by_key();
            if !has_keys() || !in_foreground() {
                continue;
            }
            match rustix::io::read(io::stdin(), &mut keys) {
                Ok(count @ 1..) => {
                    for wish in keys.iter().take(count).filter_map(|key| Wish::of(*key)) {
                        if wishes.send(wish).is_err() {
                            return;
                        }
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                // The terminal is gone.
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Turns canonical mode and echo off, also where a shell has turned them on again after a stop.
    fn listen_by_key(&self) {
        let Ok(present) = tcgetattr(io::stdin()) else {
            return;
        };
        let by_line = LocalModes::ICANON | LocalModes::ECHO;
        if !present.local_modes.intersects(by_line) {
            return;
        }
        let mut changed = present.clone();
        changed.local_modes.remove(by_line);
        let mut before = self.before();
        if tcsetattr(io::stdin(), OptionalActions::Now, &changed).is_ok() {
            *before = Some(present);
        }
    }

    fn restore(&self) {
        let before = self.before().take();
        // In the background it is somebody else's terminal, who has set it as they need it.
        if let Some(before) = before.filter(|_| in_foreground()) {
            let _restored = tcsetattr(io::stdin(), OptionalActions::Now, &before).is_ok();
        }
    }

    fn before(&self) -> MutexGuard<'_, Option<Termios>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Waits a moment for keys.
fn has_keys() -> bool {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
    let moment = Timespec::try_from(LOOK).ok();
    poll(&mut polled, moment.as_ref()).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_one_wish_and_others_are_none() {
        let wishes: Vec<Wish> = b"tfp+-d? x\x1b".iter().filter_map(|key| Wish::of(*key)).collect();
        assert_eq!(
            wishes,
            [
                Wish::Running,
                Wish::Failures,
                Wish::Pause,
                Wish::Faster,
                Wish::Slower,
                Wish::Detach,
                Wish::Keys
            ]
        );
    }

    #[test]
    fn nobody_is_listened_to_who_said_so() {
        let globals = Globals {
            no_input: true,
            ..Globals::default()
        };
        assert!(!can_listen(&globals));
    }
}
