//! MySQL and MariaDB, on a real MariaDB server.

mod apply;
mod fixture;
mod interrupted;
mod proxy;
mod session;
