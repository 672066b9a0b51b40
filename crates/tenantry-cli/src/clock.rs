//! The time of day in UTC, as file names, logs and JSON write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    millis: u32,
}

impl Utc {
    /// Returns the present moment; 1970 if the clock stands before it.
    pub(crate) fn now() -> Self {
        Self::from_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    /// Takes microseconds since 1970-01-01 UTC, as the registry keeps times; 1970 for negative ones.
    pub(crate) fn of_micros(micros: i64) -> Self {
        Self::from_epoch(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    /// Takes the time since 1970-01-01 UTC.
    ///
    /// The days are counted in eras of 400 years that begin in March, so that the leap day is the last one.
    pub(crate) fn from_epoch(since: Duration) -> Self {
        let days = since.as_secs() / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            second_of_day: since.as_secs() % 86_400,
            millis: since.subsec_millis(),
        }
    }

    /// Returns `HHMMSS` with a separator: `10:04:11`.
    fn clock(self, separator: &str) -> String {
        let s = self.second_of_day;
        format!(
            "{:02}{separator}{:02}{separator}{:02}",
            s / 3600,
            s / 60 % 60,
            s % 60
        )
    }

    /// Returns `YYYYMMDDHHMMSS`, as versions are written.
    pub(crate) fn version(self) -> String {
        format!(
            "{:04}{:02}{:02}{}",
            self.year,
            self.month,
            self.day,
            self.clock("")
        )
    }

    /// Returns `HH:MM:SSZ`, as lines of a log are written.
    pub(crate) fn time_of_day(self) -> String {
        format!("{}Z", self.clock(":"))
    }

    /// Returns the moment as RFC 3339 writes it, with milliseconds.
    pub(crate) fn rfc3339(self) -> String {
        let (clock, millis) = (self.clock(":"), self.millis);
        format!(
            "{:04}-{:02}-{:02}T{clock}.{millis:03}Z",
            self.year, self.month, self.day
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;
    use std::time::Duration;

    #[test]
    fn days_are_counted_through_leap_years() {
        let text = |seconds| Utc::from_epoch(Duration::from_secs(seconds)).rfc3339();
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(text(1_709_164_800), "2024-02-29T00:00:00.000Z");
        assert_eq!(text(1_772_323_199), "2026-02-28T23:59:59.000Z");
        assert_eq!(text(4_107_542_400), "2100-03-01T00:00:00.000Z");
        let moment = Utc::from_epoch(Duration::from_millis(1_773_480_600_120));
        assert_eq!(moment.version(), "20260314093000");
        assert_eq!(moment.time_of_day(), "09:30:00Z");
    }
}
