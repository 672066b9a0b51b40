//! Exactly once, under fire: what can die or get in the way does so again and again, and every effect must be
//! there once, with nobody's help.
//!
//! Every test run does a share of it, `cargo xtask torture` the whole.

mod abandoned;
mod cuts;
mod deployers;
mod disk;
mod frozen;
mod ground;
mod invariants;
mod observer;
mod proxy;
mod queue;
mod row;
mod servers;
mod sessions;
mod taken_up;
#[expect(dead_code, reason = "the tests of faults need more of it")]
mod track;
