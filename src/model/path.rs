//! The path of a route, as radixtree reads it: exact, the start of paths, or with parameters.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::decode::quoted;
use super::pattern::size;

/// A path that a route answers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub enum Path {
    /// `/a`
    Exact(Arc<str>),
    /// `/a*` and `/a/*`, kept without the star: `/a` and `/a/`
    Prefix(Arc<str>),
    /// `/user/:id` and `/user/:id/*`
    Parameters(#[schemars(with = "String")] Parameters),
}

/// A path with parameters, each of which stands for one segment that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parameters {
    /// What stands before the first parameter: `/user/`
    pub start: Arc<str>,
    /// The first parameter and what follows: `:id/*`
    pub rest: Arc<str>,
}

impl Path {
    /// What every path that it stands for begins with.
    pub fn start(&self) -> &Arc<str> {
        match self {
            Self::Exact(start) | Self::Prefix(start) => start,
            Self::Parameters(parameters) => &parameters.start,
        }
    }
}

impl Parameters {
    /// All that it stands for, as a pattern of RE2: paths with the query behind them.
    pub fn pattern(&self) -> String {
        let segment = |segment: &str| match segment.as_bytes().first() {
            Some(b':') => "[^/?]+".to_owned(),
            Some(b'*') => r"[^?]*".to_owned(),
            _ => regex_syntax::escape(segment),
        };
        let rest: Vec<_> = self.rest.split('/').map(segment).collect();
        let start = regex_syntax::escape(&self.start);
        format!(r"^{start}{}(?:\?\C*)?", rest.join("/"))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "`{path}`"),
            Self::Prefix(path) => write!(f, "`{path}*`"),
            Self::Parameters(Parameters { start, rest }) => write!(f, "`{start}{rest}`"),
        }
    }
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |allowed: &str| Err(format!("found {}, allowed: {allowed}", quoted(&text)));
        let (path, prefix) = match text.strip_suffix('*') {
            Some("") => ("/", true),
            Some(path) => (path, true),
            None => (text.as_str(), false),
        };
        if !path.starts_with('/') {
            return wrong("a path that starts with `/`, or `*`");
        }
        if path.contains('*') {
            return wrong("`*` at the end only");
        }
        if path.contains(['?', '#']) {
            return wrong("a path without `?` and `#`");
        }
        if !path.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong("a path in ASCII without spaces; write other characters as %XX");
        }
        if path.len() > 4096 {
            return wrong("at most 4096 bytes");
        }
        if let Some(at) = path.find("/:") {
            return parameters(&text, at + 1, prefix).or_else(wrong);
        }
        Ok(if prefix {
            Self::Prefix(path.into())
        } else {
            Self::Exact(path.into())
        })
    }
}

/// Reads a path whose first parameter begins at `at`; says what is allowed instead.
fn parameters(text: &str, at: usize, prefix: bool) -> Result<Path, &'static str> {
    let (start, rest) = text.split_at(at);
    if prefix && !rest.ends_with("/*") {
        return Err("`*` as a segment of its own behind parameters, such as `/user/:id/*`");
    }
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let names = rest
        .split('/')
        .filter_map(|segment| segment.strip_prefix(':'));
    for name in names {
        if name.is_empty() || !name.bytes().all(word) {
            return Err(
                "parameters with names of letters, digits, `_`, `-` and `.`, such as `:id`",
            );
        }
    }
    let parameters = Parameters {
        start: start.into(),
        rest: rest.into(),
    };
    // `\C` is any byte, which costs less than the `.` that the bound is computed with.
    if size::of(&parameters.pattern().replace(r"\C", ".")) > size::BOUND {
        Err("fewer letters behind the first parameter: some 80 are what Envoy takes")
    } else {
        Ok(Path::Parameters(parameters))
    }
}
