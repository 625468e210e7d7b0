//! Headers that a plugin adds. Errors never show a value: it may be a credential.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::variable::{self, Operator};
use crate::model::bounds::{CHARACTERS, text_within};
use crate::model::credentials;
use crate::model::decode::{quoted, shown};
use crate::model::problem::Remark;

/// A header's value as it is written: a text, or a number.
#[derive(Debug, Clone)]
pub struct Text(String);

impl Text {
    /// Whether it has a group of a pattern, such as `$1`.
    pub fn has_groups(&self) -> bool {
        let pieces = variable::pieces(&self.0).unwrap_or_default();
        let is_group = |piece: &variable::Piece<'_>| match piece {
            variable::Piece::Variable(name) => name.bytes().all(|b| b.is_ascii_digit()),
            variable::Piece::Text(_) => false,
        };
        pieces.iter().any(is_group)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"], "maxLength": CHARACTERS})
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        text_within(text, CHARACTERS).map_err(E::custom)?;
        Ok(Text(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }
}

/// Headers as they are written: names and values.
pub type Headers = BTreeMap<String, Text>;

/// The schema of headers to change in the ways that `F` has, or just to set.
pub fn changes<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let changes = generator.subschema_for::<F>();
    let set = generator.subschema_for::<Headers>();
    json_schema!({"anyOf": [changes, set]})
}

/// Headers in Envoy's terms, by name in lower case.
pub type Checked = BTreeMap<String, String>;

const TWICE: &str = "found a second time in other letters, allowed: once";

/// A header's name in lower case, where a header is added, set, taken away or passed on. Those that say where a message ends,
/// or are about the connection, are Envoy's alone: with others, the next server would read other messages than Envoy sent.
pub fn changeable(text: &str) -> Result<String, String> {
    let name = name(text)?;
    let instead = match name.as_str() {
        "content-length" | "transfer-encoding" | "te" | "trailer" => {
            "which says where a message ends: leave it out, as Envoy writes it itself"
        }
        "connection" | "keep-alive" | "proxy-connection" | "upgrade" => {
            "which is about a connection: leave it out, as Envoy writes it itself; for WebSockets there is `enable_websocket` of routes"
        }
        _ => return Ok(name),
    };
    Err(format!("found the name {}, {instead}", quoted(&name)))
}

/// Checks the headers that are written at `place`.
pub fn checked(
    place: &str,
    headers: &Headers,
    warnings: &mut Vec<Remark>,
) -> Result<Checked, Remark> {
    checked_by(place, headers, &variable::operator, warnings)
}

/// The same, with variables that have these operators.
pub fn checked_by(
    place: &str,
    headers: &Headers,
    operator: Operator,
    warnings: &mut Vec<Remark>,
) -> Result<Checked, Remark> {
    let mut checked = Checked::new();
    for (written, Text(text)) in headers {
        let here = format!("{place}.{}", shown(written));
        let name = changeable(written).map_err(|said| Remark::new(&here, said))?;
        let value = value(&name, text, &here, operator, warnings)?;
        if checked.insert(name, value).is_some() {
            return Err(Remark::new(here, TWICE));
        }
    }
    Ok(checked)
}

/// Headers to set: those with a text, and the names of those without, which are taken away.
pub fn set_or_removed(
    place: &str,
    headers: Headers,
    operator: Operator,
    warnings: &mut Vec<Remark>,
) -> Result<(Checked, Vec<String>), Remark> {
    let (empty, headers): (Headers, Headers) = headers
        .into_iter()
        .partition(|(_, Text(text))| text.is_empty());
    let removed = empty.keys().map(|written| {
        changeable(written).map_err(|said| Remark::new(format!("{place}.{}", shown(written)), said))
    });
    let removed = removed.collect::<Result<Vec<_>, _>>()?;
    Ok((checked_by(place, &headers, operator, warnings)?, removed))
}

/// A header as it is written on a line of its own, `NAME: VALUE`.
pub fn line(
    line: &str,
    place: &str,
    operator: Operator,
    warnings: &mut Vec<Remark>,
) -> Result<(String, String), Remark> {
    let Some((written, text)) = line.split_once(':') else {
        let message = "found no `:`, allowed: a header such as \"X-Name: value\"";
        return Err(Remark::new(place, message));
    };
    let name = changeable(written.trim()).map_err(|said| Remark::new(place, said))?;
    let value = value(&name, text.trim(), place, operator, warnings)?;
    Ok((name, value))
}

/// A header's name, in lower case.
pub fn name(text: &str) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !text.is_empty() && text.len() <= 256 && text.bytes().all(token) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!(
            "found the name {}, allowed: letters, digits and `-`",
            quoted(text)
        ))
    }
}

/// The value of the header `name` as one of Envoy's format strings.
fn value(
    name: &str,
    text: &str,
    place: &str,
    operator: Operator,
    warnings: &mut Vec<Remark>,
) -> Result<String, Remark> {
    printable(text).map_err(|said| Remark::new(place, said))?;
    let wrong = |message: String| Remark::new(place, unquoted(name, message));
    let pieces = variable::pieces(text).map_err(wrong)?;
    if let Some(message) = variable::warning(&pieces) {
        warnings.push(Remark::new(place, message));
    }
    variable::format_by(&pieces, operator, str::to_owned).map_err(wrong)
}

/// What is wrong with a variable in the value of a header: without it where the header carries credentials, as a `$` in one makes
/// a variable of what follows.
fn unquoted(name: &str, said: String) -> String {
    match said.split_once(", allowed: ") {
        Some((_, allowed)) if credentials::carried_by(name) => {
            format!("found a `$` with another name, allowed: {allowed}")
        }
        _ => said,
    }
}

/// A header's value that stands for itself, as one of Envoy's format strings.
pub fn text(text: &str) -> Result<String, String> {
    printable(text).map(|()| variable::literal(text))
}

fn printable(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("found an empty value, allowed: at least one character".into());
    }
    if text.len() > 8192 {
        return Err(format!("found {} bytes, allowed: 8192", text.len()));
    }
    match text.chars().position(|c| !matches!(c, ' '..='~')) {
        None => Ok(()),
        Some(at) => Err(format!(
            "found something else at character {}, allowed: printable ASCII",
            at + 1
        )),
    }
}

/// Checks headers whose values stand for themselves wherever they go: as they are written, without variables.
pub fn plain(place: &str, headers: &Headers) -> Result<Checked, Remark> {
    let mut plain = Checked::new();
    for (written, Text(text)) in headers {
        let here = format!("{place}.{}", shown(written));
        let wrong = |said: String| Remark::new(&here, said);
        let name = changeable(written).map_err(wrong)?;
        printable(text).map_err(wrong)?;
        let none = variable::none_in(text);
        none.map_err(|said| wrong(unquoted(&name, said)))?;
        if plain.insert(name, text.clone()).is_some() {
            return Err(Remark::new(&here, TWICE));
        }
    }
    Ok(plain)
}

/// Adds a header beside those of its name.
pub fn add(name: &str, value: &str) -> HeaderValueOption {
    option(name, value, HeaderAppendAction::AppendIfExistsOrAdd)
}

/// Puts a header in the place of those of its name.
pub fn set(name: &str, value: &str) -> HeaderValueOption {
    option(name, value, HeaderAppendAction::OverwriteIfExistsOrAdd)
}

/// The same with a value that may have variables: what is set to nothing is empty, or what came would stay.
pub fn set_in_any_case(name: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        keep_empty_value: variable::as_written(value).is_none(),
        ..set(name, value)
    }
}

/// Adds a header where there is none of its name.
pub fn default(name: &str, value: &str) -> HeaderValueOption {
    option(name, value, HeaderAppendAction::AddIfAbsent)
}

/// A header to add or set, as a step of Envoy's filter of headers.
pub fn mutation(header: HeaderValueOption) -> HeaderMutation {
    HeaderMutation {
        action: Some(Action::Append(header)),
    }
}

/// The name of the header that a step adds or sets.
pub fn appended(step: &HeaderMutation) -> Option<&str> {
    match &step.action {
        Some(Action::Append(option)) => Some(&option.header.as_ref()?.key),
        _ => None,
    }
}

/// A header to take away, likewise.
pub fn removal(name: &str) -> HeaderMutation {
    HeaderMutation {
        action: Some(Action::Remove(name.to_owned())),
    }
}

fn option(name: &str, value: &str, action: HeaderAppendAction) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            value: value.to_owned(),
            ..HeaderValue::default()
        }),
        append_action: action.into(),
        ..HeaderValueOption::default()
    }
}
