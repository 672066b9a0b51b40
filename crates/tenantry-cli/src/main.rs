//! The tenantry command.

#![expect(
    dead_code,
    reason = "the commands that reach databases are still to be joined"
)]

mod args;
mod argv;
mod config;
mod exit;
mod failure;
mod render;

fn main() {}
