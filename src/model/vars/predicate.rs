//! One condition in the terms that an Envoy route has for it.
//!
//! Measured with Envoy 1.40: a header matcher holds when one of the header's values passes, an inverted one when none does; of
//! an argument or a cookie the first value counts; arguments are not decoded, cookies lose their quotes. Of a match on an
//! argument there is no inverse, and of the path and of a connection's state neither.

use ipnet::IpNet;

use super::complement;
use super::condition::{Condition, Test, Variable};
use crate::model::pattern::size;

/// The header in which Envoy writes the client's address, whatever the client wrote there.
pub const ADDRESS_HEADER: &str = "x-envoy-external-address";
/// How many bytes of texts one pattern takes: each is one of the hundred instructions that a program may have.
const TEXTS: usize = 72;

/// What is asked of a whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// It is this one.
    Exact(String),
    /// It is one of a pattern of RE2.
    Regex(String),
}

/// What an Envoy route asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// A value of a header.
    Header {
        /// In lower case.
        name: String,
        text: Text,
        /// Whether it must not pass.
        inverted: bool,
        /// Whether a request without the header passes an inverted one.
        or_absent: bool,
    },
    /// Whether a header is there.
    HeaderPresent(String, bool),
    /// The first value of an argument.
    Argument(String, Text),
    /// Whether an argument is there.
    ArgumentPresent(String, bool),
    /// The first value of a cookie; a request without the cookie passes an inverted one.
    Cookie {
        /// As it is spelled.
        name: String,
        text: Text,
        /// Whether it must not pass.
        inverted: bool,
    },
    /// The path is one of a pattern.
    Path(String),
    /// The client's address is in one of these, or in none.
    Address {
        nets: Vec<IpNet>,
        /// Whether it must be in none.
        inverted: bool,
    },
    /// The port that the client came to.
    Port(Text),
}

/// The alternatives of one condition, or of its inverse.
pub(super) fn alternatives(
    condition: &Condition,
    inverse: bool,
) -> Result<Vec<Vec<Predicate>>, String> {
    match (&condition.test, inverse) {
        (Test::Never, false) => return Ok(Vec::new()),
        (Test::Never, true) => return Ok(vec![Vec::new()]),
        (Test::Absent, _) => return Ok(absent(&condition.variable, inverse)),
        _ => {}
    }
    match &condition.variable {
        Variable::Argument(name) => {
            if inverse {
                let absent = vec![Predicate::ArgumentPresent(name.clone(), false)];
                let other = other_than(condition)?
                    .into_iter()
                    .map(|text| vec![Predicate::Argument(name.clone(), text)]);
                Ok([absent].into_iter().chain(other).collect())
            } else {
                any(condition, |text| Predicate::Argument(name.clone(), text))
            }
        }
        Variable::Port => {
            if inverse {
                let other = other_than(condition)?.into_iter();
                Ok(other.map(|text| vec![Predicate::Port(text)]).collect())
            } else {
                any(condition, Predicate::Port)
            }
        }
        Variable::Cookie(name) => {
            let cookie = |text| Predicate::Cookie {
                name: name.clone(),
                text,
                inverted: inverse,
            };
            if inverse {
                Ok(vec![texts(condition)?.into_iter().map(cookie).collect()])
            } else {
                any(condition, cookie)
            }
        }
        Variable::Header(name) => header(name, condition, inverse),
        Variable::Method => header(":method", condition, inverse),
        Variable::Scheme => header(":scheme", condition, inverse),
        Variable::Host => header(":authority", condition, inverse),
        Variable::Uri => match (&condition.test, inverse) {
            (Test::Pattern { .. }, false) => any(condition, |text| match text {
                Text::Exact(text) | Text::Regex(text) => Predicate::Path(text),
            }),
            (Test::Pattern { .. }, true) => {
                Err("a pattern of `uri` cannot be reversed: Envoy has no inverse of it".into())
            }
            _ => header(":path", condition, inverse),
        },
        Variable::Address => match &condition.test {
            Test::Within(nets) => Ok(vec![vec![Predicate::Address {
                nets: nets.clone(),
                inverted: inverse,
            }]]),
            _ => header(ADDRESS_HEADER, condition, inverse),
        },
    }
}

/// `== null`: all but arguments, headers and cookies are always there.
fn absent(variable: &Variable, inverse: bool) -> Vec<Vec<Predicate>> {
    let predicate = match variable {
        Variable::Argument(name) => Predicate::ArgumentPresent(name.clone(), inverse),
        Variable::Header(name) => Predicate::HeaderPresent(name.clone(), inverse),
        Variable::Cookie(name) => Predicate::Cookie {
            name: name.clone(),
            text: Text::Regex(r"\C*".to_owned()),
            inverted: !inverse,
        },
        _ if inverse => return vec![Vec::new()],
        _ => return Vec::new(),
    };
    vec![vec![predicate]]
}

/// One of the texts, each as an alternative.
fn any(
    condition: &Condition,
    predicate: impl Fn(Text) -> Predicate,
) -> Result<Vec<Vec<Predicate>>, String> {
    let texts = texts(condition)?.into_iter();
    Ok(texts.map(|text| vec![predicate(text)]).collect())
}

fn header(name: &str, condition: &Condition, inverse: bool) -> Result<Vec<Vec<Predicate>>, String> {
    let or_absent = inverse && !condition.test.passes("");
    let header = |text| Predicate::Header {
        name: name.to_owned(),
        text,
        inverted: inverse,
        or_absent,
    };
    if !inverse {
        return any(condition, header);
    }
    let mut alternatives = vec![texts(condition)?.into_iter().map(header).collect()];
    if !or_absent {
        // Envoy would read a header that is absent as empty, which passes.
        alternatives.push(vec![Predicate::HeaderPresent(name.to_owned(), false)]);
    }
    Ok(alternatives)
}

/// The texts that pass, one after the other.
fn texts(condition: &Condition) -> Result<Vec<Text>, String> {
    let texts = match &condition.test {
        Test::Among(texts) => among(&condition.variable, texts),
        Test::Number(range) => packed(&range.patterns()),
        Test::Pattern {
            pattern,
            ignore_case,
        } => {
            let flag = if *ignore_case { "i" } else { "" };
            vec![Text::Regex(format!(r"\C*?(?{flag}:{pattern})\C*"))]
        }
        Test::Absent | Test::Within(_) | Test::Never => Vec::new(),
    };
    texts.into_iter().map(within_bounds).collect()
}

/// Some texts, as few patterns as they fit in.
fn among(variable: &Variable, texts: &[String]) -> Vec<Text> {
    // In these headers stands more than the variable.
    let (before, after) = match variable {
        Variable::Host => ("(?i)", "(?::[0-9]+)?"),
        Variable::Uri => ("", r"(?:\?\C*)?"),
        _ => ("", ""),
    };
    let mut chunks: Vec<Vec<&String>> = Vec::new();
    let mut room = 0;
    for text in texts {
        match chunks.last_mut() {
            Some(chunk) if text.len() + 2 <= room => {
                room -= text.len() + 2;
                chunk.push(text);
            }
            _ => {
                room = TEXTS.saturating_sub(text.len() + 2);
                chunks.push(vec![text]);
            }
        }
    }
    let text = |chunk: Vec<&String>| match chunk.as_slice() {
        [text] if after.is_empty() => Text::Exact((*text).clone()),
        texts => {
            let escaped: Vec<_> = texts
                .iter()
                .map(|text| regex_syntax::escape(text))
                .collect();
            Text::Regex(format!("{before}(?:{}){after}", escaped.join("|")))
        }
    };
    chunks.into_iter().map(text).collect()
}

/// All texts that do not pass, each one of one of these.
fn other_than(condition: &Condition) -> Result<Vec<Text>, String> {
    let other = match &condition.test {
        Test::Among(texts) => vec![Text::Regex(complement::of(texts))],
        Test::Number(range) => packed(&range.other_patterns()),
        _ => {
            return Err(format!(
                "a pattern of `{}` cannot be reversed: Envoy has no inverse of it",
                condition.variable
            ));
        }
    };
    other.into_iter().map(within_bounds).collect()
}

/// Patterns joined, as few as they fit in.
fn packed(patterns: &[String]) -> Vec<Text> {
    let mut packed: Vec<String> = Vec::new();
    for pattern in patterns {
        let joined = packed.last().map(|last| format!("{last}|{pattern}"));
        match (joined.filter(|joined| fits(joined)), packed.last_mut()) {
            (Some(joined), Some(last)) => *last = joined,
            _ => packed.push(pattern.clone()),
        }
    }
    packed.into_iter().map(Text::Regex).collect()
}

fn within_bounds(text: Text) -> Result<Text, String> {
    match &text {
        Text::Regex(pattern) if !fits(pattern) => {
            Err("is more than Envoy takes as one pattern, allowed: shorter or fewer texts".into())
        }
        _ => Ok(text),
    }
}

/// Whether Envoy takes a pattern. `\C` is any byte, which costs less than the `.` that the bound is computed with.
fn fits(pattern: &str) -> bool {
    size::of(&pattern.replace(r"\C", ".")) <= size::BOUND
}
