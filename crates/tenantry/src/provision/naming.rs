//! Names of databases and roles, from templates: `{id}`, `{slug}`, `{product}`.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::storage::StoragePath;
use crate::engine::Engine;
use crate::tenant::{ProductType, Slug, TenantId};

/// The longest user name of MySQL and MariaDB that both accept ("Identifier Length Limits").
const MYSQL_USER_MAX: usize = 32;

/// The word for a product in a template.
const PRODUCT: &str = "{product}";

/// A template that gives no usable name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamingError {
    /// The template has a word in braces that we do not know.
    #[error("the template `{}` has an unknown word `{}`", template.escape_debug(), word.escape_debug())]
    UnknownWord {
        /// The template.
        template: String,
        /// The word with its braces.
        word: String,
    },
    /// Two tenants would get the same name.
    #[error("the template `{template}` gives every tenant the same name: it needs {needs}")]
    NotUnique {
        /// The template.
        template: String,
        /// The words of which it needs one.
        needs: &'static str,
    },
    /// Two products of a tenant would get the same name.
    #[error("the template `{template}` gives every product the same name: it needs {{product}}")]
    NoProduct {
        /// The template.
        template: String,
    },
    /// The template of the shared database has a product in it.
    #[error("the template `{template}` is of a database that products share: it has no {{product}}")]
    SharedByProducts {
        /// The template.
        template: String,
    },
    /// A product's database would get the name of the tenant's shared one.
    #[error("the template `{template}` gives product `{product}` the name of the shared database")]
    Clash {
        /// The product's template.
        template: String,
        /// The product.
        product: ProductType,
    },
    /// The template has a brace without its counterpart.
    #[error("the template `{}` has a brace that is not closed or not opened", template.escape_debug())]
    Brace {
        /// The template.
        template: String,
    },
    /// The template has a character that a name may not have.
    #[error("the template `{}` may hold only {allowed} and words in braces", template.escape_debug())]
    BadCharacter {
        /// The template.
        template: String,
        /// What it may hold.
        allowed: &'static str,
    },
    /// The template of a path leads nowhere, or out of where it begins.
    #[error("the template `{template}` has a part that is empty, `.` or `..`")]
    Parts {
        /// The template.
        template: String,
    },
    /// The template names the platform, and nobody said what it is called.
    #[error(
        "the template `{template}` has {{platform}}, and the platform has no name of a-z, 0-9, `_` and `-`"
    )]
    NoPlatform {
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
    /// The name is already that of something else that every such server has, or this platform.
    #[error("the name `{name}` is that of {owner}")]
    Reserved {
        /// The name.
        name: String,
        /// Whose it is, in words.
        owner: &'static str,
    },
}

/// The templates for the names of databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    tenant: String,
    product: String,
    pub(super) storage: Option<StoragePath>,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            tenant: "tenant_{id}_shared".to_owned(),
            product: "tenant_{id}_{product}".to_owned(),
            storage: None,
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
        Self::default().with_tenant(tenant)?.with_product(product)
    }

    /// Takes another template for shared databases: it needs `{id}` or `{slug}`, and has no `{product}`.
    pub fn with_tenant(self, template: &str) -> Result<Self, NamingError> {
        check(template)?;
        let tenant = template.to_owned();
        if template.contains(PRODUCT) {
            return Err(NamingError::SharedByProducts { template: tenant });
        }
        Ok(Self { tenant, ..self })
    }

    /// Takes another template for products' databases: it needs `{product}`, and `{id}` or `{slug}`.
    pub fn with_product(self, template: &str) -> Result<Self, NamingError> {
        check(template)?;
        let product = template.to_owned();
        if !template.contains(PRODUCT) {
            return Err(NamingError::NoProduct { template: product });
        }
        Ok(Self { product, ..self })
    }

    /// Takes what the places are called at which the platform keeps a database's files.
    #[must_use]
    pub fn with_storage(self, storage: StoragePath) -> Self {
        Self {
            storage: Some(storage),
            ..self
        }
    }

    /// Fails with [`NamingError::Clash`] if one of the products would get the name of the shared database.
    pub fn check_products<'a>(
        &self,
        products: impl IntoIterator<Item = &'a ProductType>,
    ) -> Result<(), NamingError> {
        let of = |product: &ProductType| self.product.replace(PRODUCT, product.as_str());
        match products.into_iter().find(|product| of(product) == self.tenant) {
            None => Ok(()),
            Some(product) => Err(NamingError::Clash {
                template: self.product.clone(),
                product: product.clone(),
            }),
        }
    }

    /// Returns the names of a tenant's database on an engine.
    pub(super) fn names(
        &self,
        engine: Engine,
        (id, slug): (&TenantId, &Slug),
        product: Option<&ProductType>,
    ) -> Result<Names, NamingError> {
        let template = if product.is_some() {
            &self.product
        } else {
            &self.tenant
        };
        let name = template
            .replace("{id}", &id.compact())
            .replace("{slug}", slug.as_str())
            .replace("{product}", product.map_or("shared", ProductType::as_str));
        let max = engine.database_name_max();
        if name.len() > max {
            return Err(NamingError::TooLong { name, engine, max });
        }
        if is_reserved(&name, engine) {
            let owner = "something that the server keeps for itself";
            return Err(NamingError::Reserved { name, owner });
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

/// Whether a server has, or refuses, a database, a role or a user of this name by itself.
///
/// PostgreSQL: "Template Databases", and the role names that CREATE ROLE refuses. MySQL and MariaDB: the system
/// schemas, the accounts that an installation makes, and the roles that are no names.
pub(crate) fn is_reserved(name: &str, engine: Engine) -> bool {
    const POSTGRES: [&str; 5] = ["postgres", "template0", "template1", "public", "none"];
    const MYSQL: [&str; 9] = [
        "mysql",
        "sys",
        "information_schema",
        "performance_schema",
        "ndbinfo",
        "root",
        "mariadb",
        "public",
        "none",
    ];
    match engine {
        Engine::Postgres => name.starts_with("pg_") || POSTGRES.contains(&name),
        Engine::MySql => MYSQL.contains(&name),
        Engine::Sqlite => false,
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

/// What a template may hold.
pub(super) struct Rules {
    pub(super) words: &'static [&'static str],
    /// The words of which one must be there, and how messages say that.
    pub(super) own: (&'static [&'static str], &'static str),
    /// The characters besides letters, digits, `_` and `-`, and how messages call them all.
    pub(super) plain: (&'static str, &'static str),
}

/// The rules of names of databases.
const NAMES: Rules = Rules {
    words: &["{id}", "{slug}", PRODUCT],
    own: (&["{id}", "{slug}"], "{id} or {slug}"),
    plain: ("", "a-z, 0-9, `_`, `-`"),
};

fn check(template: &str) -> Result<(), NamingError> {
    NAMES.check(template)
}

impl Rules {
    /// Checks a template: known words, plain characters, and something of the tenant.
    pub(super) fn check(&self, template: &str) -> Result<(), NamingError> {
        let owned = || template.to_owned();
        let mut rest = template;
        let mut plain = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let Some((word, tail)) = after.split_once('}') else {
                return Err(NamingError::Brace { template: owned() });
            };
            let word = format!("{{{word}}}");
            if !self.words.contains(&word.as_str()) {
                return Err(NamingError::UnknownWord {
                    template: owned(),
                    word,
                });
            }
            rest = tail;
        }
        plain.push_str(rest);
        if plain.contains('}') {
            return Err(NamingError::Brace { template: owned() });
        }
        let (further, allowed) = self.plain;
        if !plain.chars().all(|c| is_plain(c) || further.contains(c)) {
            return Err(NamingError::BadCharacter {
                template: owned(),
                allowed,
            });
        }
        let (own, needs) = self.own;
        if own.iter().any(|word| template.contains(word)) {
            return Ok(());
        }
        Err(NamingError::NotUnique {
            template: owned(),
            needs,
        })
    }
}

/// Returns whether every name may hold a character.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme(engine: Engine, product: Option<&ProductType>) -> Names {
        let id = TenantId::from_text("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
        let slug = "acme".parse().unwrap();
        Naming::default().names(engine, (&id, &slug), product).unwrap()
    }

    #[test]
    fn the_default_names_carry_the_id_without_hyphens() {
        let kira: ProductType = "kira".parse().unwrap();
        let shared = acme(Engine::Postgres, None);
        assert_eq!(shared.database, "tenant_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b_shared");
        let product = acme(Engine::Sqlite, Some(&kira));
        assert_eq!(
            product.database,
            "tenant_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b_kira.db"
        );
    }

    #[test]
    fn a_name_that_the_server_keeps_for_itself_is_refused() {
        let naming = Naming::new("{slug}", "{slug}_{product}").unwrap();
        let names = |engine, slug: &str| {
            let id = TenantId::from_text("x");
            naming.names(engine, (&id, &slug.parse().unwrap()), None)
        };
        for (engine, slug) in [
            (Engine::Postgres, "postgres"),
            (Engine::Postgres, "template1"),
            (Engine::Postgres, "pg_foo"),
            (Engine::Postgres, "public"),
            (Engine::MySql, "mysql"),
            (Engine::MySql, "sys"),
            (Engine::MySql, "information_schema"),
            (Engine::MySql, "root"),
        ] {
            let refused = names(engine, slug);
            assert!(
                matches!(refused, Err(NamingError::Reserved { .. })),
                "{slug}: {refused:?}"
            );
        }
        assert!(names(Engine::Postgres, "mysql").is_ok());
        assert!(names(Engine::MySql, "postgres").is_ok());
        assert!(names(Engine::Sqlite, "public").is_ok());
    }

    #[test]
    fn a_user_name_of_mysql_has_at_most_32_characters_and_stays_its_own() {
        let kira: ProductType = "kira".parse().unwrap();
        let user = |product| acme(Engine::MySql, product).user.unwrap();
        assert_eq!(user(None).len(), 32);
        assert_ne!(user(None), user(Some(&kira)));
    }

    #[test]
    fn templates_that_cannot_tell_databases_apart_are_refused() {
        let refused = |tenant, product| Naming::new(tenant, product).unwrap_err();
        let product = "{id}_{product}";
        for (tenant, said) in [
            ("", "every tenant the same name"),
            ("shared", "every tenant the same name"),
            ("{id}_{product}", "products share"),
            ("{idd}", "unknown word `{idd}`"),
            ("t_{id", "a brace"),
            ("t_{id}}", "a brace"),
            ("{id};x", "only a-z"),
            ("T_{id}", "only a-z"),
            ("t {id}", "only a-z"),
            ("../{id}", "only a-z"),
        ] {
            let error = refused(tenant, product).to_string();
            assert!(error.contains(said), "{tenant}: {error}");
        }
        for (product, said) in [
            ("{id}_x", "every product the same name"),
            ("p_{product}", "every tenant the same name"),
        ] {
            let error = refused("{id}", product).to_string();
            assert!(error.contains(said), "{product}: {error}");
        }
        assert!(Naming::new("t-{slug}", "p_{product}_{slug}").is_ok());
    }

    #[test]
    fn a_product_whose_database_would_be_the_tenants_own_is_refused() {
        let [shared, kira]: [ProductType; 2] = ["shared", "kira"].map(|name| name.parse().unwrap());
        let naming = Naming::default();
        assert_eq!(naming.check_products([&kira]), Ok(()));
        let clash = naming.check_products([&kira, &shared]).unwrap_err();
        assert!(matches!(clash, NamingError::Clash { product, .. } if product == shared));
    }
}
