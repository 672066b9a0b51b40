//! The library's one integration test binary: every case on every engine, against real servers.

#[cfg(test)]
#[path = "../../../../fuzz/checks.rs"]
mod checks;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod database;
#[path = "../../../../examples/embed.rs"]
#[expect(dead_code, reason = "its `main` is for the command line")]
mod embed;
#[cfg(test)]
mod emptied;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod found;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod marker;
#[cfg(test)]
mod mysql;
#[cfg(test)]
mod pooler;
#[cfg(test)]
mod postgres_cancel;
#[cfg(test)]
mod postgres_create;
#[cfg(test)]
mod postgres_outside;
#[path = "../../../../examples/provision.rs"]
#[expect(dead_code, reason = "its `main` is for the command line")]
mod provision;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod split;
#[cfg(test)]
mod split_servers;
#[cfg(test)]
mod sqlite;
