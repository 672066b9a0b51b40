//! Lists, good and bad, through the reader.

use std::fmt::Write as _;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;
use crate::engine::{DirectEndpoint, Engine, Place as Stands, Tls};
use crate::secret::{KeyForm, Legacy, Profile};

fn server(name: &str, engine: Engine, jurisdiction: &str, place: Stands) -> ListedServer {
    ListedServer::for_tests(name, engine, jurisdiction, place)
}

fn network(host: &str, port: u16, direct: Option<(&str, u16)>) -> Stands {
    Stands::Network {
        host: host.to_owned(),
        port,
        tls: Tls::Disable,
        direct: direct.map(|(host, port)| DirectEndpoint {
            host: host.to_owned(),
            port,
        }),
    }
}

fn servers() -> Vec<ListedServer> {
    vec![
        server("files", Engine::Sqlite, "uk", Stands::Folder("/data".into())),
        server("uk-1", Engine::Postgres, "uk", network("127.0.0.1", 5432, None)),
        server(
            "uk-2",
            Engine::MySql,
            "uk",
            network("db2.uk.internal", 3306, Some(("own.uk.internal", 3307))),
        ),
        server(
            "eu-1",
            Engine::Postgres,
            "eu",
            network("db.eu.internal", 5432, None),
        ),
        server(
            "eu-2",
            Engine::Postgres,
            "eu",
            network("db.eu.internal", 5433, None),
        ),
    ]
}

fn csv(text: &str) -> Result<Listed, ImportError> {
    read(&Source::Csv(text.as_bytes()), &Rules::default(), &servers())
}

fn json(text: &str) -> Result<Listed, ImportError> {
    read(&Source::Json(text.as_bytes()), &Rules::default(), &servers())
}

/// Returns the problems of a list with these values in one row.
fn told(fields: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("id", "1"),
        ("slug", "acme"),
        ("server", "uk-1"),
        ("db_name", "tenant_1"),
        ("db_username", "tenant_1"),
        ("db_password", "secret"),
    ];
    for field in fields {
        all.retain(|(name, _)| name != &field.0);
        all.push(*field);
    }
    let object: serde_json::Map<_, _> = all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    match json(&serde_json::Value::from(vec![object]).to_string()) {
        Ok(_) => String::new(),
        Err(ImportError::Rows(problems)) => {
            let lines: Vec<String> = problems.shown().iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_list_is_read_as_csv_and_as_json_alike() {
    let table = "id,Slug,name,domain,db_host,dbPort,db_name,db_username,db_password,kira.db_name,kira.db_username,kira.db_password,plan\n\
                 7,acme,\"Acme, Ltd\",a.example b.example,localhost,5432,tenant_A-1_shared,Tenant.A,\" p%40@'\"\"\\ü\",kira-1,k,=1+1,gold\n\
                 8,globex,,,127.0.0.1,,t8,t8,x,,,,\n";
    let items = r#"[{"id": 7, "slug": "acme", "name": "Acme, Ltd", "domain": ["a.example", "b.example"],
        "dbHost": "localhost", "db_port": 5432, "db_name": "tenant_A-1_shared", "db_username": "Tenant.A",
        "db_password": " p%40@'\"\\ü", "plan": null,
        "products": [{"type": "kira", "db_name": "kira-1", "db_username": "k", "db_password": "=1+1"}]},
        {"id": "8", "slug": "globex", "db_host": "::1", "db_name": "t8", "db_username": "t8", "db_password": "x"}]"#;
    for listed in [csv(table).unwrap(), json(items).unwrap()] {
        assert_eq!(listed.ignored, ["plan"]);
        let [acme, globex] = listed.entries.as_slice() else {
            panic!("{listed:?}")
        };
        assert_eq!((acme.id.as_str(), acme.name.as_deref()), ("7", Some("Acme, Ltd")));
        assert_eq!(acme.jurisdiction.as_str(), "uk");
        assert_eq!(acme.domains.len(), 2);
        let [shared, kira] = acme.databases.as_slice() else {
            panic!("{acme:?}")
        };
        assert_eq!(
            (shared.server.as_str(), shared.name.as_str()),
            ("uk-1", "tenant_A-1_shared")
        );
        let login = shared.login.as_ref().unwrap();
        assert_eq!(
            (login.user.as_str(), login.password.expose_secret()),
            ("Tenant.A", " p%40@'\"\\ü")
        );
        // A product without a place of its own stands where the tenant does, and a formula is a text.
        assert_eq!(
            (kira.server.as_str(), kira.product.as_ref().unwrap().as_str()),
            ("uk-1", "kira")
        );
        assert_eq!(kira.login.as_ref().unwrap().password.expose_secret(), "=1+1");
        assert_eq!(
            (globex.name.as_deref(), globex.status, globex.databases.len()),
            (None, None, 1)
        );
        assert!(!format!("{listed:?}").contains("p%40"));
    }
}

#[test]
fn a_column_of_json_holds_products() {
    let listed = csv(
        "id,slug,server,db_name,products\n1,acme,files,a.db,\"[{\"\"type\"\": \"\"kira\"\", \"\"dbName\"\": \"\"k.db\"\"}]\"\n",
    );
    assert_eq!(listed.unwrap().entries[0].databases[1].name, "k.db");
    for bad in ["{", "{}", "[1]", "7"] {
        let text = format!("id,slug,server,db_name,products\n1,acme,files,a.db,{bad}\n");
        let Err(ImportError::Rows(problems)) = csv(&text) else {
            panic!("{bad}")
        };
        assert_eq!(problems.shown()[0].field, "products", "{bad}");
    }
}

#[test]
fn other_names_are_mapped() {
    let map = |theirs: &str, ours: &str| (theirs.to_owned(), ours.parse().unwrap());
    let rules = Rules {
        names: Names::new(vec![
            map("subdomain", "slug"),
            map("state", "status"),
            map("k", "kira.db_name"),
        ]),
        statuses: vec![("2".to_owned(), TenantStatus::Suspended)],
        ..Rules::default()
    };
    let text = "id,subdomain,slug,state,server,db_name,k\n1,acme,X Y,2,files,a.db,k.db\n";
    let listed = read(&Source::Csv(text.as_bytes()), &rules, &servers()).unwrap();
    assert_eq!(listed.ignored, ["slug"]);
    assert_eq!(listed.entries[0].status, Some(TenantStatus::Suspended));
    assert_eq!(listed.entries[0].databases[1].name, "k.db");
    let unused = read(&Source::Csv(b"id,slug,db_name\n"), &rules, &servers()).unwrap_err();
    assert!(matches!(unused, ImportError::NoSuchColumn { given, .. } if given == "subdomain"));
    let unused = read(&Source::Json(br#"[{"id": 1, "slug": "a"}]"#), &rules, &servers()).unwrap_err();
    assert!(
        matches!(unused, ImportError::NoSuchColumn { .. } | ImportError::Rows(_)),
        "{unused}"
    );
}

#[test]
fn a_table_lacks_nothing_and_says_nothing_twice() {
    let missing = csv("slug,name\nacme,x\n").unwrap_err();
    assert!(missing.to_string().contains("`id`, `db_name`"), "{missing}");
    let twice = csv("id,slug,db_name,dbName\n").unwrap_err();
    assert!(twice.to_string().contains("`db_name` and `dbName`"), "{twice}");
    let short = csv("id,slug,db_name\n1,acme,x\n2,globex\n").unwrap_err();
    assert!(short.to_string().contains("line 3 has 2 values"), "{short}");
    assert_eq!(csv("").unwrap_err().code().0, 6020);
    for bad in ["", "{}", "[{}] x", "[1", "nonsense"] {
        assert_eq!(json(bad).unwrap_err().code().0, 6020, "{bad}");
    }
    assert_eq!(json("[7]").unwrap_err().code().0, 6021);
    assert!(csv("id,slug,db_name\n").unwrap().entries.is_empty());
}

#[test]
fn names_of_databases_are_any_that_the_engine_takes() {
    for good in [
        "tenant_1b-2c_shared",
        "Tenant.One",
        "a b",
        "a\"b",
        "a`b",
        "a'b;--",
        "ü",
        "数据",
        "🔑",
    ] {
        assert_eq!(told(&[("db_name", good)]), "", "{good}");
    }
    let long = "é".repeat(32);
    for bad in [
        "",
        "a\0b",
        "a\nb",
        "a\u{202e}b",
        "a\u{200b}b",
        "postgres",
        "pg_x",
        "template0",
        &long,
    ] {
        let told = told(&[("db_name", bad)]);
        assert!(told.starts_with("item [0]: db_name "), "{bad:?} {told}");
    }
    assert!(told(&[("server", "uk-2"), ("db_name", "🔑")]).contains("MySQL"));
    let file = |name: &str| {
        let text = serde_json::json!([{"id": "1", "slug": "a", "server": "files", "db_name": name}]);
        json(&text.to_string())
    };
    assert!(file("a.db").is_ok());
    for bad in ["../a.db", "/etc/passwd", "a/b.db", "..", "a\\b"] {
        assert!(file(bad).is_err(), "{bad}");
    }
}

#[test]
fn every_value_is_checked_and_all_that_is_wrong_is_told() {
    for (field, value, what) in [
        ("id", "a,b", "comma"),
        ("id", "a\u{1b}[31m", "control character"),
        ("slug", "Acme", "begin with a letter"),
        ("slug", "=1+1", "begin with a letter"),
        ("name", "Ac\nme", "control character"),
        ("domain", "https://a.example", "without scheme"),
        ("status", "trial", "neither active nor suspended"),
        ("jurisdiction", "eu", "`uk-1` is in `uk`"),
        ("server", "uk-9", "not registered"),
        ("db_port", "0", "no port"),
        ("db_port", "65536", "no port"),
        ("db_port", "-1", "no port"),
        ("db_port", "5432 ", "no port"),
        ("db_port", "22", "not that of the server"),
        ("db_host", "elsewhere", "not that of the server"),
        ("db_username", "a\0", "control character"),
        ("db_username", "", "is missing"),
        ("db_username", "postgres", "administers the server"),
        ("db_password", "", "is missing"),
        ("db_password", "a\0b", "control character"),
        ("db_password", "a\nb", "control character"),
        ("external_id", "*", "mean something else"),
    ] {
        let told = told(&[(field, value)]);
        assert!(
            told.contains(field) && told.contains(what),
            "{field} {value:?}: {told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(!told.contains('\u{1b}') && !told.contains("secret"), "{told}");
    }
    assert_eq!(
        told(&[("slug", "A"), ("db_port", "x"), ("name", "\t")])
            .lines()
            .count(),
        3
    );
}

#[test]
fn a_password_is_taken_exactly_and_never_told() {
    let long = "x".repeat(10_000);
    for good in ["%", "@", "'", "\\", "\"", "pä 密🔑", " a ", "p%40@:/?#[]", &long] {
        assert_eq!(told(&[("db_password", good)]), "", "{good}");
    }
    let canary = format!("canary{}", "y".repeat(70_000));
    assert!(!told(&[("db_password", &canary)]).contains("canary"));
    assert!(told(&[("db_password", &canary)]).contains("64 KiB"));
    assert!(!told(&[("db_password", "canary\0")]).contains("canary"));
}

#[test]
fn a_server_is_found_by_name_or_place_and_never_guessed() {
    let at = |fields: &[(&str, &str)]| {
        let mut all = vec![("server", "")];
        all.extend_from_slice(fields);
        told(&all)
    };
    for host in ["localhost", "127.0.0.1", "[::1]", "LOCALHOST."] {
        assert_eq!(at(&[("db_host", host), ("db_port", "5432")]), "", "{host}");
    }
    assert_eq!(at(&[("db_host", "OWN.uk.internal."), ("db_port", "3307")]), "");
    assert!(at(&[]).contains("server is missing"));
    assert!(at(&[("db_port", "5432")]).contains("db_host is missing"));
    assert!(at(&[("db_host", "nowhere")]).contains("no registered server"));
    assert!(at(&[("db_host", "localhost"), ("db_port", "5433")]).contains("no registered server"));
    assert!(at(&[("db_host", "db.eu.internal")]).contains("the server `eu-1` and the server `eu-2`"));
}

#[test]
fn a_product_stays_in_the_jurisdiction_and_comes_once() {
    let products = |products: &str| told(&[("products", products)]);
    let one = r#"{"type": "kira", "db_name": "k", "db_username": "k", "db_password": "k""#;
    assert_eq!(products(&format!("[{one}}}]")), "");
    assert!(products(&format!(r#"[{one}, "server": "eu-1"}}]"#)).contains("in the jurisdiction `eu`"));
    assert!(products(&format!("[{one}}}, {one}}}]")).contains("`kira` comes twice"));
    assert!(products(&format!(r#"[{one}, "status": "suspended"}}]"#)).contains("kira.status"));
    assert!(products(&format!(r#"[{one}, "id": "{}"}}]"#, "x".repeat(37))).contains("kira.id"));
    assert!(products(r#"[{"type": "Kira"}]"#).contains("products.type"));
    assert!(products(r#"[{"db_name": "k"}]"#).contains("products.type is missing"));
    assert!(products(r#"[{"type": "kira"}]"#).contains("kira.db_name is missing"));
}

#[test]
fn passwords_come_from_a_file_beside_the_list() {
    let file = |text: &str| PasswordsFile::parse(text.as_bytes());
    let rules = |text: &str| Rules {
        passwords: Passwords {
            file: file(text).unwrap(),
            legacy: None,
        },
        ..Rules::default()
    };
    let list = "id,slug,server,db_name,db_username,db_password,kira.db_name,kira.db_username\n1,acme,uk-1,a,a,,k,k\n";
    let read_with = |rules: &Rules, list: &str| read(&Source::Csv(list.as_bytes()), rules, &servers());
    let listed = read_with(&rules("id,product,password\n1,,one\n1,kira,\"two, 'x'\"\n"), list).unwrap();
    let words: Vec<&str> = listed.entries[0]
        .databases
        .iter()
        .map(|database| database.login.as_ref().unwrap().password.expose_secret())
        .collect();
    assert_eq!(words, ["one", "two, 'x'"]);
    let both = read_with(&rules("id,password\n1,one\n"), &list.replace("a,a,,", "a,a,x,")).unwrap_err();
    assert!(matches!(both, ImportError::Rows(_)));
    assert!(file("id,product\n").is_err());
    let twice = file("id,password\n1,canary\n1,canary\n").unwrap_err();
    assert!(
        twice.to_string().contains("line 3") && !twice.to_string().contains("canary"),
        "{twice}"
    );
}

#[test]
fn after_three_unreadable_passwords_nobody_tries_another_one() {
    let rules = Rules {
        passwords: Passwords {
            legacy: Some(Legacy::new(Profile::IvHex, KeyForm::Sha256, b"key", None).unwrap()),
            file: PasswordsFile::default(),
        },
        ..Rules::default()
    };
    let list = |rows: u32| {
        let mut text = "id,slug,server,db_name,db_username,db_password\n".to_owned();
        for row in 1..=rows {
            writeln!(text, "{row},t{row},uk-1,t{row},t{row},00:11").unwrap();
        }
        read(&Source::Csv(text.as_bytes()), &rules, &servers()).unwrap_err()
    };
    let ImportError::Rows(two) = list(2) else {
        panic!("two are told as rows")
    };
    assert_eq!(two.count(), 2);
    let three = list(1_000);
    assert!(three.to_string().ends_with("line 2, line 3, line 4"), "{three}");
    assert_eq!(three.code().0, 7010);
}

#[test]
fn files_in_another_encoding_are_refused_with_the_line() {
    let told = |bytes: &[u8]| {
        read(&Source::Csv(bytes), &Rules::default(), &servers())
            .unwrap_err()
            .to_string()
    };
    assert!(told(b"id,slug,db_name\n1,M\xfcller,x\n").contains("line 2 is not in UTF-8"));
    assert!(told(b"\xff\xfei\0d\0").contains("UTF-16"));
    assert!(told(b"id,slug,db_name\n1,a\0,x\n").contains("zero byte"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), cells in "[a-z0-9,\"\n=+{}\\[\\]:;'`-]{0,200}") {
        let table = format!("id,slug,server,db_name,products\n{cells}");
        for text in [bytes.as_slice(), table.as_bytes(), cells.as_bytes()] {
            drop(read(&Source::Csv(text), &Rules::default(), &servers()));
            drop(read(&Source::Json(text), &Rules::default(), &servers()));
        }
    }
}
