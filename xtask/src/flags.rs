//! What a flag of ours is followed by.

use std::str::FromStr;

use anyhow::{Context as _, bail};

/// Returns the number from 1 that follows a flag.
pub(crate) fn number<T: FromStr + Default + PartialEq>(
    flag: &str,
    value: Option<&String>,
) -> anyhow::Result<T> {
    let value = value.with_context(|| format!("{flag} needs a number"))?;
    match value.parse() {
        Ok(number) if number != T::default() => Ok(number),
        _ => bail!("{flag}: `{value}` is not a number from 1"),
    }
}
