//! The signals that end a task: noticed here, acted on by whoever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// Knows whether SIGINT, SIGTERM or SIGHUP has arrived.
///
/// Handlers and not a signal mask: a mask would be inherited by every command we start.
#[derive(Debug)]
pub(crate) struct Signals {
    last: Arc<AtomicI32>,
}

impl Signals {
    /// Starts noticing; from here on these signals no longer end this process by themselves.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let last = Arc::new(AtomicI32::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate, mut hangup) = {
            let _entered = runtime.enter();
            let listen = |kind| signal(kind).context("cannot listen for signals");
            (
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
                listen(SignalKind::hangup())?,
            )
        };
        let noticed = Arc::clone(&last);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let arrived = tokio::select! {
                        _ = interrupt.recv() => Signal::SIGINT,
                        _ = terminate.recv() => Signal::SIGTERM,
                        _ = hangup.recv() => Signal::SIGHUP,
                    };
                    noticed.store(arrived as i32, Ordering::SeqCst);
                }
            });
        });
        Ok(Self { last })
    }

    /// Returns the signal that arrived last; `None` when there was none.
    pub(crate) fn arrived(&self) -> Option<Signal> {
        Signal::try_from(self.last.load(Ordering::SeqCst)).ok()
    }

    /// Forgets what has arrived; for a signal that was meant for somebody else.
    pub(crate) fn forget(&self) {
        self.last.store(0, Ordering::SeqCst);
    }
}
