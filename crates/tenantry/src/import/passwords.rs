//! Where the passwords of a list come from: clear in it, encrypted in it, or from a file beside it.

use std::collections::HashMap;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use super::csv::malformed;
use super::error::ImportError;
use super::problem::Place;
use super::text::decode;
use crate::secret::{Legacy, LegacyError, SECRET_MAX};

/// How the passwords of a list are read.
#[derive(Debug, Default)]
pub struct Passwords {
    /// What reads those in the list; `None` if they are clear.
    pub legacy: Option<Legacy>,
    /// Those from a file.
    pub file: PasswordsFile,
}

/// Passwords by tenant and product, from a file of their own.
#[derive(Default)]
pub struct PasswordsFile(HashMap<(String, String), SecretString>);

impl fmt::Debug for PasswordsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordsFile({} passwords)", self.0.len())
    }
}

impl PasswordsFile {
    /// Reads a CSV text with the columns `id`, `password` and, where there are products, `product`.
    ///
    /// # Errors
    /// [`ImportError::Encoding`] and [`ImportError::Malformed`] with the line; none of the values is in them.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImportError> {
        let refused = |line: u64, what: &str| ImportError::Malformed {
            at: Some(Place::Line(line)),
            what: format!("of the passwords file {what}"),
        };
        let text = decode(bytes)?;
        let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
        let titles = reader.headers().map_err(|error| malformed(&error))?;
        let column = |name: &str| titles.iter().position(|title| title == name);
        let (Some(id), Some(password)) = (column("id"), column("password")) else {
            return Err(refused(1, "lacks the name `id` or `password`"));
        };
        let product = column("product");
        let mut read = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| malformed(&error))?;
            let value = |at: usize| record.get(at).unwrap_or_default();
            let key = (
                value(id).to_owned(),
                product.map(value).unwrap_or_default().to_owned(),
            );
            let secret = SecretString::from(value(password));
            if read.insert(key, secret).is_some() {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(refused(line, "names a tenant and product a second time"));
            }
        }
        Ok(Self(read))
    }
}

/// Why there is no password.
pub(super) enum Unreadable {
    /// What is wrong with it, behind the field's name.
    Rule(String),
    /// It is encrypted, and did not open.
    Legacy(LegacyError),
}

/// Returns the password of one database, which `key` names in the file of passwords.
pub(super) fn password(
    from: &Passwords,
    given: Option<&str>,
    (id, product): (&str, &str),
) -> Result<SecretString, Unreadable> {
    let of_file = || from.file.0.get(&(id.to_owned(), product.to_owned()));
    let filed = if from.file.0.is_empty() { None } else { of_file() };
    let password = match (given, filed) {
        (Some(_), Some(_)) => {
            return Err(Unreadable::Rule(
                "is in the list and in the passwords file".to_owned(),
            ));
        }
        (None, None) => return Err(Unreadable::Rule("is missing".to_owned())),
        (None, Some(filed)) => filed.clone(),
        (Some(text), None) => match &from.legacy {
            Some(legacy) => legacy.open(text).map_err(Unreadable::Legacy)?,
            None => SecretString::from(text),
        },
    };
    check(password.expose_secret()).map_err(|what| Unreadable::Rule(what.to_owned()))?;
    Ok(password)
}

/// Checks a password, which is kept exactly as it is.
fn check(password: &str) -> Result<(), &'static str> {
    if password.is_empty() {
        return Err("is empty");
    }
    if password.len() > SECRET_MAX {
        return Err("is longer than 64 KiB");
    }
    if password.chars().any(char::is_control) {
        return Err("holds a control character or a line break");
    }
    Ok(())
}
