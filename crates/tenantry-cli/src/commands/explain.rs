//! `explain`: the long explanation of an error code, from the pages that are built in.

use serde::Serialize;
use tenantry::Code;

use super::{Context, Format, document};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::render::text;

/// The pages of `docs/errors`, by number, ascending.
const PAGES: &[(u16, &str)] = &include!(concat!(env!("OUT_DIR"), "/pages.rs"));

#[derive(Serialize)]
struct Explanation<'a> {
    code: String,
    title: &'a str,
    text: &'a str,
}

/// Prints the page of a code.
///
/// # Errors
/// Exit code 4 if there is no such code; the nearest ones are named.
pub(super) fn run(context: &Context, given: &str) -> Result<Exit, CommandError> {
    let number = number_of(given);
    let page = PAGES.iter().find(|(page, _)| Some(*page) == number);
    let Some((number, page)) = page else {
        return Err(unknown(given, number));
    };
    let title = page.lines().next().unwrap_or_default();
    let code = Code(*number).to_string();
    let title = title
        .trim_start_matches("# ")
        .trim_start_matches(&code)
        .trim_start_matches(": ");
    let explanation = Explanation {
        code,
        title,
        text: page,
    };
    if context.format == Format::Human {
        document(page.trim_end())?;
    } else {
        context.answer("", &explanation)?;
    }
    Ok(Exit::Done)
}

/// Reads `TN-2003`, `tn2003` and `2003`.
fn number_of(given: &str) -> Option<u16> {
    let upper = given.trim().to_uppercase();
    let digits = upper.strip_prefix("TN").unwrap_or(&upper);
    digits.trim_start_matches(['-', '_']).parse().ok()
}

fn unknown(given: &str, number: Option<u16>) -> CommandError {
    let title = format!("no error code `{}`", text::printable(given));
    let error = CommandError::new(Exit::NotFound, title).code(Code(1011));
    let mut near: Vec<u16> = PAGES.iter().map(|(number, _)| *number).collect();
    if let Some(number) = number {
        near.sort_by_key(|page| (page / 1000 != number / 1000, page.abs_diff(number)));
    }
    near.into_iter().take(3).fold(error, |error, near| {
        error.help(format!("tenantry explain {}", Code(near)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_written() {
        for text in ["TN-2003", "tn-2003", "TN2003", "2003", " TN_2003 "] {
            assert_eq!(number_of(text), Some(2003), "{text}");
        }
        assert_eq!(number_of("TN-x"), None);
    }

    #[test]
    fn every_page_begins_with_its_own_code() {
        assert!(!PAGES.is_empty());
        for (number, page) in PAGES {
            let heading = format!("# {}: ", Code(*number));
            assert!(page.starts_with(&heading), "{number}");
        }
    }

    #[test]
    fn the_nearest_code_of_the_same_block_comes_first() {
        let error = unknown("1002x", Some(1002));
        assert_eq!(error.exit, Exit::NotFound);
        let first = error.message.help.first().unwrap();
        assert!(first.starts_with("tenantry explain TN-10"), "{first}");
    }
}
