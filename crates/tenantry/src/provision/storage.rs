//! Where a platform keeps the files that belong to a database: a path from a template, decided once.

use super::naming::{NamingError, Rules, is_plain};
use crate::tenant::{ProductType, Tenant, TenantId};

/// What the template of a path may hold.
const RULES: Rules = Rules {
    words: &[
        "{platform}",
        "{jurisdiction}",
        "{tenant_id}",
        "{slug}",
        "{product}",
    ],
    own: (&["{tenant_id}", "{slug}"], "{tenant_id} or {slug}"),
    plain: ("/.", "a-z, 0-9, `_`, `-`, `/`, `.`"),
};

/// The template of the paths at which a platform keeps files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoragePath {
    template: String,
    platform: String,
}

impl StoragePath {
    /// Takes a template of `{platform}`, `{jurisdiction}`, `{tenant_id}`, `{slug}` and `{product}`, which is `shared` for a
    /// tenant's own database.
    ///
    /// # Errors
    /// What [`Naming`](super::Naming) says of a template, [`NamingError::Parts`] for a path that leads elsewhere, and
    /// [`NamingError::NoPlatform`].
    pub fn new(template: &str, platform: &str) -> Result<Self, NamingError> {
        RULES.check(template)?;
        let owned = || template.to_owned();
        if !template.contains("{product}") {
            return Err(NamingError::NoProduct { template: owned() });
        }
        if template.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(NamingError::Parts { template: owned() });
        }
        let is_named = !platform.is_empty() && platform.chars().all(is_plain);
        if template.contains("{platform}") && !is_named {
            return Err(NamingError::NoPlatform { template: owned() });
        }
        Ok(Self {
            template: owned(),
            platform: platform.to_owned(),
        })
    }

    /// Returns the path for a tenant's own database, or that of a product.
    pub(super) fn of(&self, tenant: &Tenant, product: Option<&ProductType>) -> String {
        self.template
            .replace("{platform}", &self.platform)
            .replace("{jurisdiction}", tenant.jurisdiction.as_str())
            .replace("{tenant_id}", &part_of(&tenant.id))
            .replace("{slug}", tenant.slug.as_str())
            .replace("{product}", product.map_or("shared", ProductType::as_str))
    }
}

/// Returns an id as a part of a path: one that was imported may hold anything, and leads nowhere else.
fn part_of(id: &TenantId) -> String {
    id.as_str()
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::TenantStatus;

    fn tenant(id: &str) -> Tenant {
        Tenant {
            id: TenantId::from_text(id),
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
    fn a_path_names_platform_jurisdiction_tenant_and_product() {
        let path = StoragePath::new("{platform}-{jurisdiction}/{tenant_id}/{product}", "shop").unwrap();
        let kira = "kira".parse().unwrap();
        assert_eq!(path.of(&tenant("7f"), Some(&kira)), "shop-uk/7f/kira");
        assert_eq!(path.of(&tenant("7f"), None), "shop-uk/7f/shared");
        assert_eq!(path.of(&tenant("../ü"), None), "shop-uk/%2E%2E%2F%C3%BC/shared");
    }

    #[test]
    fn a_template_that_leads_elsewhere_or_is_not_ones_own_is_refused() {
        for bad in [
            "{platform}/{product}",
            "{tenant_id}",
            "/{tenant_id}/{product}",
            "{tenant_id}//{product}",
            "{tenant_id}/../{product}",
            "{tenant_id}/{product}/",
            "{id}/{product}",
            "{tenant_id} {product}",
            "{tenant_id/{product}",
        ] {
            assert!(StoragePath::new(bad, "shop").is_err(), "{bad}");
        }
        for platform in ["", "a b", "../x"] {
            assert!(StoragePath::new("{platform}/{slug}/{product}", platform).is_err());
            assert!(StoragePath::new("{slug}/{product}", platform).is_ok());
        }
    }
}
