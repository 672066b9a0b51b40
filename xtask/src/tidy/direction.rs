//! Dependencies point one way: cli → server → library, and inside the library towards the pure parts.

use super::rust::{Named, is_test_file, named};
use super::tree::Tree;
use super::{Finding, finding};

const DRIVERS: [&str; 3] = ["tokio_postgres", "rusqlite", "mysql_async"];

/// What may be named only inside one folder, or not at all inside one.
struct Rule {
    /// The beginnings of the paths that the rule is about.
    within: &'static [&'static str],
    /// The beginnings of the paths that it excepts.
    except: &'static [&'static str],
    /// What must not be named there.
    refused: &'static [&'static str],
    /// What to do instead.
    remedy: &'static str,
}

const PURE: &[&str] = &[
    "crates/tenantry/src/plan.rs",
    "crates/tenantry/src/plan/",
    "crates/tenantry/src/migration.rs",
    "crates/tenantry/src/migration/",
    "crates/tenantry/src/verify.rs",
    "crates/tenantry/src/verify/",
];

const RULES: [Rule; 6] = [
    Rule {
        within: &["crates/tenantry/"],
        except: &[],
        refused: &[
            "clap",
            "axum",
            "indicatif",
            "tenantry_server",
            "tenantry_cli",
            "std::env",
            "std::process",
        ],
        remedy: "the library knows no terminal, environment or HTTP; take the value as a parameter",
    },
    Rule {
        within: &["crates/tenantry/"],
        except: &[],
        refused: &["println!", "print!", "eprintln!", "eprint!", "dbg!"],
        remedy: "the library does not print; send an event or return the value",
    },
    Rule {
        within: &["crates/tenantry-server/"],
        except: &[],
        refused: &["clap", "indicatif", "tenantry_cli"],
        remedy: "the server knows no terminal; leave that to the command",
    },
    Rule {
        within: PURE,
        except: &[],
        refused: &["tokio", "tokio_postgres", "rusqlite", "mysql_async", "sea_orm"],
        remedy: "plan, migration and verify are pure; move this to engine, run or registry",
    },
    Rule {
        within: &["crates/"],
        except: &["crates/tenantry/src/engine/"],
        refused: &DRIVERS,
        remedy: "only crates/tenantry/src/engine/ names a driver; use its traits",
    },
    Rule {
        within: &["crates/"],
        except: &["crates/tenantry/src/registry/", "crates/tenantry/src/registry.rs"],
        refused: &["sea_orm"],
        remedy: "only crates/tenantry/src/registry/ names the registry's database library",
    },
];

/// Finds what names a crate or module that it must not know.
pub(crate) fn points_one_way(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree
        .rust()
        .filter(|(path, _)| path.starts_with("crates/") && !is_test_file(path))
    {
        for named in named(text) {
            let rule = RULES
                .iter()
                .find(|rule| rule.applies_to(path) && rule.refuses(&named));
            if let Some(rule) = rule {
                findings.push(finding(
                    path,
                    named.line,
                    format!("names `{}`", named.path),
                    rule.remedy,
                ));
            } else if begins_with(path, PURE) && is_engine_behaviour(&named) {
                let what = format!("names `{}`", named.path);
                let remedy = "here only the facts of `crate::engine::Engine` may be named";
                findings.push(finding(path, named.line, what, remedy));
            }
        }
    }
    findings
}

impl Rule {
    fn applies_to(&self, path: &str) -> bool {
        begins_with(path, self.within) && !begins_with(path, self.except)
    }

    fn refuses(&self, named: &Named) -> bool {
        self.refused.iter().any(|refused| named.is_in(refused))
    }
}

fn begins_with(path: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| path.starts_with(beginning))
}

fn is_engine_behaviour(named: &Named) -> bool {
    let mut parts = named.path.split("::").skip_while(|part| *part == "super");
    let is_from_the_root = named.path.starts_with("crate::") || named.path.starts_with("super::");
    if parts.clone().next() == Some("crate") {
        parts.next();
    }
    is_from_the_root && parts.next() == Some("engine") && parts.next() != Some("Engine")
}
