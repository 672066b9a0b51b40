//! What happens in the simulated world, and what its parts say to each other.

use super::store::{Begun, Claimed, Driven, Ending, Refused, Row, RunKey, TargetKey, Wish};
use super::{JobIndex, Stage, Wanted};

/// Simulated time, in microseconds.
pub(super) type Micros = u64;
/// A process that drives runs; none is used twice.
pub(super) type Pid = usize;
/// A session at a database; none is used twice.
pub(super) type SessionKey = usize;

pub(super) const MS: Micros = 1_000;
pub(super) const S: Micros = 1_000_000;

/// Something that happens at a moment.
#[derive(Debug)]
pub(super) enum Event {
    /// A process starts.
    Launch(Errand),
    /// A request comes to the registry.
    Request(Ticket, Box<Request>),
    /// Something comes to a process, or becomes due in it.
    Process(Pid, Note),
    /// A message comes to a database.
    Message(Call, Message),
    /// A statement ends at its server.
    Executed(Call, u8),
    /// The client of a session has gone, and the server notices.
    Closed(SessionKey),
    /// A server looks whether a session is silent.
    Idle(SessionKey),
    /// Something goes wrong, or well again.
    Fault(Fault),
}

/// What a process wants to do.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) plan: &'static str,
    /// The targets, in order.
    pub(super) targets: Vec<TargetKey>,
    /// The run to go on with; `None` begins one.
    pub(super) take_up: Option<RunKey>,
    pub(super) when_held: WhenHeld,
    pub(super) rollout: usize,
}

/// What becomes of a run whose targets another one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenHeld {
    Refuse,
    Wait,
}

/// A question of a process to the registry, told apart from its earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) pid: Pid,
    pub(super) line: Line,
    pub(super) number: u64,
}

/// Which part of a process asks; each waits for its answer before it asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Errand,
    Keeper,
    Recorder,
}

/// What the registry is asked.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Begin(Wish),
    Claim(RunKey),
    Rest(RunKey),
    Renew(RunKey, i64),
    Wishes(RunKey, i64),
    Driven(RunKey),
    Record(RunKey, i64, Option<Stage>, Vec<Row>),
    Finish(RunKey, i64, Ending, Vec<Row>),
}

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Begun(Begun),
    Claimed(Result<Claimed, Refused>),
    Rest(Option<(Stage, Vec<Row>)>),
    Heard(Result<Option<Wanted>, Refused>),
    Driven(Result<Driven, Refused>),
    Written(Result<(), Refused>),
    /// It does not.
    Away,
}

/// What comes to a process.
#[derive(Debug)]
pub(super) enum Note {
    /// The registry answers.
    Reply(Ticket, Box<Reply>),
    /// A database answers.
    Result(JobIndex, u64, Answer),
    /// A target's pause is over.
    Again(JobIndex, u64),
    /// The machine wants to look.
    Wake(u64),
    /// The keeper asks again.
    Keep,
    /// The recorder writes.
    Write(u64),
    /// The errand goes on.
    GoOn,
}

/// A message's way: from which work on which target, to which database, in which session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) pid: Pid,
    pub(super) job: JobIndex,
    pub(super) number: u64,
    pub(super) target: TargetKey,
    pub(super) session: SessionKey,
}

/// What a database is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message {
    /// Connect, take the lock, claim, read the history.
    Open,
    /// Run a version and its history row, in one transaction.
    Whole { version: u8, epoch: u64 },
    /// Say that a version's statement comes next.
    Intent { epoch: u64 },
    /// Run a version's statement.
    Statement { version: u8 },
    /// Say that it is done.
    Record { version: u8, epoch: u64 },
}

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Opened {
        epoch: u64,
        look: Look,
    },
    /// Somebody else has the lock.
    Locked,
    Done,
    /// The statement failed.
    Failed,
    /// A newer claim is there.
    Fenced,
    Crowded,
    Unreachable,
    LoginRefused,
    /// The session is gone, or nobody knows what became of it.
    Lost,
}

/// What a history says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// How many versions are applied.
    pub(super) applied: u8,
    /// Whether the next one has an intent.
    pub(super) has_intent: bool,
    /// Whether its effect is there.
    pub(super) has_effect: bool,
}

/// What goes wrong, or well again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// A process dies.
    Crash,
    /// A process stops, and goes on after so long.
    Freeze(Micros),
    /// A machine sleeps, its clock too.
    Suspend(Micros),
    /// The registry does not answer for so long.
    RegistryAway(Micros),
    /// A process does not reach the registry for so long.
    CutFromRegistry(Micros),
    /// A process does not reach a server for so long.
    CutFromServer(Micros),
    /// A server dies, and is there again after so long.
    ServerDown(Micros),
    /// A server has no connection to spare for so long.
    Crowd(Micros),
    /// The registry is copied.
    Copy,
    /// The registry becomes what the copy was.
    Restore,
    /// Somebody asks for something.
    Ask(Wanted),
    /// Everything works again, and somebody runs the newest plan over everything.
    Heal,
    /// Somebody looks whether anybody is left, and if not begins again.
    Look,
}
