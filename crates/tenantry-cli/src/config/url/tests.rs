//! Database URLs, friendly and hostile.

use secrecy::ExposeSecret as _;

use super::*;

fn network(url: &str) -> NetworkAddress {
    match parse(url, Path::new("/project")) {
        Ok(Address::Network(address)) => address,
        other => panic!("{url}: {other:?}"),
    }
}

fn refused(url: &str) -> String {
    parse(url, Path::new("/project")).expect_err(url)
}

#[test]
fn a_url_becomes_explicit_fields() {
    let at = network("postgres://ann:p%40ss%2Fw%3A@db.example.test:6000/plat%20form?sslmode=require");
    assert_eq!((at.engine, at.port), (Engine::Postgres, 6000));
    assert_eq!(
        (at.host.as_str(), at.database.as_str()),
        ("db.example.test", "plat form")
    );
    assert_eq!(
        (at.login.user.as_str(), at.login.password.expose_secret()),
        ("ann", "p@ss/w:")
    );
    assert_eq!(at.tls, Tls::Require);
    let at = network("mariadb://root@[::1]/central");
    assert_eq!(
        (at.engine, at.host.as_str(), at.port),
        (Engine::MySql, "::1", 3306)
    );
    assert_eq!(at.login.password.expose_secret(), "");
}

#[test]
fn tls_is_verified_unless_the_host_is_this_machine() {
    assert_eq!(network("postgres://u@db/x").tls, Tls::VerifyFull { ca_pem: None });
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        assert_eq!(
            network(&format!("postgres://u@{host}/x")).tls,
            Tls::Disable,
            "{host}"
        );
    }
    for host in ["localhost.example.test", "127.0.0.1.nip.io", "0.0.0.0"] {
        let tls = network(&format!("postgres://u@{host}/x")).tls;
        assert_eq!(tls, Tls::VerifyFull { ca_pem: None }, "{host}");
    }
}

#[test]
fn a_root_certificate_is_read_from_the_project() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "PEM").unwrap();
    let tls = |query: &str| match parse(&format!("postgres://u@db/x?{query}"), folder.path()) {
        Ok(Address::Network(address)) => Ok(address.tls),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let pem = || "PEM".to_owned();
    assert_eq!(
        tls("sslrootcert=ca.pem"),
        Ok(Tls::VerifyFull {
            ca_pem: Some(pem().into())
        })
    );
    for query in ["sslmode=verify-ca&sslrootcert=ca.pem", "sslmode=verify-ca"] {
        let said = tls(query).unwrap_err();
        assert!(said.contains("verify-full"), "{said}");
    }
    assert!(tls("sslmode=require&sslrootcert=ca.pem").is_err());
    assert!(tls("sslrootcert=none.pem").is_err());
}

#[test]
fn a_sqlite_path_starts_from_the_project() {
    for (url, path) in [
        ("sqlite:data/central.db", "/project/data/central.db"),
        ("sqlite://data/central.db", "/project/data/central.db"),
        ("sqlite:///var/central.db", "/var/central.db"),
        ("sqlite:a%20b.db", "/project/a b.db"),
    ] {
        match parse(url, Path::new("/project")) {
            Ok(Address::Sqlite(at)) => assert_eq!(at.path(), Path::new(path), "{url}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_and_named() {
    assert!(refused("postgres://u@h/x?options=-csearch_path%3Dpublic").contains("`options`"));
    assert!(refused("postgres://u@h/x?host=/tmp").contains("`host`"));
    assert!(refused("sqlite:x.db?mode=rwc").contains("`mode`"));
    assert!(refused("postgres://u@h/x?sslmode=prefer").contains("sslmode"));
    assert!(refused("postgres://u@h/x?sslmode=require&sslmode=disable").contains("twice"));
}

#[test]
fn hostile_urls_are_refused_without_showing_the_password() {
    for url in [
        "",
        "postgres",
        "postgres:u:secret@h/x",
        "oracle://u:secret@h/x",
        "postgres://h/x",
        "postgres://:secret@h/x",
        "postgres://u:secret@/x",
        "postgres://u:secret@h",
        "postgres://u:secret@h/",
        "postgres://u:secret@h/a/b",
        "postgres://u:sec/secret@h/x",
        "postgres://u:sec#secret@h/x",
        "postgres://u:sec?secret@h/x",
        "postgres://u:sec@secret@h/x",
        "postgres://u:sec:secret@h/x",
        "postgres://u:secret@h1,h2/x",
        "postgres://u:secret@%2Fvar%2Frun/x",
        "postgres://u:secret@h:0/x",
        "postgres://u:secret@h:65536/x",
        "postgres://u:secret@h:+5/x",
        "postgres://u:secret@[::1/x",
        "postgres://u:secret@[nonsense]/x",
        "postgres://u:secret@[::1]5432/x",
        "postgres://u:secret@h/%00",
        "postgres://u:secret@h/%zz",
        "postgres://u:secret@h/%f",
        "postgres://u:secret@h/%+1",
        "postgres://u:secret@h/%ff",
        "postgres://u:secret@h/x\n",
        "postgres://u:secret@h/x?secret%1b=1&b",
        "postgres://u:secret@h/%é",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:data/",
        "sqlite:..",
    ] {
        let error = refused(url);
        assert!(
            !error.contains("secret") || url.contains("?secret%"),
            "{url}: {error}"
        );
        assert!(!masked(url, Path::new("/project")).contains("secret"), "{url}");
    }
}

#[test]
fn a_shown_url_has_no_password() {
    let url = "postgres://ann:hunter2@db.example.test/central?sslmode=require";
    assert_eq!(
        masked(url, Path::new("/")),
        "postgres://ann:***@db.example.test:5432/central"
    );
}
