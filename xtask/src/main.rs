//! The project's own tasks; this file is the list of them.

mod bench;
mod flags;
mod process;
mod say;
mod signals;
mod simulate;
mod test;
mod tidy;
mod torture;
mod workspace;

use std::process::ExitCode;

use crate::process::Interrupted;
use crate::signals::Signals;

const USAGE: &str = "\
cargo xtask <task>

  test [-- <arguments of cargo test>]   every check and every test, on real servers it starts itself;
                                        with arguments: only `cargo test` with these
  servers -- <command> [<argument>…]    one command beside the same throwaway servers
  bench [<what>…] [--databases n] [--concurrency n] [--runs n] [--tls]
                                        ours against the floor; what: postgres, mariadb, sqlite, all,
                                        start, memory, growth (docs/benchmarks.md)
  bench status [--tenants n]            what a registry of 100,000 tenants costs the commands that read it
  bench noop [--engine postgres|mariadb] [--databases n,n,…] [--sqlite n]
                                        whole commands with nothing to do, as by default and with --live
  bench recording [--databases n] [--runs n]
                                        one new migration, recorded and not
  bench many [--databases n]            the memory of one command over 100,000 SQLite files
  torture [<row>…] [--seed n] [--most n]
                                        the whole of what `test` does a share of, on the same servers, and one
                                        table; it takes hours. Rows: kills, points, sessions, servers, cuts, frozen,
                                        queue, disk, input; `--seed` repeats a run, `--most` is the most that a
                                        row does
  simulate [--seeds n] [--targets n] [--drivers n] [--seed n] [--large]
                                        runs under a simulated clock, network, registry and databases: 10,000 worlds,
                                        one seed, or one world of 100,000 targets and 20 drivers
  tidy                                  the rules of the house that a program can check";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(error) => {
            say::line(&format!("xtask: {error:#}"));
            error
                .downcast_ref()
                .map_or(ExitCode::FAILURE, Interrupted::exit_code)
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some((task, rest)) = arguments.split_first() else {
        say::line(USAGE);
        return Ok(ExitCode::from(2));
    };
    let rest = match rest.split_first() {
        Some((first, after)) if first == "--" => after,
        _ => rest,
    };
    match task.as_str() {
        "servers" | "bench" | "torture" | "simulate" | "tidy" if asks_for_usage(rest) => {
            say::answer(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        "test" => test::all(rest, &Signals::watch()?),
        "servers" if !rest.is_empty() => test::beside_servers(rest, &Signals::watch()?),
        "bench" => bench::run(rest, &Signals::watch()?),
        "torture" => torture::run(rest, &Signals::watch()?),
        "simulate" => simulate::run(rest, &Signals::watch()?),
        "tidy" if rest.is_empty() => tidy::run(),
        "help" | "--help" | "-h" => {
            say::answer(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            say::line(USAGE);
            Ok(ExitCode::from(2))
        }
    }
}

/// Whether somebody wants to know how a task is used; what stands behind `test` is for cargo.
fn asks_for_usage(rest: &[String]) -> bool {
    matches!(rest, [only] if matches!(only.as_str(), "help" | "--help" | "-h"))
}

#[cfg(test)]
mod tests {
    use super::asks_for_usage;

    #[test]
    fn help_is_no_row() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for text in ["--help", "-h", "help"] {
            assert!(asks_for_usage(&words(text)), "{text}");
        }
        for text in ["kills", "cargo --help"] {
            assert!(!asks_for_usage(&words(text)), "{text}");
        }
    }
}
