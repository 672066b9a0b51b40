//! What stands in a string.

use std::borrow::Cow;

/// Whether a string says what it means: nothing in it is escaped but its own quotes.
pub(super) fn is_plain(raw: &str) -> bool {
    raw.starts_with('$') || (raw.starts_with(['\'', '"']) && !raw.contains('\\'))
}

/// Returns what is between a string's quotes, of whatever kind.
pub(super) fn unquoted(raw: &str) -> Cow<'_, str> {
    let Some(open) = raw.find(['\'', '"', '$']) else {
        return Cow::Borrowed(raw);
    };
    let rest = raw.get(open..).unwrap_or_default();
    if rest.starts_with('$') {
        let tag = rest
            .get(1..)
            .and_then(|tail| tail.find('$'))
            .map_or(1, |at| at + 2);
        return Cow::Borrowed(rest.get(tag..rest.len().saturating_sub(tag)).unwrap_or_default());
    }
    let quote = rest.get(..1).unwrap_or_default();
    let inner = rest.get(1..rest.len().saturating_sub(1)).unwrap_or_default();
    Cow::Owned(inner.replace(&quote.repeat(2), quote))
}
