//! Scenes about clocks: each deployer gives up in time, and says so.

use std::time::Duration;

use tenantry::engine::Engine;

use crate::deployer::{frozen, says_within, wake, with_faults};
use crate::scenes::{Held, Stage, both};
use crate::wire::Wire;

const ACME: [&str; 3] = ["migrate", "tenant", "acme"];
/// A tenant whose server is at the other end of a wire.
const WIRED: &str = "initech";
const DEPLOY_WIRED: [&str; 3] = ["migrate", "tenant", WIRED];
/// The shortest that can be set.
const SILENCE: (&str, Duration) = ("3s", Duration::from_secs(3));
/// How long a deployer may take for anything else.
const SOON: Duration = Duration::from_secs(3);

impl Stage {
    /// Adds a tenant whose sessions go over the wire, unless there is one.
    fn wired(&mut self) -> &Wire {
        let platform = &self.platform;
        self.wire.get_or_insert_with(|| {
            let server = platform.server.as_ref().unwrap();
            let wire = Wire::to(server);
            platform.write("password", &server.password);
            let port = wire.port.to_string();
            let place = ["--host", "127.0.0.1", "--port", &port, "--jurisdiction", "eu"];
            let login = ["--admin-user", &server.user, "--admin-password-file", "password"];
            let engine = ["server", "add", "wired", "--engine", platform.engine.as_str()];
            platform.ends(0, &[&engine[..], &place, &login].concat());
            platform.ends(0, &["tenant", "create", WIRED, "--jurisdiction", "eu"]);
            self.databases.push(platform.database(WIRED));
            wire
        })
    }
}

/// Its server accepts, and says nothing.
pub(crate) fn nobody_answers(stage: &mut Stage, seed: &str) {
    stage.wired();
    stage.grow(1);
    stage.wired().falls_silent();
    let mut command = with_faults(&stage.platform, &DEPLOY_WIRED, seed);
    command.env("TENANTRY_RUN__CONNECT_TIMEOUT", "300ms");
    let child = command.spawn().unwrap();
    let told = std::panic::catch_unwind(|| says_within(child, "RETRY", SOON));
    stage.wired().speaks_again();
    told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    stage.finishes("");
}

/// Nothing comes from its server any more, to nobody.
pub(crate) fn its_server_falls_silent(stage: &mut Stage, seed: &str) {
    stage.wired();
    stage.grow(1);
    let point = match stage.platform.engine {
        Engine::MySql => "mysql.locked",
        Engine::Postgres | Engine::Sqlite => "postgres.locked",
    };
    let faults = both(seed, "freeze", point);
    let mut command = with_faults(&stage.platform, &DEPLOY_WIRED, &faults);
    command.env("TENANTRY_RUN__CONNECT_TIMEOUT", "300ms");
    let child = frozen(command.env("TENANTRY_RUN__PROGRESS_TIMEOUT", SILENCE.0));
    stage.wired().falls_silent();
    wake(&child);
    let limit = SILENCE.1 + SOON;
    let told = std::panic::catch_unwind(|| says_within(child, "RETRY", limit));
    stage.wired().speaks_again();
    told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    stage.finishes("");
}

/// Its statement waits for longer than the whole target may take.
pub(crate) fn its_time_is_up(stage: &mut Stage, seed: &str) {
    stage.grow(1);
    let lock = "BEGIN; LOCK TABLE effects, counter IN ACCESS EXCLUSIVE MODE";
    let held = Held::postgres(stage, lock);
    let mut command = with_faults(&stage.platform, &ACME, seed);
    command.env("TENANTRY_RUN__LOCK_TIMEOUT", "1m");
    let child = command.env("TENANTRY_RUN__TARGET_TIMEOUT", "1s").spawn().unwrap();
    says_within(child, "target_timeout", SOON);
    drop(held);
    stage.finishes("");
}
