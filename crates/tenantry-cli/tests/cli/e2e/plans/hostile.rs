//! Plan files that anybody may have written, and files that are no plans.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::{OUT, RUN, planned, runs, saved, versions};
use crate::output::stderr;
use crate::platform::Platform;

/// Checks that the plan is refused with this exit code, and returns the message.
fn refused(platform: &Platform, exit: i32) -> String {
    let before = runs(platform);
    let said = stderr(&platform.ends(exit, &RUN));
    assert_eq!(runs(platform), before);
    assert_eq!(versions(platform), ["1"; 5]);
    said
}

#[test]
fn a_file_that_is_no_plan_is_told_with_its_place() {
    let platform = planned();
    let whole = fs::read_to_string(platform.path("plan.json")).unwrap();
    let cut = whole.lines().take(7).collect::<Vec<_>>().join("\n");
    let foreign = whole.replacen("\"created_at\"", "\"made_at\"", 1);
    let cases = [
        (cut, "--> plan.json:7:", "EOF"),
        (foreign, "--> plan.json:4:", "unknown field `made_at`"),
        (
            whole.replacen(": 1", ": 2", 1),
            "",
            "its format is 2, and this program reads 1",
        ),
        (
            whole.replacen("\"head\"", "\"back_steps 1\"", 1),
            "",
            "`goal` cannot be `back_steps 1`",
        ),
        (
            whole.replacen("\"up\"", "\"down\"", 1),
            "",
            "`direction` cannot be `down`",
        ),
        (
            whole.replacen("\"products\"\n", "\"galaxies\"\n", 1),
            "",
            "`selection.tiers` cannot be",
        ),
        ("{}".to_owned(), "", "it has no `tenantry_plan`"),
        ("[1]".to_owned(), "", "it has no `tenantry_plan`"),
        (String::new(), "", "EOF"),
        ("[".repeat(100_000), "", "it has no `tenantry_plan`"),
        (
            format!(
                "{{\"tenantry_plan\": 1, \"groups\": {}{}}}",
                "[".repeat(100_000),
                "]".repeat(100_000)
            ),
            "--> plan.json:1:",
            "invalid type: sequence",
        ),
    ];
    for (text, place, why) in cases {
        platform.write("plan.json", &text);
        let said = refused(&platform, 2);
        assert!(said.contains("error[TN-4016]: plan.json is no plan"), "{said}");
        assert!(said.contains(place) && said.contains(why), "{why}: {said}");
    }
    fs::write(platform.path("plan.json"), [0xff, 0xfe, b'{']).unwrap();
    assert!(refused(&platform, 2).contains("no UTF-8 text"));
}

#[test]
fn a_plan_that_lost_its_files_is_refused() {
    let platform = planned();
    let mut edited = saved(&platform);
    edited["tracks"] = serde_json::json!([]);
    platform.write("plan.json", &edited.to_string());
    platform.write(
        "migrations/tenant/002_more.sql",
        "CREATE TABLE other (id INTEGER);\n",
    );
    let said = refused(&platform, 2);
    assert!(
        said.contains("the files of the track `tenant` are missing"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_too_large_or_no_ordinary_one_is_not_read() {
    let platform = planned();
    let path = platform.path("plan.json");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    assert!(refused(&platform, 2).contains("larger than 64 MiB"));
    fs::remove_file(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(refused(&platform, 2).contains("no ordinary file"));
    fs::remove_file(&path).unwrap();
    assert!(refused(&platform, 3).contains("error[TN-1010]"));
}

#[test]
fn names_out_of_a_plan_paint_nothing() {
    let platform = planned();
    let text = fs::read_to_string(platform.path("plan.json")).unwrap();
    let evil = text.replacen("\"acme\"", "\"ac\\u001b[31mme\\n::error::x\"", 1);
    let evil = evil.replacen("\"database\": \"", "\"database\": \"0", 1);
    platform.write("plan.json", &evil);
    let said = refused(&platform, 2);
    assert!(said.contains("`groups.targets.target` cannot be"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    assert!(
        said.lines().all(|line| !line.trim_start().starts_with("::")),
        "{said}"
    );
}

#[test]
fn a_plan_replaces_a_plan_and_nothing_else() {
    let platform = planned();
    platform.ends(0, &OUT);
    assert_eq!(saved(&platform)["tenantry_plan"], 1);
    for other in ["{\"name\": \"shop\"}", "[1]", "", "SELECT 1;\n"] {
        platform.write("plan.json", other);
        let said = stderr(&platform.ends(40, &OUT));
        assert!(
            said.contains("error[TN-4017]: plan.json is there, and is no plan"),
            "{said}"
        );
        let kept = fs::read_to_string(platform.path("plan.json")).unwrap();
        assert_eq!(kept, other);
    }
    platform.write("precious.json", "{\"tenantry_plan\": 1}");
    fs::remove_file(platform.path("plan.json")).unwrap();
    symlink("precious.json", platform.path("plan.json")).unwrap();
    assert!(stderr(&platform.ends(40, &OUT)).contains("TN-4017"));
    let names: Vec<_> = fs::read_dir(platform.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".part"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    let nowhere = ["migrate", "plan", "--out", "nowhere/plan.json"];
    assert!(stderr(&platform.ends(3, &nowhere)).contains("error[TN-1010]"));
}

#[test]
fn there_is_no_secret_in_a_plan() {
    let platform = planned();
    let text = fs::read_to_string(platform.path("plan.json")).unwrap();
    for word in ["password", "://", "key", "data/"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let mode = fs::metadata(platform.path("plan.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0);
}
