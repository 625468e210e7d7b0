//! What serde finds wrong with a value, in the words of this project: what was found, what is allowed.

use std::fmt;

use serde::de::{self, Expected, Unexpected};
use serde_json::Value;
use strsim::levenshtein;
use thiserror::Error;

/// What is wrong, and where in the value that was read.
#[derive(Debug, Error)]
#[error("{wrong}")]
pub(crate) struct Fault {
    pub(super) wrong: Wrong,
    /// The innermost step first.
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Field(String),
    Item(usize),
}

/// What is wrong at one place of a value.
#[derive(Debug, Error)]
pub(super) enum Wrong {
    /// A field that the form does not have.
    #[error("unknown field `{}`, {}allowed: {}", super::shown(name), did_you_mean(name, allowed), allowed.join(", "))]
    Unknown {
        name: String,
        allowed: Vec<&'static str>,
    },
    /// Anything else, said in full.
    #[error("{0}")]
    Said(String),
}

impl Fault {
    /// This fault as the one that has the field reports it.
    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.steps.push(Step::Field(name.to_owned()));
        self
    }

    /// This fault as the list that has the item reports it.
    pub(super) fn in_item(mut self, at: usize) -> Self {
        self.steps.push(Step::Item(at));
        self
    }

    /// This fault where further names are allowed.
    pub(super) fn beside(mut self, names: &[&'static str]) -> Self {
        if let Wrong::Unknown { allowed, .. } = &mut self.wrong {
            allowed.splice(0..0, names.iter().copied());
        }
        self
    }

    /// The way to what is wrong, as in `nodes[1].weight`; empty if the whole value is.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for (depth, step) in self.steps.iter().rev().enumerate() {
            match step {
                Step::Field(name) if depth == 0 => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Item(at) => path.push_str(&format!("[{at}]")),
            }
        }
        path
    }

    /// What stands where the fault is.
    pub(super) fn place<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        let mut steps = self.steps.iter().rev();
        steps.try_fold(value, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(at) => value.get(at),
        })
    }

    /// A name where only certain names may stand.
    pub(super) fn not_one_of(found: &str, allowed: &[&str]) -> Self {
        Wrong::Said(format!("found {found}, allowed: {}", allowed.join(", "))).into()
    }
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        Self {
            wrong,
            steps: Vec::new(),
        }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(said: T) -> Self {
        Wrong::Said(said.to_string()).into()
    }

    fn invalid_type(found: Unexpected<'_>, allowed: &dyn Expected) -> Self {
        Wrong::Said(format!(
            "found {}, allowed: {}",
            Found(found),
            plain(allowed)
        ))
        .into()
    }

    fn invalid_value(found: Unexpected<'_>, allowed: &dyn Expected) -> Self {
        Self::invalid_type(found, allowed)
    }

    fn unknown_variant(found: &str, allowed: &'static [&'static str]) -> Self {
        Self::not_one_of(&super::quoted(found), allowed)
    }

    fn unknown_field(name: &str, allowed: &'static [&'static str]) -> Self {
        Wrong::Unknown {
            name: name.to_owned(),
            allowed: allowed.to_vec(),
        }
        .into()
    }

    fn missing_field(name: &'static str) -> Self {
        Wrong::Said(format!("`{name}` is missing")).into()
    }
}

/// What was found, as it is written in a document.
struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Str(text) => f.write_str(&super::quoted(text)),
            Unexpected::Bool(value) => write!(f, "{value}"),
            Unexpected::Unsigned(value) => write!(f, "{value}"),
            Unexpected::Signed(value) => write!(f, "{value}"),
            Unexpected::Float(value) => write!(f, "{value:?}"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("an object"),
            Unexpected::Unit => f.write_str("null"),
            other => write!(f, "{other}"),
        }
    }
}

/// What serde's own readers allow, in the words of documents.
fn plain(allowed: &dyn Expected) -> String {
    match allowed.to_string().as_str() {
        "a boolean" => "true, false".into(),
        "a sequence" => "a list".into(),
        "a map" => "an object".into(),
        "i64" => "a whole number".into(),
        "f64" => "a number".into(),
        own => own.to_owned(),
    }
}

fn did_you_mean(name: &str, allowed: &[&str]) -> String {
    // A name that is far too long is far away, whatever it says.
    let sensible = Some(name).filter(|name| name.len() <= 100);
    let nearest = sensible.and_then(|name| {
        allowed
            .iter()
            .map(|candidate| (levenshtein(name, candidate), candidate))
            .min()
    });
    match nearest {
        Some((distance, candidate)) if distance <= 2 && distance < candidate.len() / 2 + 1 => {
            format!("did you mean `{candidate}`? ")
        }
        _ => String::new(),
    }
}
