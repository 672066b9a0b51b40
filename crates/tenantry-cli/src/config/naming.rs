//! Templates of database names: which placeholders they need, and that they cannot give the same name.

use tenantry::ProductType;

/// How the databases that we create are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    /// A tenant's database: text with `{id}` and `{slug}`.
    pub(crate) tenant: String,
    /// A product's database: text with `{id}`, `{slug}` and `{product}`.
    pub(crate) product: String,
}

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// Checks a tenant's template.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn check_tenant(template: &str) -> Result<(), String> {
    let parts = parts(template)?;
    if parts.contains(&Part::Placeholder("product")) {
        return Err("a tenant's database has no {product}".to_owned());
    }
    check_owner(&parts)
}

/// Checks a product's template against a tenant's and against the products there are.
///
/// # Errors
/// The rule it breaks.
pub(crate) fn check_product<'a>(
    template: &str,
    tenant: &str,
    products: impl IntoIterator<Item = &'a ProductType>,
) -> Result<(), String> {
    let parts = parts(template)?;
    if !parts.contains(&Part::Placeholder("product")) {
        return Err("{product} is missing, so that two products would share a name".to_owned());
    }
    check_owner(&parts)?;
    let clash = products
        .into_iter()
        .find(|product| template.replace("{product}", product.as_str()) == tenant);
    match clash {
        Some(product) => Err(format!(
            "with product `{product}` it gives the name of the tenant's database"
        )),
        None => Ok(()),
    }
}

fn check_owner(parts: &[Part<'_>]) -> Result<(), String> {
    let owner = [Part::Placeholder("id"), Part::Placeholder("slug")];
    if owner.iter().any(|part| parts.contains(part)) {
        Ok(())
    } else {
        Err("neither {id} nor {slug} is in it, so that two tenants would share a name".to_owned())
    }
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a `{` is not closed")?;
        if !["id", "slug", "product"].contains(&name) {
            return Err(format!(
                "{{{}}} is not known; {{id}}, {{slug}} and {{product}} are",
                name.escape_debug()
            ));
        }
        parts.extend([Part::Text(text), Part::Placeholder(name)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    for part in &parts {
        if let Part::Text(text) = part
            && !text.chars().all(plain)
        {
            return Err("besides placeholders only a-z, 0-9, _ and - are possible".to_owned());
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_must_tell_tenants_and_products_apart() {
        assert_eq!(check_tenant("tenant_{id}_shared"), Ok(()));
        assert_eq!(check_tenant("t-{slug}"), Ok(()));
        for bad in [
            "",
            "tenant",
            "t_{name}",
            "t_{id",
            "T_{id}",
            "t {id}",
            "t_{id}_{product}",
            "../{id}",
            "t_{id}}",
        ] {
            assert!(check_tenant(bad).is_err(), "{bad}");
        }
        let none: [&ProductType; 0] = [];
        assert_eq!(
            check_product("tenant_{id}_{product}", "tenant_{id}_shared", none),
            Ok(())
        );
        for bad in ["tenant_{id}", "p_{product}"] {
            assert!(check_product(bad, "tenant_{id}_shared", none).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_product_whose_database_would_be_the_tenants_own_is_refused() {
        let shared: ProductType = "shared".parse().unwrap();
        let clash = check_product("tenant_{id}_{product}", "tenant_{id}_shared", [&shared]);
        assert!(clash.unwrap_err().contains("`shared`"));
    }
}
