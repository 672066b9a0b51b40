//! The comments at the top of a file that speak to us: `-- tenantry: …`.

use super::problem::FileProblemKind as Kind;
use super::script::{Directives, OnResume};
use super::split::{Parts, Remark, split};
use crate::engine::Engine;

/// The names, in the order in which they are listed.
const NAMES: [&str; 3] = ["no-transaction", "verify", "resume"];

/// Reads the directives of a text; adds what is wrong with them, by byte offset.
pub(super) fn read(
    text: &str,
    engine: Engine,
    parts: &Parts,
    problems: &mut Vec<(usize, Kind)>,
) -> Directives {
    let mut directives = Directives::default();
    let mut seen = Vec::new();
    for remark in &parts.remarks {
        let Some(words) = words(text, *remark) else {
            continue;
        };
        if let Err(kind) = take(words, *remark, engine, (&mut directives, &mut seen)) {
            problems.push((remark.start as usize, kind));
        }
    }
    directives
}

/// Returns what stands behind `tenantry:`; `None` for a comment that merely mentions us.
fn words(text: &str, remark: Remark) -> Option<&str> {
    let comment = text.get(remark.start as usize..remark.end as usize)?;
    let after = comment
        .trim_start_matches(['-', '#'])
        .trim_start()
        .get("tenantry".len()..)?;
    Some(after.trim_start().strip_prefix(':')?.trim())
}

type Found<'a> = (&'a mut Directives, &'a mut Vec<&'static str>);

fn take(words: &str, remark: Remark, engine: Engine, (found, seen): Found<'_>) -> Result<(), Kind> {
    let (name, value) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let value = value.trim();
    let Some(known) = NAMES.into_iter().find(|n| *n == name) else {
        return Err(Kind::UnknownDirective {
            name: name.to_owned(),
            suggestion: nearest(name),
        });
    };
    if remark.statements_before > 0 {
        return Err(Kind::DirectiveNotAtTop);
    }
    if seen.contains(&known) {
        return Err(Kind::DirectiveValue {
            name: known,
            problem: "occurs twice",
        });
    }
    seen.push(known);
    match known {
        "no-transaction" if !value.is_empty() => Err(Kind::DirectiveValue {
            name: known,
            problem: "takes no value",
        }),
        "no-transaction" => {
            found.no_transaction = true;
            Ok(())
        }
        "verify" => verify(value, engine).map(|query| found.verify = Some(query)),
        _ => resume(value).map(|rule| found.on_resume = rule),
    }
}

fn verify(value: &str, engine: Engine) -> Result<String, Kind> {
    let problem = |problem| Kind::DirectiveValue {
        name: "verify",
        problem,
    };
    let statements = split(value, engine).map_err(|_| problem("holds a query that is not complete"))?;
    let [statement] = statements.as_slice() else {
        return Err(problem("needs one query: verify SELECT …"));
    };
    let query = value.get(statement.range()).unwrap_or("");
    let selects = query.get(..6).is_some_and(|w| w.eq_ignore_ascii_case("select"));
    if selects {
        Ok(query.to_owned())
    } else {
        Err(problem("needs a query that begins with SELECT"))
    }
}

fn resume(value: &str) -> Result<OnResume, Kind> {
    match value {
        "rerun" => Ok(OnResume::Rerun),
        "ask" => Ok(OnResume::Ask),
        _ => Err(Kind::DirectiveValue {
            name: "resume",
            problem: "knows the values `rerun` and `ask`",
        }),
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    NAMES
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&name, known), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min()
        .map(|(_, known)| known)
}
