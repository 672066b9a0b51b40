//! Keeps a run for the process that drives it, and hears what others ask of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

use super::REGISTRY_TIMEOUT;
use super::patience::within;
use crate::registry::{Registry, RegistryError};
use crate::run::{Control, RunEvent, Stop, Wanted, Word};

/// How often the lease is renewed: three times before it ends.
const RENEW: Duration = Duration::from_secs(10);
/// How often the registry is asked what others want, and asked again after it did not answer.
const LISTEN: Duration = Duration::from_secs(1);

/// What a driver hears of its run.
pub(super) struct Keeper {
    pub(super) registry: Registry,
    pub(super) run_id: String,
    pub(super) epoch: i64,
    pub(super) control: Control,
    pub(super) said: UnboundedSender<Word>,
    /// Set where a write failed: the lease is renewed at once, which shows whether the registry is there.
    pub(super) doubt: Arc<AtomicBool>,
    pub(super) events: UnboundedSender<RunEvent>,
}

impl Keeper {
    /// Renews the lease and passes wishes on, until the run is somebody else's. Uses connections of its own, so that a
    /// slow write of outcomes does not cost the lease.
    ///
    /// `asked` is when the run was asked for; until it is renewed that counts.
    pub(super) async fn keep(self, asked: Instant) {
        let mut renewed = asked;
        let mut is_away = false;
        let mut heard = None;
        loop {
            sleep(LISTEN).await;
            let is_doubted = self.doubt.swap(false, Ordering::Relaxed);
            let is_due = is_away || is_doubted || renewed.elapsed() >= RENEW;
            let asked = Instant::now();
            let answer = within(REGISTRY_TIMEOUT, self.registry.endpoint(), async {
                let wishes = if is_due {
                    None
                } else {
                    Some(self.registry.wishes_of(&self.run_id, self.epoch).await?)
                };
                match wishes {
                    // Heard of by a renewal, it is not heard of again.
                    None | Some(Some(Wanted::Promote)) => {
                        self.registry.renew_run(&self.run_id, self.epoch).await
                    }
                    Some(wanted) => Ok(wanted),
                }
            })
            .await;
            match answer {
                Ok(wanted) => {
                    if is_due {
                        renewed = asked;
                        self.say(Word::Ours { asked });
                    }
                    if std::mem::take(&mut is_away) {
                        self.tell(RunEvent::RegistryBack);
                    }
                    if wanted != heard || wanted == Some(Wanted::Promote) {
                        heard = wanted;
                        self.obey(wanted);
                    }
                }
                Err(RegistryError::TakenOver { .. }) => return self.say(Word::TakenOver),
                Err(error) => {
                    self.say(Word::Away);
                    if !std::mem::replace(&mut is_away, true) {
                        let reason = error.to_string();
                        self.tell(RunEvent::RegistryAway { reason });
                    }
                }
            }
        }
    }

    fn obey(&self, wanted: Option<Wanted>) {
        match wanted {
            None => {}
            Some(Wanted::Promote) => self.control.promote(),
            Some(Wanted::Pause) => self.control.pause(),
            Some(Wanted::Cancel) => self.control.give_up(Stop::Drain),
            Some(Wanted::CancelNow) => self.control.give_up(Stop::Cancel),
        }
    }

    fn say(&self, said: Word) {
        // A run that has ended hears nothing more.
        let _heard = self.said.send(said).is_ok();
    }

    fn tell(&self, event: RunEvent) {
        drop(self.events.send(event));
    }
}
