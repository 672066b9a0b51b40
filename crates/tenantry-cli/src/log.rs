//! What the library says about itself, on stderr for whoever asked for it with `-vv` or `-vvv`.

use tracing_subscriber::filter::LevelFilter;

/// Begins to write the library's log: nothing by default, its steps from `-vv`, everything from `-vvv`.
pub(crate) fn begin(verbose: u8) {
    let level = match verbose {
        0 | 1 => return,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // Somebody else's log in this process stays as it is.
    drop(log.try_init());
}
