//! Keeps a run for the process that drives it: what `fleet/keeper.rs` does.

use std::time::Duration;

use super::event::{Event, Line, Micros, Note, Pid, Reply, Request, S};
use super::store::Refused;
use super::world::World;
use super::{Asked, Defect, End, Input, Said, Stop, Wanted};

const RENEW: Duration = Duration::from_secs(10);
const LISTEN: Micros = S;

/// What a keeper knows.
#[derive(Debug)]
pub(super) struct Keeper {
    renewed: Duration,
    is_away: bool,
    is_due: bool,
    asked: Duration,
    heard: Option<Wanted>,
}

impl Keeper {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            renewed: now,
            is_away: false,
            is_due: false,
            asked: now,
            heard: None,
        }
    }
}

impl World {
    pub(super) fn keep_later(&mut self, pid: Pid) {
        let after = self.processes[pid].real(LISTEN);
        self.at(self.now + after, Event::Process(pid, Note::Keep));
    }

    /// Renews the lease if it is time, or only asks what others want.
    pub(super) fn keep(&mut self, pid: Pid) {
        let clock = self.processes[pid].clock(self.now);
        let Some(driving) = self.driving(pid) else { return };
        let keeper = &mut driving.keeper;
        keeper.asked = clock;
        keeper.is_due = keeper.is_away || clock.saturating_sub(keeper.renewed) >= RENEW;
        let request = if keeper.is_due {
            Request::Renew(driving.run, driving.epoch)
        } else {
            Request::Wishes(driving.run, driving.epoch)
        };
        self.ask(pid, Line::Keeper, request);
    }

    /// The registry has answered, or not.
    pub(super) fn on_kept(&mut self, pid: Pid, reply: &Reply) {
        let clock = self.processes[pid].clock(self.now);
        let obeys = self.settings.defect != Some(Defect::FenceIgnored);
        let Some(driving) = self.driving(pid) else { return };
        let keeper = &mut driving.keeper;
        match reply {
            Reply::Heard(Ok(wanted)) => {
                let wanted = *wanted;
                keeper.is_away = false;
                let is_new = keeper.heard != wanted;
                keeper.heard = wanted;
                if keeper.is_due {
                    keeper.renewed = keeper.asked;
                    let ago = clock.saturating_sub(keeper.asked);
                    self.say(pid, Said::Ours { ago });
                }
                if is_new {
                    self.obey(pid, wanted);
                }
            }
            Reply::Heard(Err(Refused::By(_))) if obeys => {
                return self.say(pid, Said::TakenOver);
            }
            Reply::Heard(Err(_)) | Reply::Away => {
                keeper.is_away = true;
                self.say(pid, Said::Away);
            }
            Reply::Begun(_) | Reply::Claimed(_) | Reply::Rest(_) | Reply::Driven(_) | Reply::Written(_) => {}
        }
        self.keep_later(pid);
    }

    fn obey(&mut self, pid: Pid, wanted: Option<Wanted>) {
        match wanted {
            None => {}
            Some(Wanted::Promote) => self.feed(pid, Input::Ask(Asked::Promote)),
            Some(Wanted::Pause) => self.control(pid, Stop::Drain, End::Paused),
            Some(Wanted::Cancel) => self.control(pid, Stop::Drain, End::Cancelled),
            Some(Wanted::CancelNow) => self.control(pid, Stop::Cancel, End::Cancelled),
        }
    }
}
