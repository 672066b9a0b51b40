//! Where keys come from, and what is refused there (corpus B74, B75).

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use super::{Project, write_private};
use crate::{stderr, stdout};

const CANARY: &str = "hunter2-canary-of-the-command";

/// Names a command as the source of the keys.
fn with_command(words: &[&str]) -> Project {
    let project = Project::new();
    let config = project.path().join("tenantry.toml");
    let text = fs::read_to_string(&config).unwrap();
    let command = format!("command = {}", serde_json::to_string(words).unwrap());
    fs::write(config, text.replace("file = \".tenantry/key\"", &command)).unwrap();
    project
}

/// Gives commands that read the keys; returns what they said, which holds no canary.
fn refused(project: &Project, code: &str) -> String {
    let mut said = String::new();
    for arguments in [&["config", "check"][..], &["-vvv", "key", "list"]] {
        let output = project.ends(3, arguments);
        said = stderr(&output);
        assert!(said.contains(&format!("error[{code}]")), "{said}");
        let all = format!("{said}{}", stdout(&output));
        assert!(!all.contains(CANARY), "{all}");
    }
    said
}

#[test]
fn a_command_prints_the_keys_and_gets_nothing_of_our_environment() {
    let project = Project::new();
    let file = project.key_file().display().to_string();
    let script = format!("test -z \"$DB_ENCRYPTION_KEY$HOME$TENANTRY_ENV\" && cat {file}; echo {CANARY} >&2");
    let config = project.path().join("tenantry.toml");
    let text = fs::read_to_string(&config).unwrap();
    let words = serde_json::to_string(&["/bin/sh", "-c", &script]).unwrap();
    fs::write(
        config,
        text.replace("file = \".tenantry/key\"", &format!("command = {words}")),
    )
    .unwrap();
    let checked = project.json(0, &["config", "check"]);
    assert_eq!(checked["key"], project.ids()[0]);
    for arguments in [&["-vvv", "key", "list"][..], &["config", "show", "--origin"]] {
        let output = project.ends(0, arguments);
        assert!(!format!("{output:?}").contains(CANARY), "{output:?}");
    }
    let said = stderr(&project.ends(3, &["key", "rotate"]));
    assert!(
        said.contains("error[TN-1013]") && said.contains("/bin/sh prints"),
        "{said}"
    );
}

#[test]
fn a_command_that_fails_is_refused_and_its_words_go_nowhere() {
    let fails = format!("echo {CANARY} >&2; echo {CANARY}; exit 1");
    for (words, why) in [
        (vec!["/no/such/program"], "cannot be started"),
        (vec!["/bin/sh", "-c", &fails], "exit status: 1"),
        (vec!["/bin/sh", "-c", "kill -9 $$"], "signal: 9"),
        (
            vec!["/bin/sh", "-c", "head -c 1000000 /dev/zero"],
            "more than 4096 bytes",
        ),
        (vec!["/usr/bin/yes", CANARY], "more than 4096 bytes"),
    ] {
        let said = refused(&with_command(&words), "TN-1012");
        assert!(said.contains(why), "{words:?}: {said}");
    }
    for script in [
        format!("echo {CANARY}"),
        String::new(),
        format!("printf '{CANARY}\\n{CANARY}\\n'"),
    ] {
        let said = refused(&with_command(&["/bin/sh", "-c", &script]), "TN-1005");
        assert!(said.contains("/bin/sh"), "{said}");
    }
    refused(&with_command(&["echo"]), "TN-1007");
}

#[test]
fn a_command_that_hangs_is_ended_with_what_it_has_started() {
    for script in [
        "sleep 60 & echo $! > child; wait",
        "exec >&-; sleep 60 & echo $! > child; wait",
    ] {
        let project = with_command(&["/bin/sh", "-c", script]);
        let began = Instant::now();
        let said = stderr(&project.ends(3, &["config", "check"]));
        assert!(
            said.contains("error[TN-1012]") && said.contains("within 10 s"),
            "{said}"
        );
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let child = fs::read_to_string(project.path().join("child")).unwrap();
        let runs = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.trim()));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        let until = Instant::now() + Duration::from_secs(5);
        while runs() {
            assert!(Instant::now() < until, "what it has started still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_key_file_is_trusted_or_refused() {
    let project = Project::new();
    let path = project.key_file();
    let hex = "5a".repeat(32);
    for (content, bytes) in [
        (vec![b'Q'; 31], Some("31")),
        (vec![b'Q'; 33], Some("33")),
        ([vec![b'Q'; 32], vec![b'\n']].concat(), Some("33")),
        (vec![0; 32], None),
        (vec![b'0'; 64], None),
    ] {
        write_private(&path, &content);
        let said = refused(&project, "TN-1005");
        let why = bytes.map_or("nothing but zeros".to_owned(), |bytes| {
            format!("has {bytes} bytes")
        });
        assert!(said.contains(&why), "{said}");
        assert!(!said.contains("QQ"), "{said}");
    }
    for content in [
        hex.clone(),
        format!("{hex}\n"),
        format!("{hex}\r\n"),
        "Q".repeat(32),
    ] {
        write_private(&path, content);
        project.ends(0, &["config", "check"]);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(&project, "TN-1005").contains("mode 0644"));
    let real = project.path().join("real");
    write_private(&real, &hex);
    fs::remove_file(&path).unwrap();
    symlink(&real, &path).unwrap();
    assert!(refused(&project, "TN-1005").contains("not a regular file"));
}
