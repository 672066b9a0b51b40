//! A database server of a test's own, which may be killed and started again.
//!
//! It is made with the programs of the test run's server, on loopback, in a temporary folder, as an unprivileged
//! user where we are root. What it has committed outlives its death, unlike with the test run's servers.

use std::fs::{self, File, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tenantry::engine::Engine;

use crate::database::TestServer;

const PASSWORD: &str = "of_a_throwaway_server";
/// How long a server may take until it answers.
const START: Duration = Duration::from_mins(1);

/// A server; dropping it kills it.
pub(crate) struct OwnServer {
    engine: Engine,
    port: u16,
    programs: PathBuf,
    account: Option<(u32, u32)>,
    words: Vec<String>,
    process: Option<Child>,
    folder: TempDir,
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask hands the programs over in the environment"
)]
fn variable(engine: Engine, ending: &str) -> Option<String> {
    let prefix = match engine {
        Engine::Postgres => "TENANTRY_TEST_POSTGRES",
        Engine::MySql => "TENANTRY_TEST_MARIADB",
        Engine::Sqlite => return None,
    };
    std::env::var(format!("{prefix}{ending}")).ok()
}

/// Returns a port that nobody else in this process is given, and the system to no connection: the server needs it again
/// behind each death, when somebody else could have it by then.
fn port_of_its_own() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below what systems give to connections by themselves, and apart from other processes at the same time.
    let first = std::process::id().wrapping_mul(101);
    let ports = std::iter::repeat_with(|| first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let mut ports = ports
        .take(1_000)
        .map(|port| 10_000 + u16::try_from(port).unwrap());
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

impl OwnServer {
    /// Makes a server and starts it; `None`, printed, if there are no programs.
    pub(crate) fn start(engine: Engine) -> Option<Self> {
        let server = Self::stopped(engine)?;
        Some(server.made())
    }

    /// Takes a folder and a port, and makes nothing in the folder.
    pub(crate) fn stopped(engine: Engine) -> Option<Self> {
        let Some(programs) = variable(engine, "_BIN") else {
            println!("skipped on {engine}: there are no programs for a server of the test's own");
            return None;
        };
        let account = variable(engine, "_RUN_AS").map(|ids| {
            let (user, group) = ids.split_once(':').unwrap();
            (user.parse().unwrap(), group.parse().unwrap())
        });
        let server = Self {
            engine,
            port: port_of_its_own(),
            programs: PathBuf::from(programs),
            account,
            words: Vec::new(),
            process: None,
            folder: tempfile::Builder::new()
                .prefix("tenantry-own-")
                .tempdir()
                .unwrap(),
        };
        server.give(server.folder.path());
        Some(server)
    }

    /// Makes the data and starts.
    pub(crate) fn made(mut self) -> Self {
        match self.engine {
            Engine::MySql => self.make_mariadb(),
            Engine::Postgres | Engine::Sqlite => self.make_postgres(),
        }
        self.start_again();
        self
    }

    /// What it is a server of.
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// Where its data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where it is and how to get in.
    pub(crate) fn place(&self) -> TestServer {
        let user = match self.engine {
            Engine::MySql => "root",
            Engine::Postgres | Engine::Sqlite => "postgres",
        };
        TestServer {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: user.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    /// Makes the server's user the owner.
    pub(crate) fn give(&self, path: &Path) {
        fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        if let Some((user, group)) = self.account {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        if let Some((user, group)) = self.account {
            chown(&path, Some(user), Some(group)).unwrap();
        }
        path
    }

    fn make_postgres(&self) {
        let password = self.write("password", PASSWORD);
        let mut initdb = self.command(&self.programs.join("initdb"));
        initdb.args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        initdb.args(["--auth=scram-sha-256", "--wal-segsize=1"]);
        initdb.arg("--pwfile").arg(password).arg("-D").arg(self.data());
        initdb.arg("--waldir").arg(self.folder.path().join("wal"));
        succeeds(&mut initdb);
    }

    fn make_mariadb(&self) {
        // The server reads such a file line by line, before it takes the first connection.
        let first = format!(
            "DELETE FROM mysql.global_priv WHERE User = '';\nFLUSH PRIVILEGES;\n\
             ALTER USER IF EXISTS root@localhost IDENTIFIED BY '{PASSWORD}';\n\
             ALTER USER IF EXISTS root@127.0.0.1 IDENTIFIED BY '{PASSWORD}';\n"
        );
        self.write("first.sql", &first);
        let temporary = self.folder.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        self.give(&temporary);
        let install =
            ["mariadb-install-db", "../bin/mariadb-install-db"].map(|name| self.programs.join(name));
        let packaged = PathBuf::from("/usr/bin/mariadb-install-db");
        let mut install = install
            .into_iter()
            .chain([packaged])
            .filter(|path| path.is_file());
        let mut install = self.command(&install.next().unwrap());
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.arg(format!("--datadir={}", self.data().display()));
        succeeds(&mut install);
    }

    /// Kills it and starts it again, from now on with these words behind its own.
    pub(crate) fn turns(&mut self, words: &[&str]) {
        self.kill();
        self.words = words.iter().map(|word| (*word).to_owned()).collect();
        self.start_again();
    }

    /// The same as a replica that waits for a primary: `PostgreSQL` only, which looks for a file ("Standby Server
    /// Operation").
    pub(crate) fn turns_replica(&mut self) {
        self.write("data/standby.signal", "");
        self.turns(&[]);
    }

    /// Starts the process and waits until it takes connections.
    pub(crate) fn start_again(&mut self) {
        let begin = Instant::now();
        loop {
            let mut process = self.server().process_group(0).spawn().unwrap();
            let is_up = loop {
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.is_ready(process.id()) {
                    break true;
                }
                if process.try_wait().unwrap().is_some() {
                    break false;
                }
                assert!(begin.elapsed() < START, "{}", self.log());
                std::thread::yield_now();
            };
            if is_up {
                self.process = Some(process);
                return;
            }
            // A server that was killed may hold its memory for a moment longer.
            assert!(begin.elapsed() < START, "{}", self.log());
        }
    }

    fn server(&self) -> Command {
        let data = self.data();
        let folder = self.folder.path().display();
        let program = match self.engine {
            Engine::MySql => "mariadbd",
            Engine::Postgres | Engine::Sqlite => "postgres",
        };
        let program = self.programs.join(program);
        // Should this process be killed, the kernel ends the server.
        let setpriv = Path::new("/usr/bin/setpriv");
        let mut command = if setpriv.is_file() {
            let mut command = self.command(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            self.command(&program)
        };
        match self.engine {
            Engine::MySql => command.args([
                "--no-defaults".to_owned(),
                format!("--datadir={}", data.display()),
                format!("--port={}", self.port),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--socket={folder}/socket"),
                format!("--pid-file={folder}/pid"),
                // One that starts removes what it finds there, though another server be using it.
                format!("--tmpdir={folder}/temporary"),
                format!("--init-file={folder}/first.sql"),
            ]),
            Engine::Postgres | Engine::Sqlite => command.arg("-D").arg(&data).args([
                format!("-cport={}", self.port),
                "-clisten_addresses=127.0.0.1".to_owned(),
                format!("-cunix_socket_directories={folder}"),
                // A killed server loses nothing that the system has; only a crash of the machine would.
                "-cfsync=off".to_owned(),
            ]),
        };
        command.args(&self.words);
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        command
    }

    /// `PostgreSQL` says in line 8 of its file that it takes connections, as `pg_ctl` reads it; `MariaDB` listens when
    /// it does. A replica stands by.
    fn is_ready(&self, pid: u32) -> bool {
        if self.engine == Engine::MySql {
            return true;
        }
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(&pid.to_string()) && matches!(lines.nth(6), Some("ready" | "standby"))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    /// Kills the server and every process of it, as a machine does that loses its memory.
    pub(crate) fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let children = children_of(process.id());
        process.kill().unwrap();
        for child in children {
            // It may have noticed by itself.
            let killed = Command::new("kill")
                .args(["-KILL", &child.to_string()])
                .stderr(Stdio::null())
                .status();
            killed.unwrap();
        }
        process.wait().unwrap();
    }

    /// Returns what the server said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the processes whose parent is this one: field 4 of `stat`, proc(5).
fn children_of(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok();
        let parent = stat.and_then(|stat| stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok());
        parent == Some(pid)
    };
    processes.filter(is_child).collect()
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
