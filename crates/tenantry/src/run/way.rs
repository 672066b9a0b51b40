//! Which endpoint of a server a unit's session is opened at, where a pooler stands in front of it.

use crate::engine::Address;
use crate::migration::{Migration, Script};
use crate::plan::Step;

/// The endpoint that a session is opened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The one that the address names.
    Given,
    /// The server's own beside it.
    Direct,
}

impl Way {
    /// Returns the way of a unit: a step outside a transaction needs the server itself.
    pub(super) fn of(address: &Address, unit: &[Step]) -> Self {
        Self::of_scripts(address, unit.iter().map(Step::script))
    }

    /// Returns the way on which a half-way migration is looked at, whichever direction it went.
    pub(super) fn of_migration(address: &Address, migration: &Migration) -> Self {
        Self::of_scripts(address, [&migration.up].into_iter().chain(&migration.down))
    }

    fn of_scripts<'a>(address: &Address, scripts: impl IntoIterator<Item = &'a Script>) -> Self {
        let mut scripts = scripts.into_iter();
        if scripts.any(|script| script.directives.no_transaction) && address.direct().is_some() {
            Self::Direct
        } else {
            Self::Given
        }
    }

    /// Returns where this way leads.
    pub(super) fn to(self, address: &Address) -> Address {
        let direct = match self {
            Self::Given => None,
            Self::Direct => address.direct(),
        };
        direct.unwrap_or_else(|| address.clone())
    }
}
