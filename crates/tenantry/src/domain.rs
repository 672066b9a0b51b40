//! Host names that lead to tenants, each in one spelling.

use std::fmt;
use std::str::FromStr;

use crate::tenant::NameError;

/// The longest host name and the longest label of one, in bytes (RFC 1035 section 2.3.4, as text).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A host name in lower case: labels of `a`–`z`, `0`–`9` and hyphens with dots between them, as they stand
/// in DNS. A name in another script has to be given in its Punycode form (`xn--…`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let name = given.to_ascii_lowercase();
        match broken_rule(&name) {
            None => Ok(Self(name)),
            Some(rule) => Err(NameError {
                what: "domain",
                given: given.to_owned(),
                rule,
            }),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the first rule that a lower-case name breaks (RFC 1123 section 2.1).
fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("is empty");
    }
    if !name.is_ascii() {
        return Some("is not in ASCII: give it as it stands in DNS, in Punycode, which begins with `xn--`");
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if !name.bytes().all(allowed) {
        return Some(
            "may hold only a-z, 0-9, hyphens and dots: a host name without scheme, port, path or wildcard",
        );
    }
    if name.len() > NAME_MAX {
        return Some("is longer than 253 bytes");
    }
    if name.split('.').any(str::is_empty) {
        return Some("has a dot too many");
    }
    if name.split('.').any(|label| label.len() > LABEL_MAX) {
        return Some("has a part of more than 63 bytes between two dots");
    }
    if name
        .split('.')
        .any(|label| label.starts_with('-') || label.ends_with('-'))
    {
        return Some("has a hyphen at the beginning or end of a part");
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    last.bytes()
        .all(|b| b.is_ascii_digit())
        .then_some("ends with a number, as only addresses do; a host name is needed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_kept_in_lower_case() {
        let domain: Domain = "WWW.Acme.Example".parse().unwrap();
        assert_eq!(domain.as_str(), "www.acme.example");
        let longest = [&"a".repeat(63); 3].map(String::as_str).join(".") + &format!(".{}", "b".repeat(61));
        assert_eq!(longest.len(), NAME_MAX);
        for good in [
            "localhost",
            "a.b",
            "1st.example",
            "xn--bcher-kva.example",
            "a-b.c--d",
            &longest,
        ] {
            assert!(good.parse::<Domain>().is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused_with_the_rule_it_breaks() {
        let label = format!("{}.example", "a".repeat(64));
        let long = ["abcdefghi"; 26].join(".");
        for (bad, rule) in [
            ("", "is empty"),
            ("bücher.example", "Punycode"),
            ("a_b.example", "a-z, 0-9"),
            ("https://acme.example", "without scheme"),
            ("acme.example:443", "port"),
            ("*.acme.example", "wildcard"),
            ("acme example", "a-z, 0-9"),
            ("acme\n.example", "a-z, 0-9"),
            ("acme.example.", "a dot too many"),
            (".acme", "a dot too many"),
            ("a..b", "a dot too many"),
            ("-a.example", "hyphen"),
            ("a-.example", "hyphen"),
            ("192.0.2.1", "ends with a number"),
            (&label, "63"),
            (&long, "253"),
        ] {
            let error = bad.parse::<Domain>().unwrap_err();
            assert!(error.rule.contains(rule), "{bad:?}: {error}");
        }
    }
}
