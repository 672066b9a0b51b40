//! The time of day in UTC, as file names, logs and JSON write it.

use std::time::SystemTime;

use jiff::Timestamp;

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Utc(Timestamp);

impl Utc {
    /// Returns the present moment; the last one of the year 9999 for a clock that is beyond it.
    pub(crate) fn now() -> Self {
        // What the calendar does not have would be a panic there.
        Self(Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX))
    }

    /// Takes microseconds since 1970-01-01 UTC, as the registry keeps times; 1970 for what is no time.
    pub(crate) fn of_micros(micros: i64) -> Self {
        Self(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Returns `YYYYMMDDHHMMSS`, as versions are written.
    pub(crate) fn version(self) -> String {
        self.0.strftime("%Y%m%d%H%M%S").to_string()
    }

    /// Returns `HH:MM:SSZ`, as lines of a log are written.
    pub(crate) fn time_of_day(self) -> String {
        self.0.strftime("%H:%M:%SZ").to_string()
    }

    /// Returns the day and the minute, for tables that people read: `2026-03-14 09:30`.
    pub(crate) fn minute(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// Returns the moment as RFC 3339 writes it, with milliseconds.
    pub(crate) fn rfc3339(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn a_moment_is_written_in_three_forms() {
        let moment = Utc::of_micros(1_773_480_600_120_000);
        assert_eq!(moment.rfc3339(), "2026-03-14T09:30:00.120Z");
        assert_eq!(moment.version(), "20260314093000");
        assert_eq!(moment.time_of_day(), "09:30:00Z");
        assert_eq!(Utc::of_micros(i64::MIN).version(), "19700101000000");
    }
}
