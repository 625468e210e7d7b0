//! `vars`: conditions on a request, in APISIX's expression form (lua-resty-expr).
//!
//! An expression is had twice: as it is written, which says whether it [holds](Vars::holds) for a request, and as
//! [alternatives](Vars::alternatives) of which each is a list of what an Envoy route can ask. What has no such form is refused
//! when the document is read, so that nobody has to fail later.
//!
//! A variable that a request lacks is nil: it equals nothing, and is different from everything. A header that is there several
//! times passes a test when one of its values does; of arguments and cookies the first one counts. Arguments are compared as
//! they stand in the URL.

mod alternatives;
mod complement;
mod condition;
mod form;
mod number;
pub(crate) mod predicate;

use super::Request;
pub use condition::{Condition, Test, Variable};
pub use predicate::{ADDRESS_HEADER, Predicate, Text};

/// The conditions of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vars {
    expression: Expression,
    alternatives: Vec<Vec<Predicate>>,
}

/// An expression as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    /// `AND`
    All(Vec<Expression>),
    /// `OR`
    Any(Vec<Expression>),
    /// `!`
    Not(Box<Expression>),
    Test(Condition),
}

impl Vars {
    pub fn holds(&self, request: &Request) -> bool {
        self.expression.holds(request)
    }

    /// The first condition, or the first `OR`, that keeps a request out, in words; nothing when all hold.
    pub fn failing(&self, request: &Request) -> Option<String> {
        self.expression.failing(request)
    }

    /// The same for Envoy: they hold for a request when everything in one of these lists does. There may be none, for a
    /// condition that no request fulfils.
    pub fn alternatives(&self) -> &[Vec<Predicate>] {
        &self.alternatives
    }
}

impl Expression {
    fn holds(&self, request: &Request) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(request)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(request)),
            Self::Not(inner) => !inner.holds(request),
            Self::Test(condition) => condition.holds(request),
        }
    }

    fn failing(&self, request: &Request) -> Option<String> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.failing(request)),
            other => (!other.holds(request)).then(|| other.said(request)),
        }
    }

    /// In words, with what the request has.
    fn said(&self, request: &Request) -> String {
        let joined = |parts: &[Self], by: &str| {
            let said: Vec<_> = parts.iter().map(|part| part.said(request)).collect();
            format!("({})", said.join(by))
        };
        match self {
            Self::All(parts) => joined(parts, " AND "),
            Self::Any(parts) => joined(parts, " OR "),
            Self::Not(inner) => format!("not {}", inner.said(request)),
            Self::Test(condition) => condition.said(request),
        }
    }
}

#[cfg(test)]
mod tests;
