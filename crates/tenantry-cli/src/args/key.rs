//! `key …`: the keys that seal passwords in the registry.

use clap::Subcommand;
use tenantry::secret::KeyId;

/// `key …`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the keys: what each is for, whether it is here, how many secrets need it
    #[command(before_help = "Examples:\n  tenantry key list\n  tenantry key list --json")]
    List,
    /// Let a new key seal; older ones still open. The same command finishes a rotation that was cut off
    #[command(before_help = "Examples:\n  tenantry key rotate")]
    Rotate,
    /// Seal every secret anew under the key that seals; the same command goes on after a crash
    #[command(before_help = "Examples:\n  tenantry key rewrap\n  tenantry key rewrap --json")]
    Rewrap,
    /// Take a key that no secret needs off the ring, for good
    #[command(before_help = "Examples:\n  tenantry key destroy 0f3a9c5e7b1d2468ace013579bdf2468")]
    Destroy {
        /// The key's id, whole
        #[arg(value_name = "ID")]
        id: KeyId,
    },
}
