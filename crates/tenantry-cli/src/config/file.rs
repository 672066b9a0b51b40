//! `tenantry.toml` as types: its sections and keys, and a precise complaint about anything else.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::snippet::may_be_shown;
use crate::exit::Exit;
use crate::failure::CommandError;
use tenantry::Code;
use tenantry::run::Snippet;

/// Everything that may stand in `tenantry.toml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "tenantry.toml")]
pub(crate) struct ConfigFile {
    /// The central database, which holds the registry.
    central: Central,
    /// Folders of migrations, relative to this file.
    migrations: Migrations,
    /// How the databases that tenantry creates are called.
    naming: Naming,
    /// Limits and clocks of runs.
    run: Run,
    /// The waves of a run, and when it stops by itself.
    rollout: Rollout,
    /// The keys that seal and open database passwords.
    key: Key,
    /// Where commands may connect to.
    network: Network,
    /// Where the platform keeps the files that belong to its databases.
    storage: Storage,
}

/// `[storage]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Storage {
    /// The path of a database's files, of `{platform}`, `{jurisdiction}`, `{tenant_id}`, `{slug}` and `{product}`; none if
    /// left out.
    path: Option<String>,
    /// What the platform is called in it.
    platform: Option<String>,
}

/// `[network]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Network {
    /// The jurisdictions whose servers may be opened from here; all if left out.
    jurisdictions: Option<Vec<String>>,
}

/// `[central]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Central {
    /// Its address: `sqlite:data/central.db`, `postgres://user:password@host/database`, `mysql://…`.
    url: Option<String>,
    /// A file that holds the address.
    url_file: Option<String>,
    /// An environment variable that holds the address.
    url_env: Option<String>,
    /// The host names that lead to the central application.
    domains: Option<Vec<String>>,
}

/// `[migrations]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Migrations {
    /// The central track; `migrations/central` if left out.
    central: Option<String>,
    /// The track of every tenant; `migrations/tenant` if left out.
    tenant: Option<String>,
    /// The track of each product; the folders of `migrations/products` if left out.
    products: Option<BTreeMap<String, String>>,
}

/// `[naming]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Naming {
    /// A tenant's database, of `{id}` and `{slug}`; `tenant_{id}_shared` if left out.
    tenant: Option<String>,
    /// A product's database, of `{id}`, `{slug}` and `{product}`; `tenant_{id}_{product}` if left out.
    product: Option<String>,
}

/// How much goes into one transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Transaction {
    /// Each migration by itself.
    Migration,
    /// Everything pending in a target together.
    Target,
}

/// `[run]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Run {
    /// How many targets at once in all; if left out, 5 for each server and at most 64.
    #[schemars(range(min = 1, max = 1024))]
    concurrency: Option<u16>,
    /// How many targets of one server at once; 5 if left out.
    #[schemars(range(min = 1, max = 1024))]
    per_server: Option<u16>,
    /// How much goes into one transaction; `migration` if left out.
    transaction: Option<Transaction>,
    /// How long a statement may wait for a lock, from `1ms` to `1h`; `3s` if left out.
    lock_timeout: Option<String>,
    /// How long to go on trying to get a lock, at most `24h`; `5m` if left out.
    lock_window: Option<String>,
    /// How long running targets may finish after SIGTERM, at most `24h`; `30s` if left out.
    grace: Option<String>,
    /// How long to try to connect, from `1ms` to `1h`; `10s` if left out.
    connect_timeout: Option<String>,
    /// After how long without a word from us a server ends our session, from `3s` to `10m`; `50s` if left out.
    idle_timeout: Option<String>,
    /// After how long a server that answers nobody any more is given up, from `3s` to `10m`; `1m` if left out.
    progress_timeout: Option<String>,
    /// How long the work on one target may take in all, from `1ms` to `24h`; without end if left out.
    target_timeout: Option<String>,
    /// How many targets of one jurisdiction at once; no limit if left out.
    #[schemars(range(min = 1, max = 1024))]
    per_jurisdiction: Option<u16>,
    /// How long a central database that does not answer is waited for in mid-run, at most `24h`; `1m` if left out.
    registry_window: Option<String>,
}

/// `[rollout]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Rollout {
    /// How many targets go first, alone; if left out, one of each engine where there are more than 20.
    canary: Option<u16>,
    /// How many failures a run bears: a number, a share such as `2%`, or `all`; if left out, `1%` and at least 5.
    max_failures: Option<Count>,
    /// It stops if the first so many that finish all fail alike, or `off`; 3 if left out.
    same_error: Option<Count>,
    /// The waves behind the canary, in order; what they leave over is the last one.
    wave: Vec<Wave>,
}

/// `[[rollout.wave]]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wave {
    /// Its name, unique.
    pub(crate) name: String,
    /// Which tenants: slugs, ids or patterns such as `beta-*`; all if left out.
    #[serde(rename = "match")]
    pub(crate) matches: Vec<String>,
    /// How many of these at most: a number, or a share of all such as `10%`.
    pub(crate) limit: Option<Count>,
    /// What comes behind it: `go_on`, or `pause` until somebody promotes the run.
    pub(crate) then: Option<Then>,
    /// How long nothing begins behind it, at most `24h`.
    pub(crate) soak: Option<String>,
}

/// What comes behind a wave.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    /// The next one.
    GoOn,
    /// A person, with `tenantry run promote`.
    Pause,
}

/// A number, or a text with one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number, or a text with one")]
pub(crate) enum Count {
    /// A number; whether it is one that can be is told where it is used.
    Number(#[schemars(range(min = 0))] i64),
    /// `2%`, `all`, `off`.
    Text(String),
}

impl Count {
    /// Returns it as a flag would give it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Reads the waves out of a file's text, which was read without complaint before; none if there are none.
pub(crate) fn waves(text: &str) -> Vec<Wave> {
    toml::from_str::<ConfigFile>(text).map_or_else(|_| Vec::new(), |file| file.rollout.wave)
}

/// `[key]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Key {
    /// The file of the keys, one on each line, the one that seals first; `.tenantry/key` if left out.
    file: Option<String>,
    /// A program that prints the keys, by its absolute path, and its arguments; instead of a file.
    command: Option<Vec<String>>,
}

/// Reads the key's command out of a file's text, which was read without complaint before; `None` if there is none.
pub(crate) fn key_command(text: &str) -> Option<Vec<String>> {
    toml::from_str::<ConfigFile>(text).ok()?.key.command
}

/// A value of the file as text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The dotted key: `run.concurrency`.
    pub(crate) key: String,
    /// The value as text; lists are joined by commas.
    pub(crate) value: String,
    /// Where the value begins, in bytes.
    pub(crate) offset: usize,
}

/// Reads the text of a configuration file into its entries, in no particular order.
///
/// # Errors
/// TN-1003 with the place of the first thing that is not TOML, not a known key or not of the right type.
pub(crate) fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, CommandError> {
    let complain = |error: &toml::de::Error| complaint(path, text, error);
    toml::from_str::<ConfigFile>(text).map_err(|error| complain(&error))?;
    let table = toml::de::DeTable::parse(text).map_err(|error| complain(&error))?;
    let mut found = Vec::new();
    flatten("", table.get_ref(), &mut found);
    Ok(found)
}

fn flatten(prefix: &str, table: &toml::de::DeTable<'_>, found: &mut Vec<Entry>) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        if let toml::de::DeValue::Table(inner) = value.get_ref() {
            flatten(&key, inner, found);
        } else if !is_list_of_tables(value.get_ref()) {
            found.push(Entry {
                key,
                value: scalar(value.get_ref()),
                offset: value.span().start,
            });
        }
    }
}

/// Waves have no text: they are read as what they are.
fn is_list_of_tables(value: &toml::de::DeValue<'_>) -> bool {
    matches!(value, toml::de::DeValue::Array(items)
        if items.iter().any(|item| matches!(item.get_ref(), toml::de::DeValue::Table(_))))
}

fn scalar(value: &toml::de::DeValue<'_>) -> String {
    match value {
        toml::de::DeValue::String(text) => text.to_string(),
        toml::de::DeValue::Integer(number) => number.as_str().replace('_', ""),
        toml::de::DeValue::Float(number) => number.as_str().to_owned(),
        toml::de::DeValue::Boolean(yes) => yes.to_string(),
        toml::de::DeValue::Datetime(time) => time.to_string(),
        toml::de::DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| scalar(item.get_ref())).collect();
            items.join(",")
        }
        toml::de::DeValue::Table(_) => String::new(),
    }
}

/// Turns the parser's words into ours: the name of an unknown key and the nearest known one.
fn complaint(path: &Path, text: &str, error: &toml::de::Error) -> CommandError {
    let offset = error.span().map_or(0, |span| span.start);
    let is_open = may_be_shown(text, &Snippet::around(text, offset));
    // The parser quotes values, and a value may be a password.
    let message = match error.message() {
        message if message.contains("://") => "a value has the wrong type",
        message if !is_open && message.starts_with("invalid") && message.contains('"') => {
            "a value has the wrong type"
        }
        message => message,
    };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (title, near) = if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let near = nearest(unknown, quoted);
        (format!("unknown key `{}`", unknown.escape_debug()), near)
    } else {
        (
            format!("{} cannot be read: {}", path.display(), one_line(message)),
            None,
        )
    };
    let title = match near {
        Some(near) => format!("{title}, did you mean `{near}`?"),
        None => title,
    };
    let mut complaint = CommandError::new(Exit::Configuration, title)
        .code(Code(1003))
        .place(path, text, offset)
        .fact("state", "nothing ran")
        .help("tenantry config schema        prints every key that is possible");
    if !is_open {
        complaint.message.snippet = None;
    }
    complaint
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the candidate that looks most like a word; `None` if none looks like it.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Two letters of a short word that changed places hardly look alike.
    let likeness = |candidate: &str| {
        let one_slip = strsim::damerau_levenshtein(word, candidate) <= 1;
        strsim::jaro_winkler(word, candidate).max(if one_slip { 0.75 } else { 0.0 })
    };
    candidates
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenantry::migration::Place;

    fn refused(text: &str) -> (String, Place) {
        let error = entries(Path::new("tenantry.toml"), text).unwrap_err();
        assert_eq!(error.exit, Exit::Configuration);
        assert_eq!(error.message.code.map(|c| c.0), Some(1003));
        let place = error.message.at.first().and_then(|at| at.place);
        (error.message.title.clone(), place.unwrap())
    }

    #[test]
    fn a_typo_is_shown_where_it_stands_with_the_nearest_key() {
        let (title, place) = refused("[run]\nlock_timeout = \"5s\"\nconcurency = 5\n");
        assert_eq!(title, "unknown key `concurency`, did you mean `concurrency`?");
        assert_eq!(place, Place { line: 3, column: 1 });
        let (title, place) = refused("\n[cental]\nurl = \"x\"\n");
        assert_eq!(title, "unknown key `cental`, did you mean `central`?");
        assert_eq!(place.line, 2);
        let (title, _) = refused("[rnu]\nconcurrency = 5\n");
        assert_eq!(title, "unknown key `rnu`, did you mean `run`?");
        let (title, _) = refused("[[server]]\nname = \"x\"\n");
        assert!(title.starts_with("unknown key `server`"), "{title}");
    }

    #[test]
    fn a_wrong_type_and_broken_toml_have_a_place_too() {
        assert_eq!(
            refused("[run]\nconcurrency = \"5\"\n").1,
            Place { line: 2, column: 15 }
        );
        assert_eq!(refused("[run]\nconcurrency = -1\n").1.line, 2);
        assert_eq!(refused("[run]\ntransaction = \"all\"\n").1.line, 2);
        assert_eq!(refused("[run\n").1.line, 1);
        assert_eq!(refused("[run]\ngrace = \"1s\"\ngrace = \"2s\"\n").1.line, 3);
    }

    #[test]
    fn values_are_found_with_their_place() {
        let text = "[migrations]\nproducts.kira = \"m/kira\"\n[central]\ndomains = [\"a\", \"b\"]\n[run]\nconcurrency = 1_0\n";
        let mut found = entries(Path::new("t"), text).unwrap();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        let pairs: Vec<_> = found.iter().map(|e| (e.key.as_str(), e.value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("central.domains", "a,b"),
                ("migrations.products.kira", "m/kira"),
                ("run.concurrency", "10"),
            ]
        );
        assert_eq!(text.get(found[1].offset..found[1].offset + 3), Some("\"m/"));
    }
}
