//! Entries against each other and against what the registry has.

use std::borrow::Cow;
use std::collections::HashMap;

use secrecy::ExposeSecret as _;

use super::super::entities::database::Model;
use super::super::hosts::Host;
use super::super::servers::ListedServer;
use super::super::{Registry, RegistryError};
use super::known::{Known, folded};
use super::server;
use crate::engine::{Address, Engine};
use crate::import::{Entry, EntryDatabase, ImportError, Place, Problems, RowProblem, told};
use crate::tenant::{Tenant, TenantId};

/// What an entry is to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is to be written.
    New,
    /// It is there, just so.
    There,
}

/// A database's place: the server's id, and its name as the server tells it from others.
type Spot<'a> = (&'a str, Cow<'a, str>);

/// What has come so far, and what is there.
pub(super) struct Compared<'a> {
    registry: &'a Registry,
    servers: &'a [ListedServer],
    known: &'a Known,
    taken: HashMap<Spot<'a>, &'a Tenant>,
    names: HashMap<&'a str, Place>,
    domains: HashMap<&'a str, Place>,
    spots: HashMap<Spot<'a>, Place>,
    database_ids: HashMap<&'a str, Place>,
}

impl<'a> Compared<'a> {
    /// Returns the verdict on each entry.
    ///
    /// # Errors
    /// [`ImportError::Rows`] if any of them comes twice, has what is another's, or differs from what is there.
    pub(super) fn all(
        registry: &'a Registry,
        entries: &'a [Entry],
        servers: &'a [ListedServer],
        known: &'a Known,
    ) -> Result<Vec<Verdict>, ImportError> {
        let engine_of = |id: &str| {
            let found = servers.iter().find(|server| server.id == id);
            found.map_or(Engine::Postgres, |server| server.engine)
        };
        let mut compared = Self {
            registry,
            servers,
            known,
            taken: known.places(engine_of),
            names: HashMap::with_capacity(entries.len() * 2),
            domains: HashMap::new(),
            spots: HashMap::with_capacity(entries.len()),
            database_ids: HashMap::new(),
        };
        let mut verdicts = Vec::with_capacity(entries.len());
        let mut problems = Problems::default();
        for entry in entries {
            let mut found = Vec::new();
            verdicts.push(compared.entry(entry, &mut found)?);
            for (field, what) in found {
                problems.add(RowProblem {
                    at: entry.at,
                    field,
                    what,
                });
            }
        }
        if problems.is_empty() {
            return Ok(verdicts);
        }
        Err(ImportError::Rows(problems))
    }

    fn entry(&mut self, entry: &'a Entry, found: &mut Found) -> Result<Verdict, RegistryError> {
        self.come_once(entry, found)?;
        let there = self.known.named(entry.id.as_str());
        if let Some(tenant) = there.filter(|tenant| tenant.id == entry.id) {
            differences(entry, tenant, found);
            for database in &entry.databases {
                self.database_differences(database, tenant, found)?;
            }
            return Ok(Verdict::There);
        }
        self.are_free(entry, found)?;
        Ok(Verdict::New)
    }

    /// Notes what another entry has had before.
    fn come_once(&mut self, entry: &'a Entry, found: &mut Found) -> Result<(), RegistryError> {
        let mut own: Vec<(&str, &'a str)> = vec![("id", entry.id.as_str()), ("slug", entry.slug.as_str())];
        own.extend(entry.external_id.as_deref().map(|name| ("external_id", name)));
        own.dedup_by_key(|(_, name)| *name);
        for (field, name) in own {
            note(&mut self.names, name, entry.at, |first| {
                found.push((field.to_owned(), twice(name, first)));
            });
        }
        for domain in &entry.domains {
            note(&mut self.domains, domain.as_str(), entry.at, |first| {
                found.push(("domain".to_owned(), twice(domain.as_str(), first)));
            });
        }
        for database in &entry.databases {
            let server = server(self.servers, &database.server)?;
            let spot = (server.id.as_str(), folded(&database.name, server.engine));
            note(&mut self.spots, spot, entry.at, |first| {
                found.push((field(database, "db_name"), twice(&database.name, first)));
            });
            if let Some(id) = &database.id {
                note(&mut self.database_ids, id, entry.at, |first| {
                    found.push((field(database, "id"), twice(id, first)));
                });
            }
        }
        Ok(())
    }

    /// Notes what another tenant of the registry has.
    fn are_free(&self, entry: &Entry, found: &mut Found) -> Result<(), RegistryError> {
        let names = [
            ("id", Some(entry.id.as_str())),
            ("slug", Some(entry.slug.as_str())),
            ("external_id", entry.external_id.as_deref()),
        ];
        for (field, name) in names {
            let Some(name) = name else { continue };
            if let Some(owner) = self.known.named(name) {
                found.push((field.to_owned(), taken(name, owner)));
            }
        }
        for domain in &entry.domains {
            if let Some(owner) = self.known.with_domain(domain.as_str()) {
                found.push(("domain".to_owned(), taken(domain.as_str(), owner)));
            }
        }
        for database in &entry.databases {
            let server = server(self.servers, &database.server)?;
            let spot = (server.id.as_str(), folded(&database.name, server.engine));
            if let Some(owner) = self.taken.get(&spot) {
                found.push((field(database, "db_name"), taken(&database.name, owner)));
            }
            let id = database.id.as_deref();
            if let Some((id, owner)) = id.and_then(|id| Some((id, self.known.with_database_id(id)?))) {
                found.push((field(database, "id"), taken(id, owner)));
            }
        }
        Ok(())
    }

    fn database_differences(
        &self,
        database: &EntryDatabase,
        tenant: &Tenant,
        found: &mut Found,
    ) -> Result<(), RegistryError> {
        let product = database.product.as_ref().map_or("", |product| product.as_str());
        let rows = self.known.databases_of(tenant);
        let Some(row) = rows.iter().find(|row| row.product == product) else {
            let what = "is not in the registry, and an import adds nothing to a tenant that is there";
            found.push((field(database, "db_name"), what.to_owned()));
            return Ok(());
        };
        let server = server(self.servers, &database.server)?;
        if row.server_id != server.id {
            let what = format!(
                "{} is not the server that the registry has",
                told(server.name.as_str())
            );
            found.push((field(database, "server"), what));
            return Ok(());
        }
        if row.name != database.name {
            found.push((field(database, "db_name"), differs(&database.name, &row.name)));
            return Ok(());
        }
        if let Some(id) = database.id.as_ref().filter(|id| **id != row.id) {
            found.push((field(database, "id"), differs(id, &row.id)));
        }
        self.login_differences(database, (row, server), tenant, found)
    }

    fn login_differences(
        &self,
        database: &EntryDatabase,
        (row, server): (&Model, &ListedServer),
        tenant: &Tenant,
        found: &mut Found,
    ) -> Result<(), RegistryError> {
        let Some(login) = &database.login else {
            return Ok(());
        };
        let tenant_id = TenantId::from_text(tenant.id.as_str());
        let address = self.registry.address_of(row, &tenant_id, &Host::of(server))?;
        let Address::Network(known) = address else {
            return Ok(());
        };
        if known.login.user != login.user {
            found.push((
                field(database, "db_username"),
                differs(&login.user, &known.login.user),
            ));
        }
        if known.login.password.expose_secret() != login.password.expose_secret() {
            let what = "is not the password that the registry has";
            found.push((field(database, "db_password"), what.to_owned()));
        }
        Ok(())
    }
}

/// Fields, and what is wrong with them.
type Found = Vec<(String, String)>;

/// Notes what a tenant of the registry says otherwise; where the list says nothing there is no difference.
fn differences(entry: &Entry, tenant: &Tenant, found: &mut Found) {
    let domains = |of: &[crate::Domain]| of.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let pairs = [
        ("slug", Some(entry.slug.to_string()), tenant.slug.to_string()),
        ("name", entry.name.clone(), tenant.name.clone()),
        (
            "jurisdiction",
            Some(entry.jurisdiction.to_string()),
            tenant.jurisdiction.to_string(),
        ),
        (
            "status",
            entry.status.map(|s| s.as_str().to_owned()),
            tenant.status.as_str().to_owned(),
        ),
        (
            "external_id",
            entry.external_id.clone(),
            tenant.external_id.clone().unwrap_or_default(),
        ),
        (
            "domain",
            (!entry.domains.is_empty()).then(|| domains(&entry.domains)),
            domains(&tenant.domains),
        ),
    ];
    for (field, given, has) in pairs {
        if let Some(given) = given.filter(|given| *given != has) {
            found.push((field.to_owned(), differs(&given, &has)));
        }
    }
}

fn note<K: std::hash::Hash + Eq>(seen: &mut HashMap<K, Place>, key: K, at: Place, twice: impl FnOnce(Place)) {
    match seen.entry(key) {
        std::collections::hash_map::Entry::Occupied(first) => twice(*first.get()),
        std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(at)),
    }
}

fn field(database: &EntryDatabase, field: &str) -> String {
    match &database.product {
        Some(product) => format!("{product}.{field}"),
        None => field.to_owned(),
    }
}

fn twice(name: &str, first: Place) -> String {
    format!("{} comes a second time, after {first}", told(name))
}

fn taken(name: &str, owner: &Tenant) -> String {
    format!("{} is taken by the tenant `{}`", told(name), owner.slug)
}

fn differs(given: &str, has: &str) -> String {
    format!("{} is not what the registry has, {}", told(given), told(has))
}
