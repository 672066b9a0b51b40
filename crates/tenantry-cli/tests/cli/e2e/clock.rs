//! Clocks that cannot be right (corpus row B84): versions decide the order, and nothing crashes.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use tenantry::engine::Engine;

use super::{THINGS, THINGS_BACK};
use crate::platform::Platform;
use crate::{only_json, stderr};

/// A library that moves the clock of the process that loads it by `CLOCK_SHIFT` seconds.
const SHIFTED: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long shift(void) {
    const char *seconds = getenv("CLOCK_SHIFT");
    return seconds ? atoll(seconds) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A platform whose command can be given another time.
struct Shifted {
    platform: Platform,
    library: PathBuf,
}

impl Shifted {
    fn new() -> Self {
        let tenants = ["acme", "globex"];
        let platform = Platform::with_tenants(Engine::Sqlite, &[THINGS, THINGS_BACK], &tenants).unwrap();
        platform.write("clock.c", SHIFTED);
        let library = platform.path("clock.so");
        // The C compiler that the build needed, too.
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(platform.path("clock.c"))
            .arg("-ldl")
            .status();
        assert!(compiled.unwrap().success());
        Self { platform, library }
    }

    /// Runs the command at a time, in seconds since 1970, and checks how it ends.
    fn at(&self, seconds: i64, exit: i32, words: &[&str]) -> Output {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let shift = seconds - i64::try_from(now).unwrap();
        let mut command = self.platform.command(words);
        command
            .env("LD_PRELOAD", &self.library)
            .env("CLOCK_SHIFT", shift.to_string());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{seconds} {words:?} {output:?}");
        assert!(!stderr(&output).contains("panicked"), "{output:?}");
        output
    }

    fn year_of_the_newest_row(&self) -> String {
        let newest = "SELECT substr(done_at, 1, 4) FROM _tenantry_history ORDER BY version DESC LIMIT 1";
        self.platform.one(&self.platform.database("acme"), newest)
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_in_1970_2038_or_9999_changes_nothing_but_the_times() {
    let shifted = Shifted::new();
    let platform = &shifted.platform;
    for (number, (seconds, year)) in [
        (3, "1970"),
        // Seconds before 32 bits are full.
        (i64::from(i32::MAX) - 2, "2038"),
        (253_402_300_000, "9999"),
        (1_000_000_000, "2001"),
    ]
    .into_iter()
    .enumerate()
    {
        let version = number + 10;
        let file = format!("migrations/tenant/{version:03}_more.sql");
        platform.write(&file, &format!("INSERT INTO things VALUES ({version}, 'x');\n"));
        let run = only_json(&shifted.at(seconds, 0, &["migrate", "all-tenants", "--json"]));
        assert_eq!(run["applied"], 2, "{year} {run}");
        assert!(run["elapsed_ms"].as_u64().unwrap() < 60_000, "{year} {run}");
        assert_eq!(shifted.year_of_the_newest_row(), year);
        for looks in [
            &["migrate", "status", "--exit-code"][..],
            &["migrate", "status", "--live", "--exit-code"],
            &["migrate", "status", "acme"],
            &["migrate", "plan", "--exit-code"],
            &["migrate", "resume"],
        ] {
            shifted.at(seconds, 0, looks);
            platform.ends(0, looks);
        }
    }
    let rows = "SELECT group_concat(id) FROM (SELECT id FROM things ORDER BY rowid)";
    assert_eq!(platform.one(&platform.database("acme"), rows), "1,2,10,11,12,13");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_taken_back_is_the_newest_version_and_not_the_newest_time() {
    let shifted = Shifted::new();
    let platform = &shifted.platform;
    for (version, seconds) in [(2, 253_402_300_000), (3, 3)] {
        let file = format!("migrations/tenant/{version:03}_more");
        platform.write(
            &format!("{file}.sql"),
            &format!("INSERT INTO things VALUES ({version}0, 'x');\n"),
        );
        platform.write(
            &format!("{file}.down.sql"),
            &format!("DELETE FROM things WHERE id = {version}0;\n"),
        );
        shifted.at(seconds, 0, &["migrate", "all-tenants"]);
    }
    let back = ["migrate", "rollback", "acme", "--step", "1", "--confirm", "acme"];
    platform.ends(0, &back);
    let rows = "SELECT group_concat(id) FROM (SELECT id FROM things ORDER BY id)";
    assert_eq!(platform.one(&platform.database("acme"), rows), "1,2,20");
}
