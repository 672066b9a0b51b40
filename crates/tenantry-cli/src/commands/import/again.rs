//! The command of an import, as it can be typed again.

use super::super::again::quoted;
use crate::args::TenantImport;

/// Returns the command with everything that was said.
pub(super) fn again(asked: &TenantImport) -> String {
    let mut command = "tenantry tenant import".to_owned();
    let mut add = |flag: &str, value: &str| {
        command.extend([" ", flag, " ", quoted(value).as_str()]);
    };
    let path = |path: &std::path::Path| path.display().to_string();
    let files = [
        ("--from-csv", &asked.from_csv),
        ("--from-json", &asked.from_json),
        ("--passwords-file", &asked.passwords_file),
        ("--legacy-key-file", &asked.legacy_key_file),
    ];
    for (flag, file) in files {
        if let Some(file) = file {
            add(flag, &path(file));
        }
    }
    if let Some(sql) = &asked.from_sql {
        add("--from-sql", sql);
    }
    for (theirs, ours) in &asked.map {
        add("--map", &format!("{theirs}={ours}"));
    }
    for (theirs, ours) in &asked.status {
        add("--status", &format!("{theirs}={}", ours.as_str()));
    }
    if let Some(profile) = asked.legacy_secrets {
        add("--legacy-secrets", profile.0.as_str());
    }
    if let Some(form) = asked.legacy_key_form {
        add("--legacy-key-form", form.0.as_str());
    }
    if let Some(salt) = &asked.legacy_salt {
        add("--legacy-salt", salt);
    }
    for (track, version) in &asked.baseline {
        add("--baseline", &super::baseline::word(track, *version));
    }
    command
}
