//! The tenantry command.

mod args;
mod argv;
mod clock;
mod commands;
mod config;
mod exit;
mod failure;
mod interrupt;
mod log;
mod render;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run(std::env::args_os().collect()).into()
}
