//! What alternating runs gave, and what is said about it.

use super::program::Answer;

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    wall_us: f64,
    cpu_us: f64,
    peak_kib: u64,
    around_us: f64,
}

impl Sample {
    /// Takes what the program answered.
    pub(crate) fn of(answer: &Answer) -> Self {
        let micros = |key| f64::from(u32::try_from(answer.number(key)).unwrap_or(u32::MAX));
        Self {
            wall_us: micros("wall_us"),
            cpu_us: micros("cpu_us"),
            peak_kib: answer.number("peak_kib"),
            around_us: micros("around_us"),
        }
    }
}

impl Sample {
    /// Returns the wall milliseconds of the whole run.
    pub(crate) fn wall_ms(&self) -> f64 {
        self.wall_us / 1000.0
    }

    /// Returns the milliseconds of CPU, of the client alone.
    pub(crate) fn cpu_ms(&self) -> f64 {
        self.cpu_us / 1000.0
    }

    /// Returns the peak of memory in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        f64::from(u32::try_from(self.peak_kib).unwrap_or(u32::MAX)) / 1024.0
    }
}

/// One contestant's runs of one scenario, each over the same number of databases.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    runs: Vec<Sample>,
    databases: usize,
}

impl Samples {
    /// Makes an empty list.
    pub(crate) fn new(databases: usize) -> Self {
        Self {
            runs: Vec::new(),
            databases,
        }
    }

    /// Adds a run.
    pub(crate) fn push(&mut self, sample: Sample) {
        self.runs.push(sample);
    }

    /// Returns the median of wall milliseconds per database.
    pub(crate) fn wall_ms(&self) -> f64 {
        median(self.each(|run| run.wall_us))
    }

    /// Returns the fastest run's wall milliseconds per database.
    pub(crate) fn fastest_ms(&self) -> f64 {
        self.each(|run| run.wall_us)
            .into_iter()
            .fold(f64::INFINITY, f64::min)
    }

    /// Returns the median of CPU milliseconds per database, of the client alone.
    pub(crate) fn cpu_ms(&self) -> f64 {
        median(self.each(|run| run.cpu_us))
    }

    /// Returns the median of the milliseconds of a whole run that are not work on databases: opening the
    /// registry, reading files, opening passwords, recording the run's begin and end. 0 for the floor.
    pub(crate) fn around_ms(&self) -> f64 {
        median(self.runs.iter().map(|run| run.around_us / 1000.0).collect())
    }

    /// Returns the highest peak of memory in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.runs.iter().map(Sample::peak_mib).fold(0.0, f64::max)
    }

    fn each(&self, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let databases = f64::from(u32::try_from(self.databases).unwrap_or(u32::MAX));
        self.runs.iter().map(|run| of(run) / 1000.0 / databases).collect()
    }
}

/// Returns the middle one, or the mean of the two in the middle; not a number when there is none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.len() % 2,
        values.get(middle.wrapping_sub(1)),
        values.get(middle),
    ) {
        (0, Some(below), Some(above)) => f64::midpoint(*below, *above),
        (_, _, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_the_mean_of_two() {
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 90.0]) - 3.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
