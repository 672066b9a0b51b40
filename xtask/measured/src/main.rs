//! What `cargo xtask bench` measures: one process does one thing once, and says what it cost.
//!
//! `measured <task> <key>=<value>…`; the answer is lines of `key=value` on stdout. The keys are those of
//! [`job::Job`].

mod cost;
mod create;
mod floor;
mod job;
mod ours;
mod server;

use std::process::ExitCode;

use crate::job::{Contestant, Job, Task};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match measured(&arguments) {
        Ok(lines) => {
            answer(&lines);
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("measured {}: {error:#}", arguments.join(" ")));
            ExitCode::FAILURE
        }
    }
}

fn measured(arguments: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let (task, job) = Job::parse(arguments)?;
    if (task, job.contestant, job.engine) == (Task::Run, Contestant::Floor, tenantry::engine::Engine::Sqlite)
    {
        // No runtime: the floor on files is nothing but threads.
        return floor::sqlite::run(&job);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Settings => server::settings(&job).await,
            Task::Settle => server::settle(&job).await,
            Task::Create => create::create(&job).await,
            Task::Status => ours::status(&job).await,
            Task::Run => match job.contestant {
                Contestant::Floor => floor::run(&job).await,
                Contestant::Ours => ours::run(&job).await,
            },
        }
    })
}

#[expect(clippy::print_stdout, reason = "the answer of this program")]
fn answer(lines: &[(String, String)]) {
    for (key, value) in lines {
        println!("{key}={value}");
    }
}

#[expect(clippy::print_stderr, reason = "the complaint of this program")]
fn complain(text: &str) {
    eprintln!("{text}");
}
