//! Checks of the command tree itself: its help, its examples, its aliases.

use clap::{CommandFactory as _, Parser as _};

use super::*;
use crate::argv::{self, Argv};

/// Calls `see` with every command of the tree.
fn walk(command: &clap::Command, see: &mut dyn FnMut(&clap::Command)) {
    see(command);
    for child in command.get_subcommands().filter(|c| c.get_name() != "help") {
        walk(child, see);
    }
}

/// Splits an example the way a shell does, as far as the examples need it.
fn shell_words(line: &str) -> Vec<std::ffi::OsString> {
    let line = line.split('>').next().unwrap_or_default();
    let quoted = line.split('"').enumerate();
    let mut words = Vec::new();
    for (at, part) in quoted {
        if at % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(Into::into));
        }
    }
    words
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    match argv::read(shell_words(line)) {
        Argv::Parse(arguments) => Cli::try_parse_from(arguments),
        other @ (Argv::Foreign(_) | Argv::ExitCodes) => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_begins_with_examples_that_parse() {
    let mut root = Cli::command();
    root.build();
    walk(&root, &mut |command| {
        let name = command.get_name();
        let help = command
            .get_before_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        // A long example goes on in a second line, as in a shell.
        let help = help.replace("\\\n", "");
        let mut lines = help.lines();
        assert_eq!(lines.next(), Some("Examples:"), "{name}");
        let examples: Vec<_> = lines.collect();
        assert!((1..=3).contains(&examples.len()), "{name}");
        for example in examples {
            assert!(parse(example).is_ok(), "{name}: {example}");
        }
    });
}

#[test]
fn no_argument_of_a_command_takes_the_place_of_a_global_flag() {
    let root = Cli::command();
    let ids = |command: &clap::Command| -> Vec<String> {
        command
            .get_arguments()
            .map(|arg| arg.get_id().to_string())
            .collect()
    };
    let globals = ids(&root);
    assert!(globals.contains(&"dir".to_owned()));
    for child in root.get_subcommands() {
        walk(child, &mut |command| {
            let clash = ids(command).into_iter().find(|id| globals.contains(id));
            assert_eq!(clash, None, "{}", command.get_name());
        });
    }
}

#[test]
fn every_colon_name_reaches_its_command_and_stands_in_its_help() {
    let root = Cli::command();
    let migrate = root.find_subcommand("migrate").unwrap();
    for (alias, name) in argv::ALIASES {
        let command = migrate.find_subcommand(name).unwrap();
        let also = command.get_after_help().unwrap().to_string();
        assert!(also.contains(alias), "{alias}");
    }
    let cli = parse("tenantry -C x migrate:products --product=kira,nova --json").unwrap();
    let Command::Migrate(MigrateCommand::Products(Many { selection, .. })) = cli.command else {
        panic!("{:?}", cli.command);
    };
    assert_eq!(selection.product.len(), 2);
    assert!(cli.globals.json);
    assert_eq!(cli.globals.dir.as_deref(), Some(std::path::Path::new("x")));
}

#[test]
fn habits_of_other_tools_work_as_hidden_synonyms() {
    let cli = parse("tenantry migrate:tenants --tenants=a,b --only c --pretend --concurrency=7").unwrap();
    let Command::Migrate(MigrateCommand::AllTenants(Many { selection, ahead, .. })) = cli.command else {
        panic!("{:?}", cli.command);
    };
    assert_eq!(selection.chosen().collect::<Vec<_>>(), ["c", "a", "b"]);
    assert!(ahead.limits.dry_run);
    assert_eq!(ahead.limits.concurrency, Some(7));
}

#[test]
fn flags_stand_anywhere() {
    for line in [
        "tenantry --json migrate status",
        "tenantry migrate --json status",
        "tenantry migrate status --json",
    ] {
        assert!(parse(line).unwrap().globals.json, "{line}");
    }
}

#[test]
fn what_cannot_be_meant_together_is_refused() {
    for line in [
        "tenantry migrate all-tenants --canary some",
        "tenantry migrate all-tenants --annotations gitlab",
        "tenantry migrate make x --central --product kira",
        "tenantry migrate make x --down --no-down",
        "tenantry migrate rollback acme --central",
        "tenantry migrate rollback acme --only nobody",
        "tenantry migrate rollback acme --except globex",
        "tenantry migrate rollback acme --step 1 --run run_1",
        "tenantry migrate all-tenants --lock-timeout 5",
        "tenantry migrate status --json --ndjson",
        "tenantry migrate unlock",
        "tenantry server add x --engine sqlite --jurisdiction uk --path data --host h",
        "tenantry tenant create Acme",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}
