//! What works without a key, and what says that it needs one, and which.

use std::fs;

use super::{Project, write_private};
use crate::stderr;

/// Everything that the registry answers without opening a password.
const NEED_NONE: [&[&str]; 9] = [
    &["config", "show"],
    &["server", "list"],
    &["tenant", "list"],
    &["tenant", "list", "--json"],
    &["product", "list"],
    &["migrate", "status"],
    &["run", "list"],
    &["audit", "list"],
    &["key", "list"],
];

/// Everything that opens or seals one.
const NEED_ONE: [&[&str]; 13] = [
    &["server", "check", "net"],
    &["server", "set", "net", "--direct-host", "127.0.0.1"],
    &["tenant", "create", "new", "--jurisdiction", "uk"],
    &["migrate", "tenant", "t000001"],
    &["migrate", "all-tenants"],
    &["migrate", "plan"],
    &["migrate", "status", "--live"],
    &["migrate", "verify"],
    &["migrate", "rollback", "t000001", "--step", "1"],
    &["product", "provision", "kira", "--tenant", "t000001"],
    &[
        "server",
        "add",
        "two",
        "--engine",
        "postgres",
        "--jurisdiction",
        "uk",
        "--host",
        "127.0.0.1",
        "--port",
        "1",
        "--admin-user",
        "admin",
        "--admin-password-file",
        "password",
    ],
    &["key", "rewrap"],
    &["key", "rotate"],
];

/// A project with what these commands take.
fn project() -> Project {
    let project = Project::with_tenants(2);
    let product = project.path().join("migrations/products/kira");
    fs::create_dir_all(&product).unwrap();
    fs::write(
        product.join("001_first.sql"),
        "CREATE TABLE first (id INTEGER);\n",
    )
    .unwrap();
    fs::write(project.path().join("password"), "sesame\n").unwrap();
    project
}

#[test]
fn without_a_key_everything_works_that_opens_no_password() {
    let project = project();
    fs::remove_file(project.key_file()).unwrap();
    for arguments in NEED_NONE {
        project.ends(0, arguments);
    }
    let id = project.keys().keys().next().unwrap().clone();
    assert_eq!(project.keys()[&id], ("active".to_owned(), false, 3));
    for arguments in NEED_ONE {
        let said = stderr(&project.ends(3, arguments));
        assert!(said.contains("error[TN-1005]"), "{arguments:?}: {said}");
        assert!(said.contains("none is configured"), "{arguments:?}: {said}");
    }
    // A fleet of files needs none.
    let add = [
        "server",
        "add",
        "files",
        "--engine",
        "sqlite",
        "--jurisdiction",
        "eu",
        "--path",
        "data",
    ];
    project.ends(0, &add);
    project.ends(0, &["tenant", "create", "acme", "--jurisdiction", "eu"]);
    project.ends(0, &["migrate", "tenant", "acme"]);
}

#[test]
fn a_wrong_key_says_which_is_needed_and_which_are_here() {
    let project = project();
    let [needed] = <[String; 1]>::try_from(project.ids()).unwrap();
    write_private(
        &project.key_file(),
        format!("{}\n{}\n", "ab".repeat(32), "cd".repeat(32)),
    );
    let here = project.ids();
    for arguments in NEED_NONE {
        project.ends(0, arguments);
    }
    for arguments in NEED_ONE {
        let output = crate::tenantry(project.path(), arguments);
        let all = format!("{}{}", stderr(&output), crate::stdout(&output));
        assert!(
            all.contains("TN-1005") || all.contains("TN-7005"),
            "{arguments:?}: {output:?}"
        );
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            all.contains(&needed),
            "{arguments:?} does not name the key: {all}"
        );
        assert!(
            all.contains(&here[0]),
            "{arguments:?} does not name the keys here: {all}"
        );
    }
}
