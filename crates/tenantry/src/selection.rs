//! Which tenants a command is about. Pure: patterns against names.

use std::fmt;

use crate::tenant::{Jurisdiction, ProductType, ServerName, Tenant, TenantId};

/// How many names a suggestion has at most.
const NEAREST_MAX: usize = 3;

/// A name in which `*` stands for any text and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a pattern as it is; any text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it names one thing: there is no `*` or `?` in it.
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Returns whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        if self.is_exact() {
            return self.0 == text;
        }
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        glob(&pattern, &text)
    }

    /// Returns whether a tenant's slug, id or external id fits.
    pub fn names(&self, tenant: &Tenant) -> bool {
        self.matches(tenant.slug.as_str())
            || self.matches(tenant.id.as_str())
            || tenant.external_id.as_deref().is_some_and(|id| self.matches(id))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches by going back to the last `*` only, so that a hostile pattern costs at most n times m steps.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

/// Which tenants and databases are meant; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Tenants with exactly these ids, for callers who have found them already; empty for all. An id here is
    /// no pattern and never stands for another tenant's slug or external id.
    pub ids: Vec<TenantId>,
    /// Tenants of which one of these fits; empty for all.
    pub only: Vec<Pattern>,
    /// But none of these.
    pub except: Vec<Pattern>,
    /// Tenants of one of these jurisdictions; empty for all.
    pub jurisdictions: Vec<Jurisdiction>,
    /// Databases on one of these servers; empty for all.
    pub servers: Vec<ServerName>,
    /// Tenants with one of these products, or the databases of these products; empty for all.
    pub products: Vec<ProductType>,
}

impl Selection {
    /// Selects one tenant that has been found, and nobody else.
    pub fn of(tenant: &Tenant) -> Self {
        Self {
            ids: vec![tenant.id.clone()],
            ..Self::default()
        }
    }

    /// Returns whether somebody names one tenant, and nobody else.
    pub fn names_one(&self) -> bool {
        let is_one = |patterns: &[Pattern]| {
            let first = patterns.first().filter(|one| one.is_exact());
            first.is_some_and(|one| patterns.iter().all(|other| other == one))
        };
        self.ids.len() == 1 || is_one(&self.only)
    }

    /// Returns whether it selects a tenant as far as the tenant itself tells: by names and jurisdiction.
    pub fn takes(&self, tenant: &Tenant) -> bool {
        (self.ids.is_empty() || self.ids.contains(&tenant.id))
            && (self.only.is_empty() || self.only.iter().any(|p| p.names(tenant)))
            && !self.except.iter().any(|p| p.names(tenant))
            && (self.jurisdictions.is_empty() || self.jurisdictions.contains(&tenant.jurisdiction))
    }

    /// Returns whether it names this very tenant, by id or without a wildcard.
    pub fn names(&self, tenant: &Tenant) -> bool {
        let by_name = |p: &Pattern| p.is_exact() && p.names(tenant);
        self.ids.contains(&tenant.id) || self.only.iter().any(by_name)
    }

    /// Returns the names without wildcard, in `only` or `except`, that no tenant has.
    ///
    /// A misspelled `except` would touch the very tenant it was to protect, so it counts as well.
    pub fn unknown<'a>(&'a self, tenants: &[Tenant]) -> Vec<&'a Pattern> {
        self.only
            .iter()
            .chain(&self.except)
            .filter(|p| p.is_exact() && !tenants.iter().any(|t| p.names(t)))
            .collect()
    }

    /// Returns the first name without wildcard, in `only` or `except`, that several tenants have, and those
    /// tenants: it is the slug of one and the external id of another, say. `None` if there is none.
    pub fn ambiguous<'a>(&'a self, tenants: &'a [Tenant]) -> Option<(&'a Pattern, Vec<&'a Tenant>)> {
        let exact = self.only.iter().chain(&self.except).filter(|p| p.is_exact());
        exact
            .map(|p| (p, tenants.iter().filter(|t| p.names(t)).collect::<Vec<_>>()))
            .find(|(_, named)| named.len() > 1)
    }
}

/// Returns the candidates that a misspelled name may have meant, the likeliest first, at most three.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let limit = (given.chars().count() / 3).max(2);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter()
        .take(NEAREST_MAX)
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{TenantId, TenantStatus};

    fn tenant(slug: &str, external_id: Option<&str>) -> Tenant {
        Tenant {
            id: TenantId::from_text(format!("id-{slug}")),
            slug: slug.parse().unwrap(),
            name: slug.to_owned(),
            jurisdiction: "eu".parse().unwrap(),
            status: TenantStatus::Active,
            external_id: external_id.map(str::to_owned),
            domains: Vec::new(),
            created_at: 0,
        }
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text, fits) in [
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("ac*", "acme", true),
            ("*me", "acme", true),
            ("a*m*e", "acme", true),
            ("a?me", "acme", true),
            ("a?me", "ame", false),
            ("*", "", true),
            ("?", "é", true),
            ("a*b*c", "abbbbd", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = Pattern::new(format!("{}b", "*a".repeat(60)));
        assert!(!pattern.matches(&"a".repeat(5_000)));
    }

    #[test]
    fn everything_given_must_hold() {
        let acme = tenant("acme", Some("42"));
        let mut selection = Selection::default();
        assert!(selection.takes(&acme));
        for only in ["acme", "id-acme", "42", "a*"] {
            selection.only = vec![Pattern::new(only)];
            assert!(selection.takes(&acme), "{only}");
        }
        selection.jurisdictions = vec!["uk".parse().unwrap()];
        assert!(!selection.takes(&acme));
        selection.jurisdictions = vec!["eu".parse().unwrap()];
        selection.except = vec![Pattern::new("ac?e")];
        assert!(!selection.takes(&acme));
    }

    #[test]
    fn a_name_that_nobody_has_is_unknown_but_a_wildcard_is_not() {
        let selection = Selection {
            only: vec![Pattern::new("acme"), Pattern::new("x*"), Pattern::new("acmee")],
            except: vec![Pattern::new("globx")],
            ..Selection::default()
        };
        let unknown = selection.unknown(&[tenant("acme", None)]);
        assert_eq!(unknown, [&Pattern::new("acmee"), &Pattern::new("globx")]);
    }

    #[test]
    fn an_id_selects_its_tenant_and_is_neither_a_name_nor_a_pattern() {
        let acme = tenant("acme", None);
        let evil = tenant("evil", Some("id-acme"));
        let one = Selection::of(&acme);
        assert!(one.takes(&acme) && !one.takes(&evil));
        let star = Tenant {
            id: TenantId::from_text("*"),
            ..tenant("star", None)
        };
        let one = Selection::of(&star);
        assert!(one.takes(&star) && !one.takes(&acme));
        assert_eq!(one.unknown(&[acme]), Vec::<&Pattern>::new());
    }

    #[test]
    fn a_name_that_two_tenants_have_is_ambiguous_but_a_wildcard_is_not() {
        let tenants = [tenant("acme", None), tenant("evil", Some("acme"))];
        for (only, except, found) in [
            (vec![Pattern::new("acme")], Vec::new(), true),
            (Vec::new(), vec![Pattern::new("acme")], true),
            (
                vec![Pattern::new("acme*"), Pattern::new("evil")],
                Vec::new(),
                false,
            ),
        ] {
            let selection = Selection {
                only,
                except,
                ..Selection::default()
            };
            assert_eq!(selection.ambiguous(&tenants).is_some(), found, "{selection:?}");
        }
    }

    #[test]
    fn the_nearest_names_come_first_and_strangers_not_at_all() {
        let names = ["globex", "acme-test", "acme", "acne", "acmes", "zzz"];
        assert_eq!(nearest("acmee", names), ["acme", "acmes", "acne"]);
        assert_eq!(nearest("quite-another", names), Vec::<String>::new());
    }
}
