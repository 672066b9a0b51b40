//! Signals: the first one lets running targets finish, the second cancels them, the third gives up.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tenantry::run::{Control, Stop};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::exit::Exit;

/// What the person at the terminal is told about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing new starts; running targets finish.
    Draining,
    /// The same after SIGTERM or SIGHUP, for so long.
    Closing(Duration),
    /// Running statements are cancelled on their servers.
    Cancelling,
}

/// Which signal came first: it decides the exit code of a run that ended early.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<OnceLock<Exit>>);

impl Asked {
    /// Returns the exit code of the first signal; `None` if none came.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.0.get().copied()
    }
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Interrupt,
    Terminate,
    GraceOver,
}

/// Listens for SIGINT, SIGTERM and SIGHUP.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where whoever started us wants it ignored, as `nohup` does.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Begins to listen; from now on these signals do not end the process.
    ///
    /// # Errors
    /// The system's, if it lets us not listen.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: if is_ignored(SignalKind::hangup()) {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    /// Stops a run as signals come. Ends only when the caller must leave at once.
    pub(crate) async fn stop(
        mut self,
        control: Control,
        asked: Asked,
        grace: Duration,
        notices: UnboundedSender<Notice>,
    ) -> Exit {
        let mut deadline = None;
        loop {
            let came = self.next(deadline).await;
            let exit = asked.0.get_or_init(|| match came {
                Came::Interrupt => Exit::Interrupted,
                Came::Terminate | Came::GraceOver => Exit::Terminated,
            });
            let Some((stop, notice)) = escalate(control.requested(), came, grace) else {
                return *exit;
            };
            control.stop(stop);
            deadline = match notice {
                Notice::Closing(grace) => Some(tokio::time::Instant::now() + grace),
                Notice::Draining | Notice::Cancelling => None,
            };
            // Where the view is gone there is nobody to tell, but the run must still stop.
            let _told = notices.send(notice).is_ok();
        }
    }

    async fn next(&mut self, deadline: Option<tokio::time::Instant>) -> Came {
        let over = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let hung_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Came::Interrupt,
            _ = self.terminate.recv() => Came::Terminate,
            _ = hung_up => Came::Terminate,
            () = over => Came::GraceOver,
        }
    }
}

/// Returns whether a signal is ignored by this process, which it inherits from whoever started it. `false` where
/// the system has no `/proc` to tell.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_in_mask(&status, kind)
}

/// Reads the mask of ignored signals: bit 0 is signal 1 (proc(5), "/proc/pid/status").
fn is_in_mask(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(kind.as_raw_value() - 1).ok();
    let shifted = mask.zip(bit).and_then(|(mask, bit)| mask.checked_shr(bit));
    shifted.is_some_and(|mask| mask & 1 == 1)
}

/// Returns the next step after how far the run was asked to stop; `None` to leave at once.
fn escalate(present: Stop, came: Came, grace: Duration) -> Option<(Stop, Notice)> {
    match (present, came) {
        (Stop::No, Came::Interrupt) => Some((Stop::Drain, Notice::Draining)),
        (Stop::No, Came::Terminate) => Some((Stop::Drain, Notice::Closing(grace))),
        (Stop::No | Stop::Drain, _) => Some((Stop::Cancel, Notice::Cancelling)),
        (Stop::Cancel, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a signal to this very process, which listens.
    fn send(signal: &str) {
        let pid = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }

    #[tokio::test]
    async fn a_third_signal_leaves_at_once_with_the_code_of_the_first() {
        let (control, asked) = (Control::default(), Asked::default());
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let signals = Signals::listen().unwrap();
        let grace = Duration::from_hours(1);
        let stop = signals.stop(control.clone(), asked.clone(), grace, sender);
        let person = async {
            send("-TERM");
            control.reached(Stop::Drain).await;
            assert_eq!(told.recv().await, Some(Notice::Closing(grace)));
            send("-INT");
            control.reached(Stop::Cancel).await;
            assert_eq!(told.recv().await, Some(Notice::Cancelling));
            send("-INT");
        };
        let (exit, ()) = tokio::join!(stop, person);
        assert_eq!(exit, Exit::Terminated);
        assert_eq!(asked.exit(), Some(Exit::Terminated));
    }

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\ttenantry\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert!(is_in_mask(status, SignalKind::hangup()));
        assert!(is_in_mask(status, SignalKind::pipe()));
        assert!(!is_in_mask(status, SignalKind::interrupt()));
        assert!(!is_in_mask("", SignalKind::hangup()));
    }

    #[test]
    fn each_signal_goes_one_step_further() {
        let grace = Duration::from_secs(30);
        let step = |present, came| escalate(present, came, grace).map(|(stop, _)| stop);
        assert_eq!(step(Stop::No, Came::Interrupt), Some(Stop::Drain));
        assert_eq!(step(Stop::Drain, Came::Interrupt), Some(Stop::Cancel));
        assert_eq!(step(Stop::Cancel, Came::Interrupt), None);
        assert_eq!(step(Stop::No, Came::Terminate), Some(Stop::Drain));
        assert_eq!(step(Stop::Drain, Came::GraceOver), Some(Stop::Cancel));
        let closing = escalate(Stop::No, Came::Terminate, grace).map(|(_, notice)| notice);
        assert_eq!(closing, Some(Notice::Closing(grace)));
    }
}
