//! The direction of a change: forwards or backwards.

use std::fmt;

/// Whether migrations are applied or reverted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Forwards: apply.
    #[default]
    Up,
    /// Backwards: revert.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}
