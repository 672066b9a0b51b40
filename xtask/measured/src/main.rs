//! What `cargo xtask bench` measures: one process does one thing once, and says what it cost.
//!
//! `measured <task> <key>=<value>…`; the answer is lines of `key=value` on stdout. The keys are those of
//! [`job::Job`]. `measured command …` is the one that knows nothing of databases.

mod command;
mod cost;
mod create;
mod fill;
mod floor;
mod job;
mod ours;
mod server;
mod sink;

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
    if let Some((_, arguments)) = arguments.split_first().filter(|(task, _)| *task == "command") {
        return command::command(arguments);
    }
    let (task, job) = Job::parse(arguments)?;
    let is_floor = task == Task::Ask || (task, job.contestant) == (Task::Run, Contestant::Floor);
    if is_floor && job.engine == tenantry::engine::Engine::Sqlite {
        // No runtime: the floor on files is nothing but threads.
        return floor::sqlite::run(&job);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match task {
            Task::Settings => server::settings(&job).await,
            Task::Settle => server::settle(&job).await,
            Task::Create => create::create(&job).await,
            Task::Fill => fill::fill(&job).await,
            Task::Ask => floor::run(&job).await,
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
