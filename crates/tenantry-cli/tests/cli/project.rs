//! `init`, `config` and `migrate make` on real folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::{only_json, stderr, stdout, tenantry};

fn initialised() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let output = tenantry(folder.path(), &["init"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    folder
}

#[test]
fn a_fresh_project_passes_its_own_check() {
    let folder = initialised();
    let output = tenantry(folder.path(), &["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let key = fs::metadata(folder.path().join(".tenantry/key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let checked = only_json(&tenantry(folder.path(), &["config", "check", "--json"]));
    assert_eq!(checked["central"], "sqlite:data/central.db");
}

#[test]
fn what_holds_passwords_never_reaches_version_control() {
    let folder = initialised();
    let ignored = fs::read_to_string(folder.path().join(".gitignore")).unwrap();
    for line in ["/.tenantry/", "/secrets/", "/.env"] {
        assert!(ignored.lines().any(|l| l == line), "{line} {ignored}");
    }
}

#[test]
fn a_new_user_of_a_server_is_told_how_its_central_database_is_named() {
    for scheme in ["postgres", "mysql"] {
        let folder = tempfile::tempdir().unwrap();
        let made = only_json(&tenantry(folder.path(), &["init", "--engine", scheme, "--json"]));
        let export = format!("export CENTRAL_DATABASE_URL='{scheme}://<user>:<password>@<host>/<database>'");
        assert_eq!(made["next"][0], export);
        let refused = stderr(&tenantry(folder.path(), &["migrate", "status"]));
        assert!(refused.contains("error[TN-1007]"), "{refused}");
        assert!(
            refused.contains("postgres://<user>:<password>@<host>/<database>"),
            "{refused}"
        );
    }
}

#[test]
fn init_leaves_a_folder_alone_that_is_not_empty() {
    let folder = initialised();
    let config = folder.path().join("tenantry.toml");
    fs::write(&config, "# mine\n").unwrap();
    let output = tenantry(folder.path(), &["init", "--json"]);
    assert_eq!(output.status.code(), Some(40));
    let problem = only_json(&output);
    assert_eq!(problem["code"], "TN-1004");
    assert!(
        problem["detail"][0]["text"]
            .as_str()
            .unwrap()
            .contains("tenantry.toml")
    );
    assert_eq!(fs::read_to_string(config).unwrap(), "# mine\n");
}

#[test]
fn every_engine_gives_a_configuration_that_can_be_read() {
    for (engine, url) in [
        ("postgres", "postgres://u:p@db/central"),
        ("mysql", "mysql://u:p@db/central"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = tenantry(folder.path(), &["init", "shop", "--engine", engine]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        fs::write(
            folder.path().join("shop/.env"),
            format!("CENTRAL_DATABASE_URL={url}\n"),
        )
        .unwrap();
        let output = tenantry(folder.path(), &["-C", "shop", "config", "show", "--origin"]);
        let shown = stdout(&output);
        assert!(shown.contains(":***@db"), "{shown}");
        assert!(!shown.contains(":p@"), "{shown}");
        assert!(shown.contains(".env CENTRAL_DATABASE_URL"), "{shown}");
    }
}

#[test]
fn a_typo_in_the_configuration_is_shown_with_its_place() {
    let folder = initialised();
    fs::write(folder.path().join("tenantry.toml"), "[run]\nconcurency = 5\n").unwrap();
    let output = tenantry(folder.path(), &["config", "check"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert!(text.contains("error[TN-1003]: unknown key `concurency`, did you mean `concurrency`?"));
    assert!(text.contains("--> tenantry.toml:2:1"), "{text}");
    assert!(text.contains("2 | concurency = 5"), "{text}");
}

#[test]
fn the_schema_is_json_and_knows_every_section() {
    let folder = tempfile::tempdir().unwrap();
    let schema = only_json(&tenantry(folder.path(), &["config", "schema"]));
    for section in ["central", "migrations", "naming", "run", "key"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn make_follows_the_folder_and_ends_with_the_path_of_the_way_forwards() {
    let folder = initialised();
    let output = tenantry(folder.path(), &["migrate:make", "Add Invoices"]);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{output:?}");
    assert!(lines[0].ends_with("_add_invoices.down.sql"));
    assert!(lines[1].starts_with("migrations/tenant/2") && lines[1].ends_with("_add_invoices.sql"));
    assert!(folder.path().join(lines[1]).is_file());

    let products = folder.path().join("migrations/products/kira");
    fs::create_dir_all(&products).unwrap();
    fs::write(products.join("007_first.sql"), "").unwrap();
    let words = ["migrate", "make", "second", "--product", "kira", "--json"];
    let made = only_json(&tenantry(folder.path(), &words));
    assert_eq!(made["version"], "008");
    assert_eq!(made["files"].as_array().unwrap().len(), 1);
    assert_eq!(made["track"], "product:kira");
}

#[test]
fn make_refuses_a_product_without_a_folder() {
    let folder = initialised();
    let output = tenantry(folder.path(), &["migrate", "make", "x", "--product", "kira"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("mkdir -p migrations/products/kira"));
}

#[test]
fn outside_of_a_project_the_searched_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = tenantry(folder.path(), &["config", "show"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("error[TN-1001]"));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_refused_file_leaves_no_tenant_behind() {
    let folder = initialised();
    let run = |arguments: &[&str]| tenantry(folder.path(), arguments);
    let add = [
        "server",
        "add",
        "local",
        "--engine",
        "sqlite",
        "--jurisdiction",
        "uk",
        "--path",
        "data",
    ];
    for arguments in [&["migrate", "central"][..], &add] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let file = folder.path().join("migrations/tenant/20990101000000_late.sql");
    fs::write(&file, "").unwrap();
    // The central database's own helper files come and go.
    let tenants = || {
        let entries = fs::read_dir(folder.path().join("data")).unwrap().flatten();
        entries
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("tenant_"))
            .count()
    };
    let output = run(&["tenant", "create", "acme"]);
    assert_eq!(output.status.code(), Some(40), "{output:?}");
    assert!(stderr(&output).contains("no database was touched"), "{output:?}");
    assert_eq!(tenants(), 0);
    assert_eq!(run(&["tenant", "show", "acme"]).status.code(), Some(4));

    fs::write(&file, "CREATE TABLE late (n INTEGER);\n").unwrap();
    let output = run(&["tenant", "create", "acme"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_server_that_does_not_answer_is_not_added_and_without_one_no_tenant_is_created() {
    let folder = initialised();
    let run = |arguments: &[&str]| tenantry(folder.path(), arguments);
    assert_eq!(run(&["migrate", "central"]).status.code(), Some(0));
    fs::write(folder.path().join("password"), "sesame\n").unwrap();
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
        .to_string();
    let place = ["--host", "127.0.0.1", "--port", &port];
    let admin = ["--admin-user", "admin", "--admin-password-file", "password"];
    let add = [
        "server",
        "add",
        "dead",
        "--engine",
        "postgres",
        "--jurisdiction",
        "uk",
    ];
    let added = run(&[&add[..], &place, &admin].concat());
    assert_eq!(added.status.code(), Some(20), "{added:?}");
    let said = stderr(&added);
    assert!(
        said.contains("error[TN-5001]") && said.contains("nothing was added"),
        "{said}"
    );
    assert_eq!(stdout(&run(&["server", "list"])), "");

    for words in [
        &["tenant", "create", "acme"][..],
        &["tenant", "create", "acme", "--jurisdiction", "uk"],
    ] {
        let created = run(words);
        assert_eq!(created.status.code(), Some(4), "{created:?}");
        let said = stderr(&created);
        assert!(
            said.contains("error[TN-6015]") && said.contains("nothing was created"),
            "{said}"
        );
    }
    assert_eq!(run(&["tenant", "show", "acme"]).status.code(), Some(4));
}

#[test]
fn what_init_names_next_works_in_that_order() {
    let folder = tempfile::tempdir().unwrap();
    let made = only_json(&tenantry(folder.path(), &["init", "shop", "--json"]));
    for next in made["next"].as_array().unwrap() {
        let words: Vec<&str> = next.as_str().unwrap().split(' ').skip(1).collect();
        let output = tenantry(folder.path(), &words);
        assert_eq!(output.status.code(), Some(0), "{next} {output:?}");
    }
    assert_eq!(made["next"].as_array().unwrap().len(), 4);
}
