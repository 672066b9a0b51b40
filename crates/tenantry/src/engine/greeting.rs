//! Which kind of server answers at an endpoint that does not speak the protocol it should.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Engine, NetworkAddress, SessionError};

/// How long each answer is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many bytes of an answer are looked at.
const LOOKED_AT: usize = 48;
/// A request that PostgreSQL answers with one letter (`SSLRequest` in "Message Formats"); an empty line behind it
/// makes servers speak that read lines.
const REQUEST: &[u8] = b"\x00\x00\x00\x08\x04\xd2\x16\x2f\r\n\r\n";

/// Tells apart, among endpoints that could not be talked to, those where something else answers.
///
/// Opens a connection of its own and sends no name and no password. An error that says more than "does not
/// answer" is passed on as it is.
pub(super) async fn explain(error: SessionError, address: &NetworkAddress) -> SessionError {
    let SessionError::Unreachable { endpoint, source } = error else {
        return error;
    };
    let asking = tokio::time::timeout(4 * PATIENCE, ask(&address.host, address.port));
    let answer = asking.await.ok().flatten().unwrap_or_default();
    match recognise(&answer, address.engine) {
        Some(reason) => SessionError::Unsuitable { endpoint, reason },
        None => SessionError::Unreachable { endpoint, source },
    }
}

/// Returns the first bytes that the server says; `None` if nobody is there, empty if it says nothing.
async fn ask(host: &str, port: u16) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect((host, port)).await.ok()?;
    let greeting = listen(&mut stream).await;
    if !greeting.is_empty() {
        return Some(greeting);
    }
    stream.write_all(REQUEST).await.ok()?;
    Some(listen(&mut stream).await)
}

async fn listen(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; LOOKED_AT];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await;
    bytes.truncate(read.map_or(0, |read| read.unwrap_or(0)));
    bytes
}

/// Says what answers; `None` if it may be what was expected, or if it said nothing.
fn recognise(answer: &[u8], expected: Engine) -> Option<String> {
    let found = match answer {
        [] => return None,
        [b'S' | b'N' | b'E', ..] if answer.len() == 1 || answer.get(1) == Some(&0) => Engine::Postgres,
        // A packet's header, then the version of the protocol or an error ("Protocol::Handshake").
        [_, _, _, 0, 10 | 0xff, ..] => Engine::MySql,
        other => {
            let begin = String::from_utf8_lossy(other);
            let line = begin.lines().next().unwrap_or_default();
            return Some(format!(
                "what answers there is no {} server; it begins with `{}`",
                spoken(expected),
                line.escape_debug()
            ));
        }
    };
    (found != expected).then(|| format!("it is a {} server", spoken(found)))
}

fn spoken(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "PostgreSQL",
        Engine::MySql => "MySQL or MariaDB",
        Engine::Sqlite => "SQLite",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_apart_by_their_first_bytes() {
        let mariadb = b"\x5b\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB";
        for (answer, expected, told) in [
            (&b"S"[..], Engine::MySql, Some("it is a PostgreSQL server")),
            (b"N", Engine::Postgres, None),
            (b"E\x00\x00\x00\x30SFATAL", Engine::Postgres, None),
            (mariadb, Engine::MySql, None),
            (
                b"\x1f\x00\x00\x00\xff\x10\x04Too many connections",
                Engine::MySql,
                None,
            ),
            (b"", Engine::Postgres, None),
        ] {
            assert_eq!(recognise(answer, expected).as_deref(), told, "{answer:?}");
        }
        let other = recognise(mariadb, Engine::Postgres).unwrap();
        assert!(other.starts_with("it is a M"), "{other}");
        let ssh = recognise(b"SSH-2.0-x\x1b[31m\r\nmore", Engine::Postgres).unwrap();
        assert!(ssh.ends_with(r"begins with `SSH-2.0-x\u{1b}[31m`"), "{ssh}");
    }
}
