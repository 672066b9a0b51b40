//! Just enough of Rust to tell code from comments, text and tests, and to list the paths that code names.

/// A path that code names, such as `std::env::var`, or a macro with its `!`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// The path, without generic arguments.
    pub(crate) path: String,
    /// The line, from 1.
    pub(crate) line: usize,
}

impl Named {
    /// Returns whether the path is `prefix` or something inside it.
    pub(crate) fn is_in(&self, prefix: &str) -> bool {
        self.path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

/// Returns whether the whole file is test code.
pub(crate) fn is_test_file(path: &str) -> bool {
    let folders_and_file: Vec<&str> = path.split('/').collect();
    folders_and_file
        .iter()
        .any(|part| matches!(*part, "tests" | "tests.rs" | "benches"))
}

/// Returns the lines before a `#[cfg(test)] mod tests {`.
pub(crate) fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let start = from + found;
        from = start + "#[cfg(test)]".len();
        if text
            .get(from..)
            .is_some_and(|rest| rest.trim_start().starts_with("mod tests {"))
        {
            return text.get(..start).unwrap_or(text);
        }
    }
    text
}

/// Returns the paths that the non-test code of a file names; `use` trees are written out.
pub(crate) fn named(text: &str) -> Vec<Named> {
    let tokens = tokens(&blank(without_tests(text)));
    let mut found = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = if token.text == "use" {
            use_tree(after, "", &mut found)
        } else if token.is_word() {
            path(rest, &mut found)
        } else {
            after
        };
    }
    found
}

#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text.starts_with(is_word_char)
    }
}

fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Splits code into words, `::` and single other characters.
fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word_char(first) {
                rest.find(|char| !is_word_char(char)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, after) = rest.split_at(length);
            tokens.push(Token {
                text: text.to_owned(),
                line: index + 1,
            });
            rest = after.trim_start();
        }
    }
    tokens
}

/// Reads one path outside a `use`, and returns what comes after it.
fn path<'a>(mut rest: &'a [Token], found: &mut Vec<Named>) -> &'a [Token] {
    let Some(line) = rest.first().map(|token| token.line) else {
        return rest;
    };
    let mut path = String::new();
    while let Some((word, after)) = rest.split_first().filter(|(word, _)| word.is_word()) {
        path.push_str(&word.text);
        rest = after;
        match after {
            [colons, next, ..] if colons.text == "::" && next.is_word() => {
                path.push_str("::");
                rest = &after[1..];
            }
            [mark, bracket, ..] if mark.text == "!" && matches!(bracket.text.as_str(), "(" | "[" | "{") => {
                path.push('!');
                break;
            }
            _ => break,
        }
    }
    found.push(Named { path, line });
    rest
}

/// Reads one tree of a `use` under `prefix`, and returns what comes after it.
fn use_tree<'a>(mut rest: &'a [Token], prefix: &str, found: &mut Vec<Named>) -> &'a [Token] {
    let mut path = prefix.to_owned();
    let mut line = rest.first().map_or(0, |token| token.line);
    while let Some((token, after)) = rest.split_first() {
        match token.text.as_str() {
            "::" => {}
            "{" => return use_group(after, &path, found),
            "," | "}" | ";" => break,
            "as" => {
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            "self" if !prefix.is_empty() && path == prefix => {}
            word => {
                line = token.line;
                path = if path.is_empty() {
                    word.to_owned()
                } else {
                    format!("{path}::{word}")
                };
            }
        }
        rest = after;
    }
    found.push(Named { path, line });
    rest
}

fn use_group<'a>(mut rest: &'a [Token], prefix: &str, found: &mut Vec<Named>) -> &'a [Token] {
    while let Some((token, after)) = rest.split_first() {
        match token.text.as_str() {
            "}" => return after,
            "," => rest = after,
            ";" => return rest,
            _ => rest = use_tree(rest, prefix, found),
        }
    }
    rest
}

/// Returns the text with comments, strings and characters turned into blanks; lines stay where they are.
fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = literal_or_comment(rest, code.chars().next_back());
        if length == 0 {
            code.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        } else {
            let (hidden, after) = rest.split_at(length);
            code.push(' ');
            code.extend(hidden.chars().filter(|char| *char == '\n'));
            rest = after;
        }
    }
    code
}

/// Returns how long the comment or literal is that `rest` begins with; 0 when there is none.
fn literal_or_comment(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"').unwrap_or(rest.len());
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let is_inside_a_word = before.is_some_and(is_word_char);
    if !is_inside_a_word && let Some(length) = raw_string(rest) {
        return length;
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Returns the length of a literal between two `quote`s; `None` when it does not end.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            char if char == quote => return Some(at + quote.len_utf8()),
            _ => {}
        }
    }
    None
}

/// Returns the length of a character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    let is_literal = match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    };
    if is_literal {
        quoted(rest, '\'').unwrap_or(0)
    } else {
        0
    }
}

fn raw_string(rest: &str) -> Option<usize> {
    let start = ["br", "cr", "r"]
        .into_iter()
        .find_map(|prefix| rest.strip_prefix(prefix))?;
    let hashes = start.find(|char| char != '#')?;
    let inside = start.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(rest.len() - inside.len() + length)
}

#[cfg(test)]
mod tests {
    use super::{named, without_tests};

    fn paths(code: &str) -> Vec<(String, usize)> {
        named(code)
            .into_iter()
            .map(|named| (named.path, named.line))
            .collect()
    }

    #[test]
    fn a_use_tree_is_written_out_with_the_line_of_each_path() {
        let code = "use std::{\n    env,\n    process::{self, Command as C},\n};\n";
        let expected = [("std::env", 2), ("std::process", 3), ("std::process::Command", 3)];
        assert_eq!(paths(code), expected.map(|(path, line)| (path.to_owned(), line)));
    }

    #[test]
    fn comments_text_and_lifetimes_name_nothing() {
        let code = "// clap::a\n/* clap::b /* c */ */ \"clap::d \\\" e\" r#\"clap \" f\"# '\"' clap::g";
        assert_eq!(paths(code), [("clap::g".to_owned(), 2)]);
        assert_eq!(paths("&'a x::y"), [("a".to_owned(), 1), ("x::y".to_owned(), 1)]);
    }

    #[test]
    fn a_macro_keeps_its_mark() {
        assert_eq!(
            paths("println!(a)"),
            [("println!".to_owned(), 1), ("a".to_owned(), 1)]
        );
    }

    #[test]
    fn code_ends_where_the_tests_begin() {
        let code = "a;\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests {\n c;\n}\n";
        assert_eq!(without_tests(code), "a;\n#[cfg(test)]\nuse b;\n");
        assert_eq!(
            without_tests("a;\n#[cfg(test)]\nmod tests;\n"),
            "a;\n#[cfg(test)]\nmod tests;\n"
        );
    }
}
