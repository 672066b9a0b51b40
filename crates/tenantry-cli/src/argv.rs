//! What is done to the arguments before they are parsed: colon names, other tools' words, help topics.

use std::ffi::OsString;

/// The colon names and the commands that they are full aliases of.
pub(crate) const ALIASES: [(&str, &str); 13] = [
    ("migrate:make", "make"),
    ("migrate:plan", "plan"),
    ("migrate:status", "status"),
    ("migrate:verify", "verify"),
    ("migrate:tenant", "tenant"),
    ("migrate:all-tenants", "all-tenants"),
    ("migrate:tenants", "all-tenants"),
    ("migrate:products", "products"),
    ("migrate:central", "central"),
    ("migrate:rollback", "rollback"),
    ("migrate:mark", "mark"),
    ("migrate:resolve", "resolve"),
    ("migrate:resume", "resume"),
];

/// What other tools call the migration of everything.
const FOREIGN: [&str; 5] = [
    "migrate:latest",
    "db:migrate",
    "tenants:migrate",
    "migrate_schemas",
    "up",
];

/// The same, as the second word after `migrate`.
const FOREIGN_AFTER_MIGRATE: [&str; 3] = ["deploy", "latest", "up"];

/// The command that the foreign words stand for.
pub(crate) const MIGRATE_EVERYONE: &str = "tenantry migrate all-tenants";

/// Global flags that take a value as the next argument.
const LONG_WITH_VALUE: [&str; 4] = ["--dir", "--config", "--progress", "--color"];

/// The same in short.
const SHORT_WITH_VALUE: [char; 2] = ['C', 'c'];

/// What the arguments turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Argv {
    /// Arguments to parse, colon names replaced.
    Parse(Vec<OsString>),
    /// A word of another tool.
    Foreign(String),
    /// `help exit-codes`.
    ExitCodes,
}

/// Sorts the arguments out; the first one is the program's name.
pub(crate) fn read(mut arguments: Vec<OsString>) -> Argv {
    let Some(at) = next_word(&arguments, 1) else {
        return Argv::Parse(arguments);
    };
    let word = text_at(&arguments, at).unwrap_or_default().to_owned();
    let second = next_word(&arguments, at + 1).and_then(|at| text_at(&arguments, at));
    if FOREIGN.contains(&word.as_str()) {
        return Argv::Foreign(word);
    }
    match (word.as_str(), second) {
        ("migrate", Some(second)) if FOREIGN_AFTER_MIGRATE.contains(&second) => {
            return Argv::Foreign(format!("migrate {second}"));
        }
        ("help", Some("exit-codes")) => return Argv::ExitCodes,
        _ => {}
    }
    // The topic of `help` is named in the same two ways.
    let named = if word == "help" {
        next_word(&arguments, at + 1)
    } else {
        Some(at)
    };
    if let Some(at) = named
        && let Some((_, command)) = ALIASES
            .iter()
            .find(|(alias, _)| text_at(&arguments, at) == Some(alias))
    {
        arguments.splice(at..=at, ["migrate".into(), (*command).into()]);
    }
    Argv::Parse(arguments)
}

/// Returns whether JSON was asked for, also where the arguments cannot be parsed.
pub(crate) fn wants_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|a| *a != "--")
        .any(|a| a == "--json" || a == "--ndjson")
}

fn text_at(arguments: &[OsString], at: usize) -> Option<&str> {
    arguments.get(at).and_then(|argument| argument.to_str())
}

/// Returns where the next argument stands that is neither a global flag nor a flag's value.
fn next_word(arguments: &[OsString], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(argument) = arguments.get(at) {
        let text = argument.to_str()?;
        if text == "--" {
            return None;
        }
        if !text.starts_with('-') || text == "-" {
            return Some(at);
        }
        at += if takes_next(text) { 2 } else { 1 };
    }
    None
}

/// Returns whether a flag's value is the next argument.
fn takes_next(flag: &str) -> bool {
    if flag.starts_with("--") {
        return LONG_WITH_VALUE.contains(&flag);
    }
    // In `-vC x` the last letter takes the value; in `-Cx` the rest is the value.
    let letters = flag.trim_start_matches('-');
    letters
        .find(SHORT_WITH_VALUE)
        .is_some_and(|at| at + 1 == letters.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn check(line: &str, expect: &str) {
        assert_eq!(read(words(line)), Argv::Parse(words(expect)), "{line}");
    }

    #[test]
    fn a_colon_name_is_the_space_form_wherever_the_flags_stand() {
        check(
            "tenantry migrate:products --product=kira -C x",
            "tenantry migrate products --product=kira -C x",
        );
        check(
            "tenantry -C x --json migrate:tenants",
            "tenantry -C x --json migrate all-tenants",
        );
        check("tenantry -qCx migrate:plan", "tenantry -qCx migrate plan");
        check("tenantry -qC x migrate:plan", "tenantry -qC x migrate plan");
        check(
            "tenantry --color=never --progress lines migrate:status acme",
            "tenantry --color=never --progress lines migrate status acme",
        );
    }

    #[test]
    fn a_topic_of_help_may_be_a_colon_name_too() {
        check("tenantry help migrate:status", "tenantry help migrate status");
        check(
            "tenantry -C x help migrate:tenants",
            "tenantry -C x help migrate all-tenants",
        );
        check("tenantry help tenant", "tenantry help tenant");
    }

    #[test]
    fn only_the_command_is_rewritten_and_never_an_argument() {
        check(
            "tenantry tenant show migrate:plan",
            "tenantry tenant show migrate:plan",
        );
        check("tenantry -C migrate:plan init", "tenantry -C migrate:plan init");
        check("tenantry -- migrate:plan", "tenantry -- migrate:plan");
        check("tenantry", "tenantry");
    }

    #[test]
    fn words_of_other_tools_are_recognised() {
        for word in [
            "migrate:latest",
            "db:migrate",
            "tenants:migrate",
            "migrate_schemas",
            "up",
        ] {
            let line = format!("tenantry -C x {word}");
            assert_eq!(read(words(&line)), Argv::Foreign(word.to_owned()));
        }
        assert_eq!(
            read(words("tenantry migrate -v deploy")),
            Argv::Foreign("migrate deploy".to_owned())
        );
        check("tenantry migrate make up", "tenantry migrate make up");
    }

    #[test]
    fn json_is_noticed_before_parsing() {
        assert!(wants_json(&words("tenantry nonsense --json")));
        assert!(!wants_json(&words("tenantry nonsense -- --json")));
    }
}
