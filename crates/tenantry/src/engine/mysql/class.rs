//! What kind of statement one is, as far as interrupting it is concerned.

/// How a statement behaves when it is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Changes rows; shares a transaction with its checkpoint.
    Dml,
    /// Changes the objects named, all or nothing.
    AtomicDdl {
        /// What it changes.
        objects: Vec<Object>,
    },
    /// Changes several objects one after the other.
    MultiObjectDdl {
        /// What it changes.
        objects: Vec<Object>,
    },
    /// Leaves nothing to see and may be repeated.
    Repeatable,
    /// Leaves nothing to see and must not be repeated.
    NotRepeatable,
    /// May do anything.
    Opaque,
    /// Changes this session only.
    Session,
}

/// An object as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// `TABLE`, `VIEW`, `TRIGGER`, `PROCEDURE`, `FUNCTION`, `EVENT`, `DATABASE`: what follows SHOW CREATE.
    pub(super) kind: &'static str,
    /// Its name, quoted, with the database if the statement names one.
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word in capitals, and as it is written.
    Word(String, String),
    /// A name in backticks, as it is written.
    Quoted(String),
    /// Anything else.
    Other(char),
}

/// Classifies one statement. What it does not know is [`Class::Opaque`].
pub(super) fn classify(text: &str) -> Class {
    let tokens = tokens(text);
    let word = |at: usize| match tokens.get(at) {
        Some(Token::Word(word, _)) => word.as_str(),
        Some(Token::Quoted(_) | Token::Other(_)) | None => "",
    };
    match word(0) {
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "SELECT" | "WITH" | "DO" | "VALUES" | "TABLE" => {
            Class::Dml
        }
        "SET" | "USE" | "PREPARE" | "DEALLOCATE" => Class::Session,
        "ANALYZE" | "OPTIMIZE" | "GRANT" | "REVOKE" | "SHOW" | "CHECK" | "FLUSH" | "EXPLAIN" => {
            Class::Repeatable
        }
        "TRUNCATE" => Class::NotRepeatable,
        "CREATE" => create(&tokens),
        "DROP" => drop_or_many(&tokens),
        "ALTER" => alter(&tokens),
        "RENAME" if word(1) == "TABLE" => rename(&tokens),
        _ => Class::Opaque,
    }
}

fn has_word(tokens: &[Token], wanted: &str) -> bool {
    tokens
        .iter()
        .any(|token| matches!(token, Token::Word(word, _) if word == wanted))
}

fn create(tokens: &[Token]) -> Class {
    let Some((at, kind)) = kind_of(tokens, 1) else {
        return Class::Opaque;
    };
    if kind == "INDEX" {
        return on_table(tokens);
    }
    if kind == "USER" || kind == "ROLE" {
        return Class::Repeatable;
    }
    if kind == "TABLE" && has_word(tokens, "SELECT") {
        return Class::Opaque;
    }
    single(kind, name_at(tokens, skip_if(tokens, at)).map(|(name, _)| name))
}

fn alter(tokens: &[Token]) -> Class {
    let unseen = ["EXCHANGE", "TRUNCATE", "DISCARD", "IMPORT"];
    let Some((at, kind)) = kind_of(tokens, 1) else {
        return Class::Opaque;
    };
    if kind == "TABLE" && unseen.iter().any(|word| has_word(tokens, word)) {
        return Class::NotRepeatable;
    }
    match kind {
        "INDEX" | "USER" | "ROLE" => Class::Opaque,
        _ => single(kind, name_at(tokens, skip_if(tokens, at)).map(|(name, _)| name)),
    }
}

fn drop_or_many(tokens: &[Token]) -> Class {
    let Some((at, kind)) = kind_of(tokens, 1) else {
        return Class::Opaque;
    };
    if kind == "INDEX" {
        return on_table(tokens);
    }
    if kind == "USER" || kind == "ROLE" {
        return Class::Repeatable;
    }
    let mut objects = Vec::new();
    let mut at = skip_if(tokens, at);
    while let Some((name, after)) = name_at(tokens, at) {
        objects.push(Object { kind, name });
        if tokens.get(after) != Some(&Token::Other(',')) {
            break;
        }
        at = after + 1;
    }
    match objects.len() {
        0 => Class::Opaque,
        1 => Class::AtomicDdl { objects },
        _ => Class::MultiObjectDdl { objects },
    }
}

fn rename(tokens: &[Token]) -> Class {
    let mut objects = Vec::new();
    let mut at = 2;
    while let Some((name, after)) = name_at(tokens, at) {
        objects.push(Object { kind: "TABLE", name });
        match tokens.get(after) {
            Some(Token::Other(',')) => at = after + 1,
            Some(Token::Word(word, _)) if word == "TO" => at = after + 1,
            Some(Token::Word(..) | Token::Quoted(_) | Token::Other(_)) | None => break,
        }
    }
    match objects.len() {
        2 => Class::AtomicDdl { objects },
        0 | 1 => Class::Opaque,
        _ => Class::MultiObjectDdl { objects },
    }
}

/// An index belongs to the table behind ON.
fn on_table(tokens: &[Token]) -> Class {
    let on = tokens
        .iter()
        .position(|token| matches!(token, Token::Word(word, _) if word == "ON"));
    single(
        "TABLE",
        on.and_then(|at| name_at(tokens, at + 1)).map(|(name, _)| name),
    )
}

fn single(kind: &'static str, name: Option<String>) -> Class {
    name.map_or(Class::Opaque, |name| Class::AtomicDdl {
        objects: vec![Object { kind, name }],
    })
}

/// Finds the kind of object behind CREATE, ALTER or DROP, and where its name begins.
fn kind_of(tokens: &[Token], from: usize) -> Option<(usize, &'static str)> {
    const KINDS: [&str; 11] = [
        "TABLE",
        "VIEW",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "DATABASE",
        "SCHEMA",
        "INDEX",
        "USER",
        "ROLE",
    ];
    for (at, token) in tokens.iter().enumerate().skip(from).take(24) {
        let Token::Word(word, _) = token else {
            continue;
        };
        if word == "TEMPORARY" {
            return None;
        }
        if let Some(kind) = KINDS.iter().find(|kind| *kind == word) {
            return Some((at + 1, if *kind == "SCHEMA" { "DATABASE" } else { kind }));
        }
    }
    None
}

/// Steps over IF NOT EXISTS and IF EXISTS.
fn skip_if(tokens: &[Token], at: usize) -> usize {
    let is = |at: usize, wanted: &str| matches!(tokens.get(at), Some(Token::Word(w, _)) if w == wanted);
    match (is(at, "IF"), is(at + 1, "NOT")) {
        (true, true) => at + 3,
        (true, false) => at + 2,
        (false, _) => at,
    }
}

/// Reads a name, with its database if it has one; returns it quoted and the index behind it.
fn name_at(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let first = part_at(tokens, at)?;
    if tokens.get(at + 1) == Some(&Token::Other('.')) {
        let second = part_at(tokens, at + 2)?;
        return Some((format!("{first}.{second}"), at + 3));
    }
    Some((first, at + 1))
}

fn part_at(tokens: &[Token], at: usize) -> Option<String> {
    match tokens.get(at)? {
        Token::Word(_, raw) => Some(format!("`{raw}`")),
        Token::Quoted(raw) => Some(raw.clone()),
        Token::Other(_) => None,
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '#' => (None, end_of_line(rest)),
            '-' if is_dash_comment(rest) => (None, end_of_line(rest)),
            '/' if rest.starts_with("/*!") => (
                None,
                rest.find(|c: char| !"/*!".contains(c) && !c.is_ascii_digit())
                    .unwrap_or(rest.len()),
            ),
            '/' if rest.starts_with("/*") => (None, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '`' | '\'' | '"' => quoted(rest, first),
            c if c.is_alphanumeric() || c == '_' || c == '$' => word(rest),
            c => (Some(Token::Other(c)), c.len_utf8()),
        };
        found.extend(token);
        rest = rest.get(length..).unwrap_or("").trim_start();
    }
    found
}

fn is_dash_comment(rest: &str) -> bool {
    rest.strip_prefix("--")
        .is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
}

fn end_of_line(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn word(rest: &str) -> (Option<Token>, usize) {
    let length = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
        .unwrap_or(rest.len());
    let raw = rest.get(..length).unwrap_or("");
    (Some(Token::Word(raw.to_uppercase(), raw.to_owned())), length)
}

fn quoted(rest: &str, quote: char) -> (Option<Token>, usize) {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            let raw = rest.get(..=at).unwrap_or(rest).to_owned();
            let token = (quote == '`').then_some(Token::Quoted(raw));
            return (token.or(Some(Token::Other(quote))), at + 1);
        }
    }
    (None, rest.len())
}
