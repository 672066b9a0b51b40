//! The registry's tables as sea-orm sees them; nothing outside `registry` names these types.
#![expect(
    unreachable_pub,
    reason = "sea-orm's derived items are `pub`, so their parts must be"
)]

pub(super) mod audit;
pub(super) mod audit_head;
pub(super) mod database;
pub(super) mod domain;
pub(super) mod key;
pub(super) mod mark;
pub(super) mod mark_target;
pub(super) mod run;
pub(super) mod run_target;
pub(super) mod server;
pub(super) mod tenant;
pub(super) mod tenant_name;
