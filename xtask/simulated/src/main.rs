//! What `cargo xtask simulate` starts: `simulated <first seed> <seeds> <targets> <drivers>`; figures on stdout.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use tenantry::run::simulation::{Figures, Settings, simulate};

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = std::env::args().skip(1).map(|word| word.parse().ok()).collect();
    let Some([first, seeds, targets, drivers]) = numbers.as_deref() else {
        say("simulated <first seed> <seeds> <targets> <drivers>");
        return ExitCode::from(2);
    };
    let defaults = Settings::default();
    let settings = Settings {
        targets: usize::try_from(*targets).unwrap_or(defaults.targets),
        drivers: usize::try_from(*drivers).unwrap_or(defaults.drivers),
        ..defaults
    };
    let begun = Instant::now();
    let (mut figures, mut violations) = (Figures::default(), 0_u64);
    for seed in *first..first.saturating_add(*seeds) {
        match simulate(seed, settings) {
            Ok(world) => figures.add(&world),
            Err(violation) => {
                violations += 1;
                say(&violation.to_string());
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    say(&format!(
        "{seeds} seeds from {first}, {targets} targets, {drivers} drivers: {violations} violations, {took:.1} s, {} MiB",
        peak_mib()
    ));
    say(&told(&figures));
    if violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn told(figures: &Figures) -> String {
    let Figures {
        events,
        seconds,
        drivers,
        targets,
        faults,
        claims,
        attached,
        followed,
        fenced,
        refused,
        late,
        restored,
        completed,
    } = figures;
    format!(
        "{events} events in {seconds} simulated seconds; {drivers} drivers were given {targets} targets; {faults} faults \
         and looks; {claims} runs taken over, {attached} attached to, {followed} followed to the end, {fenced} fenced, \
         {refused} writes refused, {late} answers to the dead, {restored} registries restored, {completed} runs completed"
    )
}

/// Returns how much memory this process had at most, or 0 where the system does not tell (proc(5)). What `getrusage` says
/// counts the cargo that became this process.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}

fn say(line: &str) {
    let written = writeln!(std::io::stdout(), "{line}");
    // Nobody reads any more.
    drop(written);
}
