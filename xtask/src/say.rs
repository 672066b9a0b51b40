//! The one place where xtask prints.

/// Prints what is going on, on stderr: stdout belongs to the command that is run.
#[expect(clippy::print_stderr, reason = "a task talks to the person who started it")]
pub(crate) fn line(text: &str) {
    eprintln!("{text}");
}

/// Prints what was asked for, on stdout.
#[expect(clippy::print_stdout, reason = "a task talks to the person who started it")]
pub(crate) fn answer(text: &str) {
    println!("{text}");
}
