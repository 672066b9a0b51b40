//! Arguments that are wrong, words of other tools, help, and `explain`.

use super::{only_json, stderr, stdout, tenantry};

#[test]
fn words_of_other_tools_get_the_answer_and_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["migrate:latest"][..],
        &["db:migrate"],
        &["tenants:migrate"],
        &["migrate_schemas"],
        &["migrate", "deploy"],
        &["up"],
    ] {
        let output = tenantry(folder.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("In tenantry this is:  tenantry migrate all-tenants"));
        assert_eq!(stdout(&output), "");
    }
}

#[cfg(not(feature = "faults"))]
#[test]
fn the_command_that_is_handed_out_knows_no_faults() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_tenantry")).unwrap();
    let holds = |text: &[u8]| binary.windows(text.len()).any(|bytes| bytes == text);
    assert!(holds(b"TENANTRY_CONFIG"));
    for text in [&b"TENANTRY_FAULTS"[..], b"rows_answered", b"no_intent"] {
        assert!(!holds(text), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn with_json_stdout_is_nothing_but_json_also_on_failure() {
    let folder = tempfile::tempdir().unwrap();
    for (words, exit) in [
        (&["nonsense", "--json"][..], 2),
        (&["--json"], 2),
        (&["migrate", "all-tenants", "--canary", "many", "--ndjson"], 2),
        (&["up", "--json"], 2),
        (&["config", "show", "--json"], 3),
        (&["--json", "explain", "TN-9999"], 4),
        (&["migrate", "make", "x", "--json"], 3),
    ] {
        let output = tenantry(folder.path(), words);
        assert_eq!(output.status.code(), Some(exit), "{words:?} {output:?}");
        let problem = only_json(&output);
        assert_eq!(problem["type"], "error", "{words:?}");
        assert_eq!(problem["exit_code"], exit, "{words:?}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    }
}

#[test]
fn help_and_version_are_json_where_json_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["--json", "--version"][..], &["--version", "--ndjson"]] {
        let version = only_json(&tenantry(folder.path(), words));
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"), "{words:?}");
    }
    for words in [
        &["--json", "--help"][..],
        &["migrate", "all-tenants", "-h", "--json"],
    ] {
        let help = only_json(&tenantry(folder.path(), words));
        assert!(
            help["help"].as_str().unwrap().contains("Usage: tenantry"),
            "{help}"
        );
    }
}

#[test]
fn who_goes_back_is_not_said_of_the_central_database() {
    let folder = tempfile::tempdir().unwrap();
    for choice in [
        "--only",
        "--tenants",
        "--except",
        "--jurisdiction",
        "--server",
        "--product",
    ] {
        let words = ["migrate", "rollback", "--central", choice, "acme"];
        let output = tenantry(folder.path(), &words);
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
    }
}

#[test]
fn an_error_code_is_explained_and_an_unknown_one_ends_with_4() {
    let folder = tempfile::tempdir().unwrap();
    let output = tenantry(folder.path(), &["explain", "1003"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("# TN-1003: "));
    let output = tenantry(folder.path(), &["explain", "TN-1099"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("tenantry explain TN-10"));
}

#[test]
fn help_begins_with_examples_and_lists_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["migrate", "all-tenants", "-h"][..],
        &["migrate:tenants", "--help"],
        &["--help"],
    ] {
        let output = tenantry(folder.path(), words);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).starts_with("Examples:\n"), "{words:?}");
    }
    let topic = stdout(&tenantry(folder.path(), &["help", "exit-codes"]));
    assert!(topic.contains("\n 143  terminated"), "{topic}");
}

#[test]
fn completions_know_the_colon_names() {
    let folder = tempfile::tempdir().unwrap();
    let script = stdout(&tenantry(folder.path(), &["completions", "fish"]));
    assert!(script.contains("migrate:all-tenants"));
}
