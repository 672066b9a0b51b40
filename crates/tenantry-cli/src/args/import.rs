//! `tenant import`: flags that say where a fleet's list is, and how it is understood.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{ArgGroup, Args, ValueEnum};
use tenantry::import::Slot;
use tenantry::migration::Version;
use tenantry::secret::{KeyForm, Profile};
use tenantry::{ProductType, TenantStatus, TrackName};

/// `tenant import`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["from_csv", "from_json", "from_sql"]))]
pub(crate) struct TenantImport {
    /// The list is a CSV file: a line of names, then a line for each tenant
    #[arg(long, value_name = "FILE")]
    pub(crate) from_csv: Option<PathBuf>,
    /// The list is a JSON file: a list of objects
    #[arg(long, value_name = "FILE")]
    pub(crate) from_json: Option<PathBuf>,
    /// The list is the answer of this SELECT in the central database
    #[arg(long, value_name = "SELECT")]
    pub(crate) from_sql: Option<String>,
    /// What their name of a column is here: `company=name`, `kira_db=kira.db_name`
    #[arg(long, value_name = "THEIRS=OURS", value_parser = mapped)]
    pub(crate) map: Vec<(String, Slot)>,
    /// What their word for a status is here: `trial=active`, `archived=suspended`
    #[arg(long, value_name = "THEIRS=OURS", value_parser = status)]
    pub(crate) status: Vec<(String, TenantStatus)>,
    /// Passwords from this CSV file: `id,product,password`; only you may be able to read it
    #[arg(long, value_name = "FILE")]
    pub(crate) passwords_file: Option<PathBuf>,
    /// Passwords in the list are encrypted with AES-256-CBC, in this form
    #[arg(long, value_name = "PROFILE", requires_all = ["legacy_key_file", "legacy_key_form"])]
    pub(crate) legacy_secrets: Option<LegacyProfile>,
    /// The file with the key of encrypted passwords; only you may be able to read it
    #[arg(long, value_name = "FILE", requires = "legacy_secrets")]
    pub(crate) legacy_key_file: Option<PathBuf>,
    /// What that key is
    #[arg(long, value_name = "FORM", requires = "legacy_secrets")]
    pub(crate) legacy_key_form: Option<LegacyKeyForm>,
    /// The salt that the key is made with
    #[arg(long, value_name = "TEXT", requires = "legacy_secrets")]
    pub(crate) legacy_salt: Option<String>,
    /// Up to this version everything is in place in what is imported; `kira=<version>` for a product's databases
    #[arg(long, value_name = "VERSION", value_parser = baseline)]
    pub(crate) baseline: Vec<(TrackName, Version)>,
    /// Check everything and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How existing platforms keep encrypted passwords, as flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegacyProfile(pub(crate) Profile);

impl ValueEnum for LegacyProfile {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [LegacyProfile; 6] = {
            let [a, b, c, d, e, f] = Profile::ALL;
            [
                LegacyProfile(a),
                LegacyProfile(b),
                LegacyProfile(c),
                LegacyProfile(d),
                LegacyProfile(e),
                LegacyProfile(f),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            Profile::IvHex => "vector and ciphertext in hex, with a colon between them",
            Profile::PrefixHex => "in hex, the first 16 bytes are the vector",
            Profile::PrefixBase64 => "in base64, the first 16 bytes are the vector",
            Profile::Salted => "as `openssl enc -aes-256-cbc -a` writes it",
            Profile::Laravel => "as Laravel's `Crypt::encryptString` writes it",
            Profile::LaravelSerialized => "as Laravel's `Crypt::encrypt` writes it",
        };
        Some(PossibleValue::new(self.0.as_str()).help(help))
    }
}

/// What the key of encrypted passwords is made from, as flags name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegacyKeyForm(pub(crate) KeyForm);

impl ValueEnum for LegacyKeyForm {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [LegacyKeyForm; 8] = {
            let [a, b, c, d, e, f, g, h] = KeyForm::ALL;
            [
                LegacyKeyForm(a),
                LegacyKeyForm(b),
                LegacyKeyForm(c),
                LegacyKeyForm(d),
                LegacyKeyForm(e),
                LegacyKeyForm(f),
                LegacyKeyForm(g),
                LegacyKeyForm(h),
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            KeyForm::Raw => "32 bytes as they are",
            KeyForm::Hex => "32 bytes in hex",
            KeyForm::Base64 => "32 bytes in base64",
            KeyForm::Sha256 => "SHA-256 over a passphrase",
            KeyForm::Scrypt => "scrypt over a passphrase and --legacy-salt, as Node's `scryptSync`",
            KeyForm::ZeroPadded => "a passphrase of at most 32 bytes, filled up with zeros",
            KeyForm::EvpMd5 => "OpenSSL's derivation from a passphrase, with MD5",
            KeyForm::EvpSha256 => "the same with SHA-256",
        };
        Some(PossibleValue::new(self.0.as_str()).help(help))
    }
}

fn pair(text: &str) -> Result<(&str, &str), String> {
    let parts = text.split_once('=');
    let parts = parts.filter(|(theirs, ours)| !theirs.is_empty() && !ours.is_empty());
    parts.ok_or_else(|| format!("`{}` is not of the form theirs=ours", text.escape_debug()))
}

fn mapped(text: &str) -> Result<(String, Slot), String> {
    let (theirs, ours) = pair(text)?;
    let slot = ours.parse::<Slot>().map_err(|error| error.to_string())?;
    Ok((theirs.to_owned(), slot))
}

fn status(text: &str) -> Result<(String, TenantStatus), String> {
    let (theirs, ours) = pair(text)?;
    let status = TenantStatus::from_word(ours)
        .filter(|status| matches!(status, TenantStatus::Active | TenantStatus::Suspended));
    let status =
        status.ok_or_else(|| format!("`{}` is neither active nor suspended", ours.escape_debug()))?;
    Ok((theirs.to_owned(), status))
}

fn baseline(text: &str) -> Result<(TrackName, Version), String> {
    let (track, version) = match text.split_once('=') {
        Some((product, version)) => {
            let product: ProductType = product
                .parse()
                .map_err(|error: tenantry::NameError| error.to_string())?;
            (TrackName::Product(product), version)
        }
        None => (TrackName::Tenant, text),
    };
    let version = version.parse::<Version>().map_err(|error| error.to_string())?;
    Ok((track, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_what_is_none_is_said() {
        assert_eq!(mapped("company=name").unwrap().0, "company");
        assert_eq!(mapped("k=kira.db_name").unwrap().1.to_string(), "kira.db_name");
        assert!(mapped("company").unwrap_err().contains("theirs=ours"));
        assert!(
            mapped("company=nmae")
                .unwrap_err()
                .contains("did you mean `name`")
        );
        assert_eq!(status("trial=active").unwrap().1, TenantStatus::Active);
        assert!(status("new=provisioning").is_err());
        assert_eq!(baseline("3").unwrap().0, TrackName::Tenant);
        assert_eq!(baseline("kira=3").unwrap().0.to_string(), "product:kira");
        assert!(baseline("x").is_err());
    }
}
