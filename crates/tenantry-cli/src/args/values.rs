//! Texts on the command line and in the configuration to values: durations and counts.

use std::time::Duration;

use tenantry::run::{Budget, Limit};
use tenantry::{Intake, TrackName};

/// How short and how long a duration may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    least: Duration,
    most: Duration,
    said: &'static str,
}

/// For a wait that must end: 0 would mean without end to PostgreSQL, and its settings, like those of MySQL
/// and SQLite, hold no more than some weeks.
pub(crate) const WAIT: Bounds = Bounds {
    least: Duration::from_millis(1),
    most: Duration::from_hours(1),
    said: "from 1ms to 1h",
};

/// For a time in which something is tried again, or may still end; 0 is once, or at once.
pub(crate) const WINDOW: Bounds = Bounds {
    least: Duration::ZERO,
    most: Duration::from_hours(24),
    said: "from 0s to 24h",
};

/// For a silence: more than the pauses between two tries, and short enough to free a dead client's locks.
pub(crate) const IDLE: Bounds = Bounds {
    least: Duration::from_secs(3),
    most: Duration::from_mins(10),
    said: "from 3s to 10m",
};

/// For the whole work on one target: a schema change may take a night.
pub(crate) const WHOLE: Bounds = Bounds {
    least: Duration::from_millis(1),
    most: Duration::from_hours(24),
    said: "from 1ms to 24h",
};

/// For what can be restored: nobody waits ten years.
const GRACE: Bounds = Bounds {
    least: Duration::ZERO,
    most: Duration::from_hours(10 * 365 * 24),
    said: "from 0s to 3650d",
};

/// Reads how long something that is deleted can be restored.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    within(text, GRACE)
}

/// Reads a duration within bounds.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn within(text: &str, bounds: Bounds) -> Result<Duration, String> {
    let read = duration(text)?;
    if (bounds.least..=bounds.most).contains(&read) {
        return Ok(read);
    }
    let (text, said) = (text.escape_debug(), bounds.said);
    Err(format!("`{text}` is out of bounds: it can be {said}"))
}

/// Reads how long a statement may wait for a lock.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn lock_timeout(text: &str) -> Result<Duration, String> {
    within(text, WAIT)
}

/// Reads why something is declared: a text that says something.
///
/// # Errors
/// The sentence to show for an empty one.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why; it is kept in the registry".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads a duration: `500ms`, `5s`, `2m`, `1h` or `30d`.
///
/// # Errors
/// The sentence to show for anything else, a number without a unit included.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| rule(text))?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(24 * 3_600_000),
        _ => None,
    };
    // Clocks add a duration to the present moment; a century is far from overflow.
    let longest = 100 * 365 * 24 * 3_600_000_u64;
    millis
        .filter(|ms| *ms <= longest)
        .map(Duration::from_millis)
        .ok_or_else(|| rule(text))
}

fn rule(text: &str) -> String {
    format!(
        "`{}` is not a duration such as 500ms, 5s or 2m",
        text.escape_debug()
    )
}

/// Reads a count of targets at once: 1 to 1024.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn parallel(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err(format!(
            "`{}` is not a number from 1 to 1024",
            text.escape_debug()
        )),
    }
}

/// Reads the number of a statement or of steps: from 1, without an upper end.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err(format!("`{}` is not a number from 1", text.escape_debug())),
    }
}

/// What a server takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Everything.
    All,
    /// The databases of a track.
    Track(TrackName),
}

/// Reads what a server takes: `all`, `tenant` or a product type.
///
/// # Errors
/// The sentence to show for a word that is no product type.
pub(crate) fn accepted(text: &str) -> Result<Accepted, String> {
    if text == "all" {
        return Ok(Accepted::All);
    }
    let track = Intake::track(text);
    track.map(Accepted::Track).map_err(|error| error.to_string())
}

/// How many databases a server has room for; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity(pub(crate) Option<usize>);

/// Reads how many databases a server has room for.
///
/// # Errors
/// The sentence to show for anything but a number, or `none`.
pub(crate) fn capacity(text: &str) -> Result<Capacity, String> {
    if text == "none" {
        return Ok(Capacity(None));
    }
    let number = text.parse::<i32>().ok().and_then(|n| usize::try_from(n).ok());
    let refuse = || format!("`{}` is neither a number nor `none`", text.escape_debug());
    number.map(|n| Capacity(Some(n))).ok_or_else(refuse)
}

/// When a run whose first targets fail alike stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SameError(pub(crate) Option<usize>);

/// Reads how many failures a run bears.
///
/// # Errors
/// The sentence to show for anything but a number, a number with `%`, or `all`.
pub(crate) fn budget(text: &str) -> Result<Budget, String> {
    let refuse = || {
        format!(
            "`{}` is neither a number, nor one with %, nor `all`",
            text.escape_debug()
        )
    };
    if text == "all" {
        return Ok(Budget::All);
    }
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent = percent.parse().ok().filter(|percent| *percent <= 100);
            percent.map(Budget::Percent).ok_or_else(refuse)
        }
        None => text.parse().map(Budget::Count).map_err(|_| refuse()),
    }
}

/// Reads how many failures alike stop a run.
///
/// # Errors
/// The sentence to show for anything but a number from 1, or `off`.
pub(crate) fn same_error(text: &str) -> Result<SameError, String> {
    if text == "off" {
        return Ok(SameError(None));
    }
    match text.parse() {
        Ok(first) if first >= 1 => Ok(SameError(Some(first))),
        _ => Err(format!(
            "`{}` is neither a number from 1 nor `off`",
            text.escape_debug()
        )),
    }
}

/// Reads how many targets a wave takes.
///
/// # Errors
/// The sentence to show for anything but a number from 1, alone or with `%`.
pub(crate) fn limit(text: &str) -> Result<Limit, String> {
    match budget(text) {
        Ok(Budget::Count(count)) if count >= 1 => Ok(Limit::Count(count)),
        Ok(Budget::Percent(percent)) if percent >= 1 => Ok(Limit::Percent(percent)),
        Ok(Budget::Usual | Budget::All | Budget::Count(_) | Budget::Percent(_)) | Err(_) => Err(format!(
            "`{}` is no number from 1, alone or with %",
            text.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [("500ms", 500), ("3s", 3_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text).unwrap().as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn a_wait_for_a_lock_is_never_endless() {
        assert_eq!(lock_timeout("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(lock_timeout("60m"), Ok(Duration::from_hours(1)));
        for bad in ["0s", "0ms", "1000h"] {
            assert!(
                lock_timeout(bad).unwrap_err().ends_with("from 1ms to 1h"),
                "{bad}"
            );
        }
        assert_eq!(within("0s", WINDOW), Ok(Duration::ZERO));
    }

    #[test]
    fn a_count_of_zero_or_of_thousands_is_refused() {
        assert_eq!(parallel("24"), Ok(24));
        for bad in ["0", "1025", "-1", "many"] {
            assert!(parallel(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_server_takes_is_words_and_a_number() {
        assert_eq!(accepted("all"), Ok(Accepted::All));
        assert_eq!(accepted("tenant"), Ok(Accepted::Track(TrackName::Tenant)));
        assert!(matches!(
            accepted("kira"),
            Ok(Accepted::Track(TrackName::Product(_)))
        ));
        assert!(accepted("Kira!").is_err());
        assert_eq!(capacity("800"), Ok(Capacity(Some(800))));
        assert_eq!(capacity("none"), Ok(Capacity(None)));
        for bad in ["-1", "3000000000", "many", ""] {
            assert!(capacity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_budget_is_a_number_a_share_or_everything() {
        assert_eq!(budget("18"), Ok(Budget::Count(18)));
        assert_eq!(budget("0"), Ok(Budget::Count(0)));
        assert_eq!(budget("2%"), Ok(Budget::Percent(2)));
        assert_eq!(budget("all"), Ok(Budget::All));
        for bad in ["", "%", "-1", "101%", "some"] {
            assert!(budget(bad).is_err(), "{bad}");
        }
        assert_eq!(same_error("off"), Ok(SameError(None)));
        assert!(same_error("0").is_err());
        assert!(limit("0%").is_err() && limit("all").is_err());
    }
}
