//! What routes ask by name of filters that all of them share: these are told it ahead of the routes, once, so that neither their
//! counts nor Envoy's log know of routes that change.

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
use xxhash_rust::xxh3::xxh3_128;

use super::limit::{Bucket, Counter};
use crate::envoy::{canonical, filter};

/// Something that a filter is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    Limit(Bucket),
    Answer(Answer),
}

impl Asked {
    /// The filter that is told it.
    pub fn filter(&self) -> Filter {
        match self {
            Self::Limit(bucket) => Filter::Counts(bucket.counter),
            Self::Answer(answer) => Filter::Answers {
                of_rules: answer.of_rules,
            },
        }
    }
}

/// A filter that is configured by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    Counts(Counter),
    /// Gives clients other answers than the instance's.
    Answers {
        of_rules: bool,
    },
}

/// The filter of routes that gives other answers.
pub const ANSWERS: &str = "chancery.response-rewrite.answer";

impl Filter {
    pub fn all() -> impl Iterator<Item = Self> {
        let answers = [false, true].map(|of_rules| Self::Answers { of_rules });
        Counter::all().map(Self::Counts).chain(answers)
    }

    /// Its name, which is that of its configuration.
    pub fn name(self) -> String {
        match self {
            Self::Counts(counter) => counter.name(),
            Self::Answers { of_rules: true } => filter::of_rules(ANSWERS),
            Self::Answers { of_rules: false } => ANSWERS.to_owned(),
        }
    }
}

/// An answer in the place of the instance's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    pub of_rules: bool,
    /// The same of equal answers, and no other's.
    pub name: String,
    /// The encoded `LocalResponsePolicy`.
    pub policy: Bytes,
    /// A pattern of the statuses in whose place it is; all where there is none.
    pub statuses: Option<String>,
}

impl Answer {
    pub fn new(of_rules: bool, statuses: Option<String>, policy: &LocalResponsePolicy) -> Self {
        let policy = canonical(policy);
        let pattern = statuses.as_deref().unwrap_or_default();
        let whole = [&*policy, pattern.as_bytes()].concat();
        Self {
            of_rules,
            name: format!("{:032x}", xxh3_128(&whole)),
            policy,
            statuses,
        }
    }

    /// What holds the name of a request's answer.
    pub fn state(of_rules: bool) -> &'static str {
        if of_rules {
            "chancery.answer.of_rules"
        } else {
            "chancery.answer"
        }
    }
}
