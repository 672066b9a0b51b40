//! The library's one integration test binary: every case on every engine, against real servers.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod database;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod postgres_outside;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod split;
#[cfg(test)]
mod sqlite;
