//! The tenantry command.

mod args;
mod argv;
mod clock;
mod commands;
mod config;
mod exit;
mod failure;
#[cfg(feature = "faults")]
mod faults;
mod interrupt;
mod keys;
mod log;
mod render;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "faults")]
    if let Err(refused) = faults::arm() {
        return refused;
    }
    commands::run_line(std::env::args_os().collect()).into()
}
