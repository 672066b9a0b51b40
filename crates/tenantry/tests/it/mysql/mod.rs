//! MySQL and MariaDB, on a real MariaDB server.

mod apart;
mod apply;
mod changed;
mod create;
mod engines;
mod fixture;
mod interrupted;
mod left_open;
mod looks;
mod lost;
mod patience;
mod proxy;
mod resumed;
mod session;
mod strings;
mod survey;
mod triggers;
mod values;
