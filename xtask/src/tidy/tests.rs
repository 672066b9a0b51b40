//! Every rule is seen to find what it is for, and to leave good code alone.

use std::fs;

use super::findings;
use super::tree::Tree;

/// Writes the files into a folder, tidies it, and returns the findings as `path:line: what`.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let findings = findings(&Tree::read(folder.path()).unwrap());
    findings
        .iter()
        .map(|found| found.to_string().split(" - ").next().unwrap().to_owned())
        .collect()
}

#[test]
fn a_tidy_tree_has_no_findings() {
    let plan = "//! Plan.\nuse crate::engine::Engine;\nfn code() -> Code { Code(3001) }\n\
                #[cfg(test)]\nmod tests {\n    use std::env;\n}\n";
    let files = [
        ("crates/tenantry/src/plan.rs", plan),
        (
            "crates/tenantry/src/engine/postgres.rs",
            "//! Engine.\nuse tokio_postgres::Client;\n",
        ),
        (
            "crates/tenantry/src/registry/mod.rs",
            "//! Registry.\nuse sea_orm::entity;\n",
        ),
        ("crates/tenantry/tests/it.rs", "//! Tests.\nuse std::env;\n"),
        (
            "crates/tenantry/Cargo.toml",
            "[dependencies]\ntokio.workspace = true\n",
        ),
        ("docs/errors/TN-3001.md", "# TN-3001: a file has changed\n"),
        ("docs/dependencies.md", "| `tokio` | the runtime |\n"),
        ("target/debug/build.rs", "no introduction"),
    ];
    assert_eq!(found(&files), [""; 0]);
}

#[test]
fn the_library_names_no_terminal_environment_or_print() {
    let code = "//! Lib.\nuse std::{\n    env,\n    fmt,\n};\nfn a() { println!(); std::process::id(); }\n\
                fn b() { clap::a(); axum::b(); indicatif::c(); }\n";
    let expected = [
        "crates/tenantry/src/a.rs:3: names `std::env`",
        "crates/tenantry/src/a.rs:6: names `println!`",
        "crates/tenantry/src/a.rs:6: names `std::process::id`",
        "crates/tenantry/src/a.rs:7: names `axum::b`",
        "crates/tenantry/src/a.rs:7: names `clap::a`",
        "crates/tenantry/src/a.rs:7: names `indicatif::c`",
    ];
    assert_eq!(found(&[("crates/tenantry/src/a.rs", code)]), expected);
}

#[test]
fn pure_modules_name_no_runtime_and_no_behaviour_of_an_engine() {
    let code = "//! Plan.\nuse crate::engine::{Engine, Session};\nuse tokio::fs;\n";
    for path in [
        "crates/tenantry/src/plan.rs",
        "crates/tenantry/src/migration/a.rs",
    ] {
        let expected = [
            format!("{path}:2: names `crate::engine::Session`"),
            format!("{path}:3: names `tokio::fs`"),
        ];
        assert_eq!(found(&[(path, code)]), expected);
    }
}

#[test]
fn drivers_stay_in_the_engine_and_sea_orm_in_the_registry() {
    let code = "//! Run.\nuse rusqlite::Connection;\nuse sea_orm::entity;\n";
    let expected = [
        "crates/tenantry/src/run/a.rs:2: names `rusqlite::Connection`",
        "crates/tenantry/src/run/a.rs:3: names `sea_orm::entity`",
    ];
    assert_eq!(found(&[("crates/tenantry/src/run/a.rs", code)]), expected);
    let in_the_registry = found(&[(
        "crates/tenantry/src/registry/a.rs",
        "//! A.\nuse mysql_async::Conn;\n",
    )]);
    assert_eq!(
        in_the_registry,
        ["crates/tenantry/src/registry/a.rs:2: names `mysql_async::Conn`"]
    );
}

#[test]
fn codes_and_pages_belong_together() {
    let files = [
        (
            "crates/tenantry/src/a.rs",
            "//! A.\nfn a() { Code(2001) }\nfn b() { Code(2002) }\n",
        ),
        ("docs/errors/TN-2002.md", "no title\n"),
        ("docs/errors/TN-9999.md", "# TN-9999: nobody's\n"),
    ];
    let expected = [
        "crates/tenantry/src/a.rs:2: TN-2001 has no page",
        "docs/errors/TN-2002.md:1: the page has no title",
        "docs/errors/TN-9999.md:1: no code in crates/ is TN-9999",
    ];
    assert_eq!(found(&files), expected);
}

#[test]
fn files_are_introduced_short_and_small() {
    let long = format!("//! Long.\n{}", "fn a() {}\n".repeat(500));
    let large = "x".repeat(1024 * 1024 + 1);
    let files = [
        ("a.rs", "fn a() {}\n"),
        ("b.rs", &long),
        ("c.txt", &large),
        ("ARCHITECTURE.md", &"line\n".repeat(201)),
    ];
    let expected = [
        "ARCHITECTURE.md:200: 201 lines, more than 200",
        "a.rs:1: the file does not open with `//!`",
        "b.rs:500: 501 lines without tests, more than 500",
        "c.txt:1: 1048577 bytes, more than 1048576",
    ];
    assert_eq!(found(&files), expected);
}

#[test]
fn paths_of_one_machine_are_found_but_not_those_of_an_address() {
    let machine = format!("see /{}/x\nhttps://example.com/{}/y\n", "work", "work");
    assert_eq!(found(&[("a.md", &machine)]), ["a.md:1: names a path in /work"]);
}

#[test]
fn names_that_say_nothing_are_refused() {
    let files = [
        ("crates/a/src/string_utils.rs", "//! A.\n"),
        ("b.rs", "//! B.\npub(crate) mod helpers {}\n"),
    ];
    let expected = [
        "b.rs:2: module `helpers` says nothing",
        "crates/a/src/string_utils.rs:1: `string_utils` says nothing",
    ];
    assert_eq!(found(&files), expected);
}

#[test]
fn dependencies_are_documented_and_the_library_has_none_for_a_terminal() {
    let files = [
        (
            "crates/tenantry/Cargo.toml",
            "[dependencies]\nclap.workspace = true\n",
        ),
        ("crates/a/Cargo.toml", "[dev-dependencies]\ninsta = \"1\"\n"),
        (
            "docs/dependencies.md",
            "| `clap` | flags |\n| `gone` | nothing |\n",
        ),
    ];
    let expected = [
        "crates/a/Cargo.toml:2: `insta` is not in docs/dependencies.md",
        "crates/tenantry/Cargo.toml:2: the library depends on `clap`",
        "docs/dependencies.md:2: `gone` is no dependency",
    ];
    assert_eq!(found(&files), expected);
}
