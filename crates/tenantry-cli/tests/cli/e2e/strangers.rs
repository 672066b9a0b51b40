//! Endpoints that are no server of the engine, or none at all: told within seconds, and nothing is added.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tenantry::engine::{Address, Engine};

use crate::platform::Platform;
use crate::stderr;

/// How long a command may take to find out; connecting alone may take ten seconds.
const FOUND_OUT_WITHIN: Duration = Duration::from_secs(30);

/// Does something with each connection, until the test ends.
fn listen(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn web(mut stream: TcpStream) {
    let _asked = stream.read(&mut [0; 64]);
    let _said = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n");
}

fn shell(mut stream: TcpStream) {
    let _said = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 \x1b[31mDebian\r\n");
    let _asked = stream.read(&mut [0; 64]);
}

fn noise(mut stream: TcpStream) {
    let _said = stream.write_all(&[0xff, 0xfe, 7, 9, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let _asked = stream.read(&mut [0; 64]);
}

fn hang_up(stream: TcpStream) {
    drop(stream);
}

fn silence(mut stream: TcpStream) {
    let mut nothing = [0; 64];
    while stream.read(&mut nothing).is_ok_and(|read| read > 0) {}
}

fn one_by_one(mut stream: TcpStream) {
    for byte in [b'R', 0, 0, 0, 8, 0, 0, 0, 0].into_iter().cycle().take(60) {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Adds a server at an endpoint; returns what is said.
fn add(platform: &Platform, engine: Engine, at: SocketAddr) -> String {
    platform.write("password", "x");
    let port = at.port().to_string();
    let words = [
        "server",
        "add",
        "stranger",
        "--engine",
        engine.as_str(),
        "--jurisdiction",
        "uk",
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--admin-user",
        "a",
        "--admin-password-file",
        "password",
    ];
    let begun = Instant::now();
    let said = stderr(&platform.ends(20, &words));
    assert!(begun.elapsed() < FOUND_OUT_WITHIN, "{:?}", begun.elapsed());
    assert!(said.contains("nothing was added"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    said
}

#[test]
fn what_speaks_another_protocol_is_named() {
    let platform = Platform::start(Engine::Sqlite).unwrap();
    for engine in [Engine::Postgres, Engine::MySql] {
        for (serve, begins) in [
            (web as fn(TcpStream), "HTTP/1.1 400 Bad Request"),
            (shell, "SSH-2.0-OpenSSH_9.2p1"),
            (noise, "begins with"),
            (one_by_one, "begins with"),
        ] {
            let said = add(&platform, engine, listen(serve));
            assert!(
                said.contains("TN-5005") && said.contains(begins),
                "{engine} {said}"
            );
        }
    }
}

#[test]
fn what_says_nothing_sensible_does_not_answer() {
    let platform = Platform::start(Engine::Sqlite).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for engine in [Engine::Postgres, Engine::MySql] {
        for at in [listen(hang_up), nobody] {
            assert!(add(&platform, engine, at).contains("TN-5001"));
        }
    }
    assert!(add(&platform, Engine::Postgres, listen(silence)).contains("TN-5001"));
}

#[test]
fn one_engines_server_is_not_taken_for_the_other() {
    let platform = Platform::start(Engine::Sqlite).unwrap();
    for (real, other, told) in [
        (Engine::Postgres, Engine::MySql, "it is a PostgreSQL server"),
        (Engine::MySql, Engine::Postgres, "it is a MySQL or MariaDB server"),
    ] {
        let Some(server) = Platform::start(real) else {
            return;
        };
        let Address::Network(central) = &server.central.address else {
            panic!("not on a server")
        };
        let at = SocketAddr::new(central.host.parse().unwrap(), central.port);
        let said = add(&platform, other, at);
        assert!(said.contains("TN-5005") && said.contains(told), "{said}");
    }
}
