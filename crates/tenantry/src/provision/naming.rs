//! Names of databases and roles, from templates: `{id}`, `{slug}`, `{product}`.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::engine::Engine;
use crate::tenant::{ProductType, Tenant};

/// The longest user name of MySQL and MariaDB that both accept ("Identifier Length Limits").
const MYSQL_USER_MAX: usize = 32;

/// A template that gives no usable name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamingError {
    /// The template has a word in braces that we do not know.
    #[error("the template `{template}` has an unknown word `{word}`")]
    UnknownWord {
        /// The template.
        template: String,
        /// The word with its braces.
        word: String,
    },
    /// Two tenants would get the same name.
    #[error("the template `{template}` gives every tenant the same name: it needs {{id}} or {{slug}}")]
    NotUnique {
        /// The template.
        template: String,
    },
    /// Two products of a tenant would get the same name.
    #[error("the template `{template}` gives every product the same name: it needs {{product}}")]
    NoProduct {
        /// The template.
        template: String,
    },
    /// The template has a character that a name may not have.
    #[error("the template `{template}` may hold only a-z, 0-9, `_`, `-` and words in braces")]
    BadCharacter {
        /// The template.
        template: String,
    },
    /// The name does not fit the engine.
    #[error("the name `{name}` has {} bytes; {engine} takes {max}", name.len())]
    TooLong {
        /// The name.
        name: String,
        /// The engine.
        engine: Engine,
        /// What it takes, in bytes.
        max: usize,
    },
}

/// The templates for the names of databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    tenant: String,
    product: String,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            tenant: "tenant_{id}_shared".to_owned(),
            product: "tenant_{id}_{product}".to_owned(),
        }
    }
}

/// The names of one database and its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) database: String,
    /// `None` where the engine has no roles.
    pub(super) user: Option<String>,
}

impl Naming {
    /// Takes templates for shared and product databases, if they give every database its own name.
    pub fn new(tenant: &str, product: &str) -> Result<Self, NamingError> {
        check(tenant)?;
        check(product)?;
        if !product.contains("{product}") {
            return Err(NamingError::NoProduct {
                template: product.to_owned(),
            });
        }
        Ok(Self {
            tenant: tenant.to_owned(),
            product: product.to_owned(),
        })
    }

    /// Returns the names of a tenant's database on an engine.
    pub(super) fn names(
        &self,
        engine: Engine,
        tenant: &Tenant,
        product: Option<&ProductType>,
    ) -> Result<Names, NamingError> {
        let template = if product.is_some() {
            &self.product
        } else {
            &self.tenant
        };
        let name = template
            .replace("{id}", &tenant.id.compact())
            .replace("{slug}", tenant.slug.as_str())
            .replace("{product}", product.map_or("shared", ProductType::as_str));
        let max = engine.database_name_max();
        if name.len() > max {
            return Err(NamingError::TooLong { name, engine, max });
        }
        Ok(match engine {
            Engine::Sqlite => Names {
                database: format!("{name}.db"),
                user: None,
            },
            Engine::Postgres => Names {
                user: Some(name.clone()),
                database: name,
            },
            Engine::MySql => Names {
                user: Some(short_user(&name)),
                database: name,
            },
        })
    }
}

/// Returns the name itself if it fits a MySQL user, else its beginning and a digest of the whole.
fn short_user(name: &str) -> String {
    if name.len() <= MYSQL_USER_MAX {
        return name.to_owned();
    }
    let digest = hex::encode(Sha256::digest(name.as_bytes()));
    let head = name.get(..11).unwrap_or("t");
    format!("{head}_{}", digest.get(..20).unwrap_or_default())
}

fn check(template: &str) -> Result<(), NamingError> {
    let mut rest = template;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        plain.push_str(before);
        let (word, tail) = after.split_once('}').unwrap_or((after, ""));
        if !["id", "slug", "product"].contains(&word) {
            let (template, word) = (template.to_owned(), format!("{{{word}}}"));
            return Err(NamingError::UnknownWord { template, word });
        }
        rest = tail;
    }
    plain.push_str(rest);
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if !plain.bytes().all(allowed) {
        return Err(NamingError::BadCharacter {
            template: template.to_owned(),
        });
    }
    if template.contains("{id}") || template.contains("{slug}") {
        return Ok(());
    }
    Err(NamingError::NotUnique {
        template: template.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{TenantId, TenantStatus};

    fn tenant() -> Tenant {
        Tenant {
            id: TenantId::from_text("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
            slug: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            jurisdiction: "uk".parse().unwrap(),
            status: TenantStatus::Active,
            external_id: None,
            domains: Vec::new(),
            created_at: 0,
        }
    }

    #[test]
    fn the_default_names_carry_the_id_without_hyphens() {
        let naming = Naming::default();
        let kira: ProductType = "kira".parse().unwrap();
        let shared = naming.names(Engine::Postgres, &tenant(), None).unwrap();
        assert_eq!(shared.database, "tenant_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b_shared");
        let product = naming.names(Engine::Sqlite, &tenant(), Some(&kira)).unwrap();
        assert_eq!(
            product.database,
            "tenant_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b_kira.db"
        );
    }

    #[test]
    fn a_user_name_of_mysql_has_at_most_32_characters_and_stays_its_own() {
        let kira: ProductType = "kira".parse().unwrap();
        let user = |product| {
            Naming::default()
                .names(Engine::MySql, &tenant(), product)
                .unwrap()
                .user
                .unwrap()
        };
        assert_eq!(user(None).len(), 32);
        assert_ne!(user(None), user(Some(&kira)));
    }

    #[test]
    fn templates_that_cannot_tell_databases_apart_are_refused() {
        assert!(matches!(
            Naming::new("shared", "{id}_{product}"),
            Err(NamingError::NotUnique { .. })
        ));
        assert!(matches!(
            Naming::new("{id}", "{id}_x"),
            Err(NamingError::NoProduct { .. })
        ));
        assert!(matches!(
            Naming::new("{idd}", "{id}_{product}"),
            Err(NamingError::UnknownWord { .. })
        ));
        assert!(matches!(
            Naming::new("{id};x", "{id}_{product}"),
            Err(NamingError::BadCharacter { .. })
        ));
        assert!(Naming::new("t-{slug}", "p_{product}_{slug}").is_ok());
    }
}
