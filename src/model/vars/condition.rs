//! One condition: a variable and what is asked of it. Says whether it holds; how Envoy is asked is `predicate`'s business.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use regex::bytes::RegexBuilder;

use super::number::{self, Range};
use crate::model::{Request, credentials};

/// What of a request is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `arg_NAME`
    Argument(String),
    /// `http_NAME`, by the header's name.
    Header(String),
    /// `cookie_NAME`
    Cookie(String),
    /// `request_method`
    Method,
    /// `uri`: the path, without the query.
    Uri,
    /// `host`, in lower case and without port.
    Host,
    /// `scheme`
    Scheme,
    /// `remote_addr`
    Address,
    /// `server_port`
    Port,
}

impl Variable {
    /// Whether nobody is to see what stands in it.
    fn is_secret(&self) -> bool {
        match self {
            Self::Argument(name) | Self::Header(name) | Self::Cookie(name) => {
                credentials::carried_by(name)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(name) => write!(f, "arg_{name}"),
            Self::Header(name) if name == ":authority" => f.write_str("http_host"),
            Self::Header(name) => write!(f, "http_{}", name.replace('-', "_")),
            Self::Cookie(name) => write!(f, "cookie_{name}"),
            Self::Method => f.write_str("request_method"),
            Self::Uri => f.write_str("uri"),
            Self::Host => f.write_str("host"),
            Self::Scheme => f.write_str("scheme"),
            Self::Address => f.write_str("remote_addr"),
            Self::Port => f.write_str("server_port"),
        }
    }
}

/// What is asked of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `== null`: the request does not have it.
    Absent,
    /// `==` and `in`: it is one of these texts.
    Among(Vec<String>),
    /// `==`, `>`, `>=`, `<`, `<=` with a number: it is a whole number in a range.
    Number(Range),
    /// `~~`, and `~*` regardless of case: the pattern is found in it.
    Pattern {
        /// As it is written.
        pattern: String,
        ignore_case: bool,
    },
    /// `ipmatch`, and `==` and `in` of `remote_addr`: it is an address in one of these.
    Within(Vec<IpNet>),
    /// `has`: it is a list that holds something, which no variable is.
    Never,
}

/// A variable and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub variable: Variable,
    pub test: Test,
}

impl Condition {
    pub fn holds(&self, request: &Request) -> bool {
        let values = self.values(request);
        match &self.test {
            Test::Absent => values.is_empty(),
            test => values.iter().any(|value| test.passes(value)),
        }
    }

    /// In words, with what the request has.
    pub(super) fn said(&self, request: &Request) -> String {
        let found = match self.values(request).as_slice() {
            [] => "absent".to_owned(),
            values => values
                .iter()
                .map(|value| format!("{value:?}"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        if self.variable.is_secret() {
            let found = if found == "absent" {
                "absent"
            } else {
                "something"
            };
            let variable = &self.variable;
            return format!("{variable} is as asked for, which is not shown (found: {found})");
        }
        format!("{} {} (found: {found})", self.variable, self.test)
    }

    fn values(&self, request: &Request) -> Vec<String> {
        let one = |value: Option<&str>| value.map(str::to_owned).into_iter().collect();
        match &self.variable {
            Variable::Argument(name) => one(request.argument(name)),
            Variable::Header(name) => request
                .headers(name)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            Variable::Cookie(name) => one(request.cookie(name)),
            Variable::Method => one(Some(&request.method)),
            Variable::Uri => one(Some(&request.path)),
            Variable::Host => vec![request.host()],
            Variable::Scheme => one(Some(&request.scheme)),
            Variable::Address => vec![request.address.to_string()],
            Variable::Port => vec![request.port.to_string()],
        }
    }
}

impl Test {
    /// Whether a value that is there passes.
    pub(super) fn passes(&self, value: &str) -> bool {
        match self {
            Self::Absent | Self::Never => false,
            Self::Among(texts) => texts.iter().any(|text| text == value),
            Self::Number(range) => {
                number::whole(value).is_some_and(|number| range.contains(number))
            }
            Self::Pattern {
                pattern,
                ignore_case,
            } => RegexBuilder::new(pattern)
                .unicode(false)
                .case_insensitive(*ignore_case)
                .build()
                .is_ok_and(|regex| regex.is_match(value.as_bytes())),
            Self::Within(nets) => value
                .parse::<IpAddr>()
                .is_ok_and(|address| nets.iter().any(|net| net.contains(&address))),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("== null"),
            Self::Among(texts) => match texts.as_slice() {
                [text] => write!(f, "== {text:?}"),
                texts => write!(f, "in {texts:?}"),
            },
            Self::Number(range) => write!(f, "{range}"),
            Self::Pattern {
                pattern,
                ignore_case,
            } => write!(f, "~{} {pattern:?}", if *ignore_case { '*' } else { '~' }),
            Self::Within(nets) => {
                let shown: Vec<_> = nets.iter().map(ToString::to_string).collect();
                write!(f, "ipmatch [{}]", shown.join(", "))
            }
            Self::Never => f.write_str("has"),
        }
    }
}
