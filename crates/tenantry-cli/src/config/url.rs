//! The central database's URL to explicit fields, strictly: what is not understood is an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use tenantry::engine::{Address, Engine, Login, NetworkAddress, SqliteAddress, Tls};

/// Reads a database URL. `folder` is what relative paths start from; certificate files are read.
///
/// # Errors
/// One sentence that says what is wrong, without any part of the URL that could be a secret.
pub(crate) fn parse(url: &str, folder: &Path) -> Result<Address, String> {
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it contains a space or a control character".to_owned());
    }
    let (scheme, rest) = url
        .split_once(':')
        .ok_or("it has no scheme such as postgres:, mysql: or sqlite:")?;
    match scheme {
        "postgres" | "postgresql" => network(Engine::Postgres, rest, folder),
        "mysql" | "mariadb" => network(Engine::MySql, rest, folder),
        "sqlite" => sqlite(rest, folder),
        _ => Err("its scheme is none of postgres:, mysql:, mariadb: and sqlite:".to_owned()),
    }
}

/// Returns a URL that can be shown: the password as `***`, or all of it if it cannot be read.
pub(crate) fn masked(url: &str, folder: &Path) -> String {
    match parse(url, folder) {
        Ok(Address::Sqlite(_)) => url.to_owned(),
        Ok(Address::Network(at)) => {
            let scheme = at.engine.as_str();
            let host = if at.host.contains(':') {
                format!("[{}]", at.host)
            } else {
                at.host
            };
            let (user, port, database) = (at.login.user.escape_debug(), at.port, at.database.escape_debug());
            format!("{scheme}://{user}:***@{host}:{port}/{database}")
        }
        Err(_) => "***".to_owned(),
    }
}

fn sqlite(rest: &str, folder: &Path) -> Result<Address, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if let Some((_, parameters)) = path.split_once('?') {
        let name = parameters.split(['=', '&']).next().unwrap_or_default();
        return Err(format!("parameter `{}` is not known", name.escape_debug()));
    }
    if path == ":memory:" {
        return Err("a database in memory is gone when the command ends".to_owned());
    }
    let path = decode(path)?;
    let path = folder.join(&path);
    let file = path.file_name().and_then(|name| name.to_str());
    let (Some(file), Some(parent)) = (file, path.parent()) else {
        return Err("it names no file".to_owned());
    };
    if rest.is_empty() || rest.ends_with('/') {
        return Err("it names a folder, not a file".to_owned());
    }
    Ok(Address::Sqlite(SqliteAddress {
        folder: parent.to_owned(),
        file: file.to_owned(),
    }))
}

fn network(engine: Engine, rest: &str, folder: &Path) -> Result<Address, String> {
    let rest = rest
        .strip_prefix("//")
        .ok_or("`//` is missing after the scheme")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    if after.contains(['@', '#']) || authority.matches('@').count() > 1 {
        return Err(
            "a character of the password must be escaped: `@` %40, `/` %2F, `#` %23, `?` %3F".to_owned(),
        );
    }
    let (login, endpoint) = authority.rsplit_once('@').ok_or("it names no user")?;
    let login = login_of(login)?;
    let (host, port) = host_and_port(engine, endpoint)?;
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    let database = decode(path.strip_prefix('/').unwrap_or_default())?;
    if database.is_empty() || path.matches('/').count() != 1 {
        return Err("it names no database: its path is not one `/` and a name".to_owned());
    }
    let tls = tls_of(&host, query, folder)?;
    Ok(Address::Network(NetworkAddress {
        engine,
        host,
        port,
        tls,
        direct: None,
        database,
        login,
    }))
}

fn login_of(text: &str) -> Result<Login, String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    if password.contains(':') {
        return Err("a character of the password must be escaped: `:` %3A".to_owned());
    }
    let user = decode(user)?;
    if user.is_empty() {
        return Err("it names no user".to_owned());
    }
    Ok(Login {
        user,
        password: SecretString::from(decode(password)?),
    })
}

fn host_and_port(engine: Engine, text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').map(|inner| inner.split_once(']')) {
        Some(Some((host, rest))) => {
            let address: Result<std::net::Ipv6Addr, _> = host.parse();
            address.map_err(|_| "what stands in brackets is no IPv6 address")?;
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err("after the brackets there is no port".to_owned());
            }
            (host, port)
        }
        Some(None) => return Err("a bracket is not closed".to_owned()),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if !host.bytes().all(plain) {
        return Err(
            "its host is not one name or address; sockets and lists of hosts are not possible".to_owned(),
        );
    }
    let port = match port {
        None => engine.default_port().unwrap_or_default(),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().unwrap_or(0),
        Some(_) => 0,
    };
    if port == 0 {
        return Err("its port is not a number from 1 to 65535".to_owned());
    }
    Ok((host.to_owned(), port))
}

fn tls_of(host: &str, query: &str, folder: &Path) -> Result<Tls, String> {
    let (mut mode, mut root) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = match name {
            "sslmode" => &mut mode,
            "sslrootcert" => &mut root,
            _ => {
                return Err(format!(
                    "parameter `{}` is not known; sslmode and sslrootcert are",
                    name.escape_debug()
                ));
            }
        };
        if slot.replace(decode(value)?).is_some() {
            return Err(format!("parameter `{name}` is given twice"));
        }
    }
    let ca_pem = root.map(|path| read_roots(&folder.join(path))).transpose()?;
    match (mode.as_deref(), ca_pem) {
        // Its driver adds the given authorities to the public ones, so that the name must be checked.
        (Some("verify-ca"), _) => Err(
            "sslmode=verify-ca is not possible for the central database; verify-full checks the name too"
                .to_owned(),
        ),
        (Some("require"), None) => Ok(Tls::Require),
        (Some("disable"), None) => Ok(Tls::Disable),
        (Some("require" | "disable"), Some(_)) => {
            Err("sslrootcert has no effect with this sslmode; verify-full checks it".to_owned())
        }
        (None, None) if is_loopback(host) => Ok(Tls::Disable),
        (Some("verify-full") | None, ca_pem) => Ok(Tls::VerifyFull { ca_pem }),
        (Some(_), _) => Err("sslmode is none of verify-full, require and disable".to_owned()),
    }
}

fn read_roots(path: &PathBuf) -> Result<Arc<str>, String> {
    std::fs::read_to_string(path)
        .map(Arc::from)
        .map_err(|error| format!("sslrootcert {} cannot be read: {error}", path.display()))
}

/// Returns whether a host is this machine, as far as its name tells: nobody is asked.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|ip| ip.is_loopback())
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decode(text: &str) -> Result<String, String> {
    let broken = || "a `%` is not followed by two hex digits that make UTF-8".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or_else(broken)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(broken());
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let text = String::from_utf8(bytes).map_err(|_| broken())?;
    if text.contains('\0') {
        return Err("it contains a zero byte".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
