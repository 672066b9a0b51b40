//! The flags that a printed command needs so that it works where the present one was given.

use std::path::Path;

use super::text;
use crate::args::Globals;
use crate::config::Environment;

/// What begins every command that we print.
const PROGRAM: &str = "tenantry";

/// The commands that read a project.
const IN_PROJECT: [&str; 5] = ["migrate", "server", "tenant", "product", "config"];

/// How the present command found its project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    flags: String,
}

impl Invocation {
    /// Keeps `-C` and `--config`; a file that the environment names stays named there.
    pub(crate) fn of(globals: &Globals, environment: &Environment) -> Self {
        let exported = environment.find("TENANTRY_CONFIG").map(|(file, _)| file);
        let is_given = |file: &&Path| file.to_str() != exported && !file.as_os_str().is_empty();
        let folder = globals.dir.as_deref().map(|path| flag("-C", path));
        let file = globals.config.as_deref().filter(is_given);
        let flags = folder.into_iter().chain(file.map(|path| flag("-c", path)));
        Self {
            flags: flags.collect(),
        }
    }

    /// The project in a folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let here = folder.as_os_str().is_empty() || folder == Path::new(".");
        let flags = if here { String::new() } else { flag("-C", folder) };
        Self { flags }
    }

    /// Puts the flags into every command on a project that stands in a text.
    pub(crate) fn fill(&self, text: &str) -> String {
        if self.flags.is_empty() {
            return text.to_owned();
        }
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(PROGRAM) {
            let (before, behind) = rest.split_at(at + PROGRAM.len());
            filled.push_str(before);
            let word = behind
                .strip_prefix(' ')
                .and_then(|words| words.split([' ', '\n']).next());
            if word.is_some_and(|word| IN_PROJECT.contains(&word)) {
                filled.push_str(&self.flags);
            }
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!(" {name} {}", shell_word(path))
}

/// Writes a path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let shown = text::path(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@".contains(c);
    if !shown.is_empty() && shown.chars().all(plain) {
        shown
    } else {
        format!("'{}'", shown.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(folder: &str, config: Option<&str>) -> Invocation {
        let globals = Globals {
            dir: Some(folder.into()),
            config: config.map(Into::into),
            ..Globals::default()
        };
        Invocation::of(&globals, &Environment::default())
    }

    #[test]
    fn a_command_on_a_project_gets_the_flags_and_no_other_word_does() {
        let shop = given("../shop", None);
        for (line, filled) in [
            ("tenantry migrate resume", "tenantry -C ../shop migrate resume"),
            (
                "one:  tenantry tenant list\nor  tenantry config check",
                "one:  tenantry -C ../shop tenant list\nor  tenantry -C ../shop config check",
            ),
            ("tenantry explain TN-2003", "tenantry explain TN-2003"),
            ("only tenantry itself", "only tenantry itself"),
            ("-- tenantry: no-transaction", "-- tenantry: no-transaction"),
        ] {
            assert_eq!(shop.fill(line), filled);
        }
        let line = "tenantry migrate plan";
        assert_eq!(Invocation::default().fill(line), line);
    }

    #[test]
    fn a_path_that_a_shell_would_take_apart_is_quoted() {
        let odd = given("it's here", Some("other.toml"));
        assert_eq!(
            odd.fill("tenantry migrate plan"),
            r"tenantry -C 'it'\''s here' -c other.toml migrate plan"
        );
    }

    #[test]
    fn a_file_that_the_environment_names_is_not_repeated() {
        let globals = Globals {
            config: Some("other.toml".into()),
            ..Globals::default()
        };
        let pair = ("TENANTRY_CONFIG".to_owned(), "other.toml".to_owned());
        let environment = Environment::from_pairs([pair]);
        assert_eq!(Invocation::of(&globals, &environment), Invocation::default());
    }
}
