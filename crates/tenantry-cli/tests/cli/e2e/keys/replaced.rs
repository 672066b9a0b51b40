//! Keys are rotated, secrets sealed anew, and old keys destroyed.

use std::fs;

use super::{Project, write_private};
use crate::{stderr, stdout};

const TENANTS: usize = 12;
/// The tenants' passwords and the server's.
const SECRETS: u64 = 13;

#[test]
fn a_key_is_replaced_from_its_first_day_to_its_last() {
    let project = Project::with_tenants(TENANTS);
    let [first] = <[String; 1]>::try_from(project.ids()).unwrap();
    assert_eq!(project.keys()[&first], ("active".to_owned(), true, SECRETS));

    let rotated = project.json(0, &["key", "rotate"]);
    assert_eq!(rotated["to_rewrap"], SECRETS);
    let ids = project.ids();
    let second = rotated["active"].as_str().unwrap().to_owned();
    assert_eq!(ids, [second.clone(), first.clone()]);
    assert_eq!(project.keys()[&first], ("opens".to_owned(), true, SECRETS));
    assert_eq!(project.keys()[&second], ("active".to_owned(), true, 0));
    project.assert_every_secret_opens(TENANTS);

    for key in [&first, &second] {
        let refused = project.json(40, &["key", "destroy", key]);
        assert_eq!(refused["code"], "TN-7006");
    }
    assert_eq!(project.ids(), ids, "nothing was taken off the ring");

    let rewrapped = project.json(0, &["key", "rewrap"]);
    assert_eq!(
        (&rewrapped["renewed"], &rewrapped["active"]),
        (&SECRETS.into(), &second.clone().into())
    );
    assert_eq!(project.json(0, &["key", "rewrap"])["renewed"], 0);
    project.assert_every_secret_opens(TENANTS);

    let kept = fs::read(project.key_file()).unwrap();
    for _ in 0..2 {
        project.ends(0, &["key", "destroy", &first]);
        assert_eq!(project.ids(), std::slice::from_ref(&second));
    }
    project.assert_every_secret_opens(TENANTS);
    assert_eq!(project.keys()[&first], ("destroyed".to_owned(), false, 0));

    // An old copy of the file comes back, with the destroyed key before the other.
    let text = String::from_utf8(kept).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    write_private(&project.key_file(), lines.join("\n"));
    for arguments in [&["key", "rotate"][..], &["key", "rewrap"]] {
        assert_eq!(project.json(40, arguments)["code"], "TN-7008");
    }
    let audit = project.json(0, &["audit", "list"]).to_string();
    for action in ["key.activate", "key.rewrap", "key.destroy"] {
        assert!(audit.contains(action), "{action}");
    }
    project.ends(0, &["audit", "verify"]);
}

#[test]
fn a_rotation_that_was_cut_off_behind_the_file_is_finished_by_the_same_command() {
    let project = Project::with_tenants(1);
    let old = fs::read_to_string(project.key_file()).unwrap();
    let new = "ab".repeat(32);
    write_private(&project.key_file(), format!("{new}\n{old}"));
    let rewrap = project.ends(40, &["key", "rewrap"]);
    let said = stderr(&rewrap);
    assert!(
        said.contains("error[TN-7005]") && said.contains("tenantry key rotate"),
        "{said}"
    );
    let rotated = project.json(0, &["key", "rotate"]);
    assert_eq!(rotated["active"], project.ids()[0]);
    assert_eq!(project.ids().len(), 2, "no third key was made");
    assert_eq!(project.json(0, &["key", "rewrap"])["renewed"], 2);
    project.assert_every_secret_opens(1);
}

#[test]
fn a_machine_with_the_old_keys_does_not_go_on_sealing() {
    let project = Project::with_tenants(1);
    let old = fs::read_to_string(project.key_file()).unwrap();
    project.ends(0, &["key", "rotate"]);
    let both = fs::read_to_string(project.key_file()).unwrap();
    write_private(&project.key_file(), &old);
    for arguments in [&["key", "rotate"][..], &["key", "rewrap"]] {
        let said = stderr(&project.ends(40, arguments));
        assert!(
            said.contains("error[TN-7005]") && said.contains("tenantry key list"),
            "{said}"
        );
    }
    assert_eq!(fs::read_to_string(project.key_file()).unwrap(), old);
    project.assert_every_secret_opens(1);

    // All keys are here, in an order that would let the replaced one seal.
    let mut lines: Vec<&str> = both.lines().collect();
    lines.reverse();
    write_private(&project.key_file(), lines.join("\n"));
    let said = stderr(&project.ends(40, &["key", "rotate"]));
    assert!(
        said.contains("put the key that seals before the others"),
        "{said}"
    );
}

#[test]
fn keys_from_a_variable_are_rotated_by_whoever_can_write_it() {
    let project = Project::with_tenants(1);
    let old = fs::read_to_string(project.key_file()).unwrap().trim().to_owned();
    fs::remove_file(project.key_file()).unwrap();
    let env = |keys: &str| {
        write_private(
            &project.path().join(".env"),
            format!("DB_ENCRYPTION_KEY={keys}\n"),
        );
    };
    env(&old);
    let said = stderr(&project.ends(3, &["key", "rotate"]));
    assert!(
        said.contains("error[TN-1013]") && said.contains("head -c 32 /dev/urandom | base64"),
        "{said}"
    );
    env(&format!("{},{old}", "cd".repeat(32)));
    project.ends(0, &["key", "rotate"]);
    assert_eq!(project.json(0, &["key", "rewrap"])["renewed"], 2);
    let gone = project
        .keys()
        .into_iter()
        .find(|(_, (state, ..))| state == "opens")
        .unwrap()
        .0;
    let said = stdout(&project.ends(0, &["key", "destroy", &gone]));
    assert!(
        said.contains(&format!("take key {gone} out of DB_ENCRYPTION_KEY")),
        "{said}"
    );
    assert!(!said.contains(&old), "{said}");
}

#[test]
fn a_project_without_any_key_gets_its_first() {
    let project = Project::new();
    fs::remove_dir_all(project.path().join(".tenantry")).unwrap();
    assert_eq!(stdout(&project.ends(0, &["key", "list"])), "");
    project.ends(0, &["key", "rotate"]);
    let ids = project.ids();
    assert_eq!(project.keys()[&ids[0]], ("active".to_owned(), true, 0));
}

#[test]
fn a_secret_that_does_not_open_is_named_and_left_as_it_is() {
    let project = Project::with_tenants(3);
    let sql = project.sql();
    sql.execute(
        "UPDATE tenantry_databases SET name = 'moved' WHERE id = 'id-000001'",
        [],
    )
    .unwrap();
    let secret = || -> String {
        sql.query_row(
            "SELECT secret FROM tenantry_databases WHERE id = 'id-000001'",
            [],
            |row| row.get(0),
        )
        .unwrap()
    };
    let before = secret();
    let [first] = <[String; 1]>::try_from(project.ids()).unwrap();
    project.ends(0, &["key", "rotate"]);
    let answer = project.json(20, &["key", "rewrap"]);
    assert_eq!(answer["renewed"], 3);
    let left = answer["unopened"].as_array().unwrap();
    assert_eq!(left.len(), 1, "{answer}");
    assert_eq!(
        (&left[0]["of"], &left[0]["code"]),
        (&"database `moved`".into(), &"TN-7004".into())
    );
    assert_eq!(secret(), before);
    let said = stdout(&project.ends(20, &["key", "rewrap"]));
    assert!(
        said.contains("error[TN-7007]: secrets that do not open, and stay as they are: 1")
            && said.contains("moved"),
        "{said}"
    );
    assert_eq!(project.json(40, &["key", "destroy", &first])["code"], "TN-7006");
}

/// Corpus B76, as a registry would have it: cut off, of an unknown format, algorithm or key, with something behind it.
#[test]
fn broken_envelopes_are_named_and_touch_no_other() {
    let project = Project::with_tenants(1);
    let sql = project.sql();
    let whole: String = sql
        .query_row("SELECT secret FROM tenantry_databases", [], |row| row.get(0))
        .unwrap();
    project.ends(0, &["key", "rotate"]);
    let with = |at: usize, letter: &str| format!("{}{letter}{}", &whole[..at], &whole[at + 1..]);
    let mut broken: Vec<String> = (0..whole.len())
        .step_by(7)
        .map(|len| whole[..len].to_owned())
        .collect();
    broken.extend([
        with(3, "2"),
        // Format, algorithm, key, data.
        with(9, "C"),
        with(11, "C"),
        with(20, if &whole[20..21] == "A" { "B" } else { "A" }),
        with(150, if &whole[150..151] == "A" { "B" } else { "A" }),
        format!("{whole}AAAA"),
        format!("{whole}="),
        "%_' OR 1=1 --".to_owned(),
        "пароль".to_owned(),
    ]);
    for secret in broken {
        sql.execute("UPDATE tenantry_databases SET secret = ?1", [&secret])
            .unwrap();
        let answer = project.json(20, &["key", "rewrap"]);
        let left = answer["unopened"].as_array().unwrap();
        assert_eq!(left.len(), 1, "{secret}: {answer}");
        assert_eq!(left[0]["of"], "database `tenant_0`");
        let code = left[0]["code"].as_str().unwrap();
        assert!(["TN-7004", "TN-1005"].contains(&code), "{secret}: {code}");
        project.ends(0, &["key", "list"]);
    }
    sql.execute("UPDATE tenantry_databases SET secret = ?1", [&whole])
        .unwrap();
    assert_eq!(project.json(0, &["key", "rewrap"])["renewed"], 1);
    project.assert_every_secret_opens(1);
}
