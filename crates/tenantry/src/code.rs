//! Error codes: the stable `TN-nnnn` numbers that scripts, documentation and support rely on.

use std::fmt;

/// A stable error code; 1xxx set-up, 2xxx SQL, 3xxx files and history, 4xxx runs, 5xxx servers,
/// 6xxx registry and provisioning, 7xxx access.
///
/// Every code has a page `docs/errors/TN-nnnn.md`, which `tenantry explain` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// Returns whether the code says that a file or a history must not run, the 3xxx block, or that a declaration
    /// does not fit a history.
    pub fn is_refusal(self) -> bool {
        self.0 / 1000 == 3 || matches!(self.0, 4011 | 4012)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TN-{:04}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn a_code_is_shown_with_its_prefix_and_four_digits() {
        assert_eq!(Code(3001).to_string(), "TN-3001");
        assert!(Code(3001).is_refusal());
        assert!(Code(4011).is_refusal());
        assert!(!Code(2001).is_refusal());
    }
}
