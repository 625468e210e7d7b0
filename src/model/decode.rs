//! A value to a form. The forms are plain serde structures; this reader of values keeps serde's errors as data until
//! the field is known, so that JSON, YAML and the plugins inside them all refuse a field in the same words.

mod fault;
mod reader;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Remark;
use fault::{Fault, Wrong};
use reader::Beside;
pub(crate) use reader::{Reader, Take};

/// What a kind of document, or a part of one, is written as. Derives with `deny_unknown_fields`.
pub(crate) trait Form: DeserializeOwned {
    /// Fields of the schema that this version does not have.
    const NOT_SERVED: &'static [&'static str] = &[];
    /// Fields of the schema that Envoy has nothing for, and what is in the way.
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[];
}

/// Reads a form; the first thing that is wrong ends it.
pub(crate) fn read<F: Form>(value: &Value) -> Result<F, Remark> {
    F::deserialize(Reader(value)).map_err(|fault| remark(fault, F::NOT_SERVED, F::NOT_IN_ENVOY))
}

/// Reads a form beside which other fields stand: those of these names are given to `take`.
pub(crate) fn read_beside<F: Form>(
    value: &Value,
    names: &'static [&'static str],
    take: &mut Take<'_>,
) -> Result<F, Remark> {
    let value = Reader(value);
    F::deserialize(Beside { value, names, take })
        .map_err(|fault| remark(fault, F::NOT_SERVED, F::NOT_IN_ENVOY))
}

/// Reads a form in which secrets stand. What is wrong is said without what was found: it may be one that belongs to another
/// field.
pub(crate) fn read_unquoted<F: Form>(value: &Value) -> Result<F, Remark> {
    F::deserialize(Reader(value)).map_err(|fault| unquoted::<F>(fault, value))
}

/// As [`read_unquoted`], beside other fields.
pub(crate) fn read_beside_unquoted<F: Form>(
    value: &Value,
    names: &'static [&'static str],
    take: &mut Take<'_>,
) -> Result<F, Remark> {
    let beside = Beside {
        value: Reader(value),
        names,
        take,
    };
    F::deserialize(beside).map_err(|fault| unquoted::<F>(fault, value))
}

fn unquoted<F: Form>(fault: Fault, value: &Value) -> Remark {
    let found = fault.place(value);
    let remark = remark(fault, F::NOT_SERVED, F::NOT_IN_ENVOY);
    let (quoted, kind) = match found {
        Some(Value::String(text)) => (quoted(text), "a text"),
        Some(Value::Number(number)) => (number.to_string(), "a number"),
        _ => return remark,
    };
    let message = remark.message.replacen(&quoted, kind, 1);
    Remark { message, ..remark }
}

fn remark(fault: Fault, not_served: &[&str], not_in_envoy: &[(&str, &str)]) -> Remark {
    let path = shown(&fault.path());
    let message = match &fault.wrong {
        Wrong::Unknown { name, .. } => {
            let reason = not_in_envoy.iter().find(|(field, _)| field == name);
            match reason {
                Some((_, reason)) => format!("`{name}` is not served: {reason}"),
                None if not_served.contains(&name.as_str()) => {
                    format!("this version does not have `{name}`")
                }
                None => fault.to_string(),
            }
        }
        Wrong::Said(said) => said.clone(),
    };
    Remark::new(path, message)
}

/// A name out of a document as an error shows it: on one line, and not longer than a person reads.
pub(crate) fn shown(name: &str) -> String {
    without_user(name)
        .chars()
        .take(200)
        .flat_map(char::escape_debug)
        .collect()
}

/// What a value is, as an error names it: a scalar as it is written, the rest by its kind.
pub(crate) fn kind_of(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) => quoted(text),
        scalar => scalar.to_string(),
    }
}

/// A text as an error shows it: quoted, on one line, and not longer than a person reads. A key in the wrong place stays unseen,
/// and so do the user and the password of a URL.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.contains("PRIVATE KEY") {
        return "a private key".to_owned();
    }
    let cut = without_user(text);
    let text = cut.as_ref();
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

/// A URL without what stands before the `@`.
fn without_user(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.into();
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}").into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests;
