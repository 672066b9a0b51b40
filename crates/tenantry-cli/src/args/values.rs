//! Texts on the command line and in the configuration to values: durations and counts.

use std::time::Duration;

/// Reads a duration: `500ms`, `5s`, `2m` or `1h`.
///
/// # Errors
/// The sentence to show for anything else, a number without a unit included.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| rule(text))?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
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

/// Reads how many targets go first, alone: only 0 so far.
///
/// # Errors
/// The sentence to show for anything else.
pub(crate) fn canary(text: &str) -> Result<usize, String> {
    match text {
        "0" => Ok(0),
        _ => Err("only 0 is possible: this version has no canary targets".to_owned()),
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
    fn a_count_of_zero_or_of_thousands_is_refused() {
        assert_eq!(parallel("24"), Ok(24));
        for bad in ["0", "1025", "-1", "many"] {
            assert!(parallel(bad).is_err(), "{bad}");
        }
        assert!(canary("1").is_err());
    }
}
