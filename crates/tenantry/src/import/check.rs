//! From a row of text to an entry: every value is untrusted until it has been here.

use secrecy::SecretString;

use super::Rules;
use super::entry::{Entry, EntryDatabase};
use super::field::Field;
use super::passwords::{self, Unreadable};
use super::problem::{RowProblem, told};
use super::row::{Row, Values};
use super::server::Asked;
use crate::engine::{Engine, Login};
use crate::registry::{ListedServer, RegistryError, check_given_key, check_name};
use crate::tenant::{Jurisdiction, ProductType, Slug, TenantId, TenantStatus};

/// The longest id of a database, in characters: the registry's own have as many.
const DATABASE_ID_MAX: usize = 36;
/// The longest name of a role or user in bytes: that of MariaDB, longer than PostgreSQL's 63.
const USER_MAX: usize = 128;

/// Checks rows against the servers that there are.
pub(super) struct Checker<'a> {
    pub(super) servers: &'a [ListedServer],
    pub(super) rules: &'a Rules,
}

/// What one row became.
pub(super) enum Checked {
    Entry(Entry),
    Refused {
        problems: Vec<RowProblem>,
        /// How many encrypted passwords of it could not be read.
        unreadable: usize,
    },
}

/// Something is wrong, and was noted.
struct Refused;

/// What is wrong with a row, as it comes to light.
struct Findings<'r> {
    row: &'r Row,
    problems: Vec<RowProblem>,
    unreadable: usize,
}

impl Findings<'_> {
    fn add(&mut self, field: impl Into<String>, what: impl Into<String>) {
        self.problems.push(RowProblem {
            at: self.row.at,
            field: field.into(),
            what: what.into(),
        });
    }

    /// Passes a value, or notes why there is none.
    fn take<T>(&mut self, field: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|what| self.add(field, what)).ok()
    }
}

impl Checker<'_> {
    /// Checks a row as a whole: all that is wrong with it is told at once.
    pub(super) fn check(&self, mut row: Row) -> Checked {
        let mut found = Findings {
            problems: std::mem::take(&mut row.problems),
            unreadable: 0,
            row: &row,
        };
        let entry = self.entry(&row, &mut found);
        match entry {
            Some(entry) if found.problems.is_empty() => Checked::Entry(entry),
            Some(_) | None => Checked::Refused {
                problems: found.problems,
                unreadable: found.unreadable,
            },
        }
    }

    fn entry(&self, row: &Row, found: &mut Findings<'_>) -> Option<Entry> {
        let values = &row.tenant;
        let id = found.take("id", needed(values, Field::Id).and_then(key));
        let slug = found.take("slug", needed(values, Field::Slug).and_then(slug));
        let name = found.take("name", values.find(Field::Name).map(name).transpose());
        let external_id = values.find(Field::ExternalId).map(key).transpose();
        let external_id = found.take("external_id", external_id);
        let domains = found.take("domain", domains(values.find(Field::Domain).unwrap_or_default()));
        let status = values
            .find(Field::Status)
            .map(|word| self.status(word))
            .transpose();
        let status = found.take("status", status);
        let shared = self.database(&Part::shared(row), found);
        let (server, shared) = shared?;
        let given = values.find(Field::Jurisdiction);
        found.take("jurisdiction", jurisdiction(given, server));
        let mut databases = vec![shared];
        databases.extend(self.products(row, server, found));
        Some(Entry {
            at: row.at,
            id: TenantId::from_text(id?),
            slug: slug?,
            name: name?,
            jurisdiction: server.jurisdiction.clone(),
            status: status?,
            external_id: external_id?,
            domains: domains?,
            databases,
        })
    }

    fn products(&self, row: &Row, shared: &ListedServer, found: &mut Findings<'_>) -> Vec<EntryDatabase> {
        let mut databases: Vec<EntryDatabase> = Vec::new();
        for values in &row.products {
            let kind = needed(values, Field::Type).and_then(|text| {
                text.parse::<ProductType>()
                    .map_err(|error| format!("{} {}", told(text), error.rule))
            });
            let Some(product) = found.take("products.type", kind) else {
                continue;
            };
            let part = Part::product(values, &product, row, shared);
            let Some((server, database)) = self.database(&part, found) else {
                continue;
            };
            if server.jurisdiction != shared.jurisdiction {
                let what = format!(
                    "`{}` is in the jurisdiction `{}`, and the tenant's shared database in `{}`",
                    server.name, server.jurisdiction, shared.jurisdiction
                );
                found.add(part.field(Field::Server), what);
            }
            if databases.iter().any(|other| other.product == database.product) {
                found.add("products.type", format!("{} comes twice", told(product.as_str())));
            }
            databases.push(database);
        }
        databases
    }

    /// Checks one database; `None` if it could not be told what it is.
    fn database(&self, part: &Part<'_>, found: &mut Findings<'_>) -> Option<(&ListedServer, EntryDatabase)> {
        let values = part.values;
        let id = part
            .product
            .and_then(|_| values.find(Field::Id))
            .map(database_id)
            .transpose();
        let id = found.take(&part.field(Field::Id), id);
        if let (Some(_), Some(word)) = (part.product, values.find(Field::Status)) {
            found.take(&part.field(Field::Status), self.product_status(word));
        }
        let server = part.asked().find(self.servers);
        let server = match server {
            Ok(server) => server,
            Err((field, what)) => {
                found.add(part.field(field), what);
                return None;
            }
        };
        let name = needed(values, Field::DbName).and_then(|name| database_name(name, server.engine));
        let name = found.take(&part.field(Field::DbName), name);
        let login = self.login(part, server, found);
        let database = EntryDatabase {
            id: id?,
            product: part.product.cloned(),
            server: server.name.clone(),
            name: name?,
            login: login.ok()?,
        };
        Some((server, database))
    }

    /// Checks role and password; none for a file.
    fn login(
        &self,
        part: &Part<'_>,
        server: &ListedServer,
        found: &mut Findings<'_>,
    ) -> Result<Option<Login>, Refused> {
        let values = part.values;
        if server.engine == Engine::Sqlite {
            for field in [Field::DbUsername, Field::DbPassword] {
                if values.find(field).is_some() {
                    found.add(part.field(field), "is given, and an SQLite file has none");
                }
            }
            return Ok(None);
        }
        let user = needed(values, Field::DbUsername).and_then(|user| user_name(user, server));
        let user = found.take(&part.field(Field::DbUsername), user);
        let password = self.password(part, found);
        match (user, password) {
            (Some(user), Some(password)) => Ok(Some(Login { user, password })),
            (_, _) => Err(Refused),
        }
    }

    fn password(&self, part: &Part<'_>, found: &mut Findings<'_>) -> Option<SecretString> {
        let given = part.values.find(Field::DbPassword);
        match passwords::password(&self.rules.passwords, given, part.key()) {
            Ok(password) => Some(password),
            Err(Unreadable::Rule(what)) => {
                found.add(part.field(Field::DbPassword), what);
                None
            }
            Err(Unreadable::Legacy(error)) => {
                found.unreadable += 1;
                found.add(part.field(Field::DbPassword), format!("cannot be used: {error}"));
                None
            }
        }
    }

    /// Reads a tenant's status: our words in any case, their usual other names, or what was mapped.
    fn status(&self, word: &str) -> Result<TenantStatus, String> {
        let mapped = self.rules.statuses.iter().find(|(theirs, _)| theirs == word);
        if let Some((_, status)) = mapped {
            return Ok(*status);
        }
        match word.to_ascii_lowercase().as_str() {
            "active" | "enabled" => Ok(TenantStatus::Active),
            "suspended" | "disabled" | "inactive" => Ok(TenantStatus::Suspended),
            _ => Err(format!(
                "{} is neither active nor suspended: say which with --status",
                told(word)
            )),
        }
    }

    fn product_status(&self, word: &str) -> Result<(), String> {
        match self.status(word)? {
            TenantStatus::Active => Ok(()),
            TenantStatus::Suspended | TenantStatus::Provisioning | TenantStatus::Deleting => Err(format!(
                "{} is not active, and a product cannot be suspended alone: leave it out of the list",
                told(word)
            )),
        }
    }
}

/// What a row says of one database.
struct Part<'a> {
    values: &'a Values,
    product: Option<&'a ProductType>,
    tenant: &'a Values,
    /// The server that is meant where nothing is said.
    usual: Option<&'a ListedServer>,
}

impl<'a> Part<'a> {
    fn shared(row: &'a Row) -> Self {
        Self {
            values: &row.tenant,
            product: None,
            tenant: &row.tenant,
            usual: None,
        }
    }

    fn product(values: &'a Values, product: &'a ProductType, row: &'a Row, usual: &'a ListedServer) -> Self {
        Self {
            values,
            product: Some(product),
            tenant: &row.tenant,
            usual: Some(usual),
        }
    }

    fn field(&self, field: Field) -> String {
        match self.product {
            Some(product) => format!("{product}.{}", field.as_str()),
            None => field.as_str().to_owned(),
        }
    }

    fn asked(&self) -> Asked<'_> {
        let asked = Asked {
            name: self.values.find(Field::Server),
            host: self.values.find(Field::DbHost),
            port: self.values.find(Field::DbPort),
        };
        match self.usual {
            Some(usual) if asked.is_silent() => Asked {
                name: Some(usual.name.as_str()),
                ..asked
            },
            Some(_) | None => asked,
        }
    }

    /// Returns what a file of passwords calls it: the tenant's id, and the product or nothing.
    fn key(&self) -> (&str, &str) {
        let id = self.tenant.find(Field::Id).unwrap_or_default();
        (id, self.product.map_or("", ProductType::as_str))
    }
}

fn needed(values: &Values, field: Field) -> Result<&str, String> {
    values.find(field).ok_or_else(|| "is missing".to_owned())
}

fn rule(error: &RegistryError) -> String {
    if let RegistryError::Unfit { rule, .. } = error {
        (*rule).to_owned()
    } else if let RegistryError::TooLong { max, .. } = error {
        format!("is longer than {max} characters")
    } else {
        error.to_string()
    }
}

fn key(text: &str) -> Result<String, String> {
    check_given_key("id", text).map_err(|error| format!("{} {}", told(text), rule(&error)))?;
    Ok(text.to_owned())
}

fn name(text: &str) -> Result<String, String> {
    check_name("name", text).map_err(|error| format!("{} {}", told(text), rule(&error)))?;
    Ok(text.to_owned())
}

fn slug(text: &str) -> Result<Slug, String> {
    text.parse()
        .map_err(|error: crate::tenant::NameError| format!("{} {}", told(text), error.rule))
}

/// Reads host names with commas, semicolons or white space between them.
fn domains(text: &str) -> Result<Vec<crate::domain::Domain>, String> {
    let words = text.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace());
    let mut domains = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let domain: crate::domain::Domain = word
            .parse()
            .map_err(|error: crate::tenant::NameError| format!("{} {}", told(word), error.rule))?;
        check_given_key("domain", domain.as_str())
            .map_err(|error| format!("{} {}", told(word), rule(&error)))?;
        domains.push(domain);
    }
    domains.sort_unstable();
    domains.dedup();
    Ok(domains)
}

/// Refuses a jurisdiction that is not the server's; to say nothing is to mean the server's.
fn jurisdiction(given: Option<&str>, server: &ListedServer) -> Result<(), String> {
    let Some(given) = given else { return Ok(()) };
    let meant: Option<Jurisdiction> = given.parse().ok();
    if meant.as_ref() == Some(&server.jurisdiction) {
        return Ok(());
    }
    Err(format!(
        "{} is not that of the server: `{}` is in `{}`",
        told(given),
        server.name,
        server.jurisdiction
    ))
}

fn database_id(text: &str) -> Result<String, String> {
    if text.chars().count() > DATABASE_ID_MAX {
        return Err(format!(
            "{} is longer than {DATABASE_ID_MAX} characters",
            told(text)
        ));
    }
    key(text)
}

/// Checks the name of a database that is there: any that the engine can have, since it is quoted wherever it is used.
fn database_name(name: &str, engine: Engine) -> Result<String, String> {
    let refused = |what: &str| Err(format!("{} {what}", told(name)));
    let max = engine.database_name_max();
    if name.len() > max {
        return refused(&format!("is longer than the {max} bytes that {engine} takes"));
    }
    if let Err(error) = check_name("database", name) {
        return refused(&rule(&error));
    }
    if engine == Engine::Sqlite && (name.contains(['/', '\\']) || matches!(name, "." | "..")) {
        return refused("is no file name: the file lies directly in the server's folder");
    }
    // MySQL's manual, "Schema Object Names": no supplementary characters.
    if engine == Engine::MySql && name.chars().any(|c| u32::from(c) > 0xffff) {
        return refused("holds a character that no name may have in MySQL");
    }
    if crate::provision::is_reserved(name, engine) {
        return refused("is something that the server keeps for itself");
    }
    Ok(name.to_owned())
}

/// Checks the name of a role that is there; migrations do not run as the server's administrator.
fn user_name(user: &str, server: &ListedServer) -> Result<String, String> {
    if user.len() > USER_MAX {
        return Err(format!("{} is longer than {USER_MAX} bytes", told(user)));
    }
    if let Err(error) = check_name("user", user) {
        return Err(format!("{} {}", told(user), rule(&error)));
    }
    if server.admin_user.as_deref() == Some(user) {
        return Err(format!(
            "{} administers the server `{}`; migrations run as a role of the tenant's own",
            told(user),
            server.name
        ));
    }
    Ok(user.to_owned())
}
