//! The text of a document, JSON or YAML, as one value. Strict where the parsers are not: a field that is written twice
//! is refused, never one of the two chosen.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::model::bounds;
use crate::model::decode::{kind_of, shown};
use crate::model::document::Format;
use crate::model::problem::Remark;

/// How deep YAML's lists and objects may nest: far beyond any form, far within a thread's stack. JSON has serde_json's bound.
const DEPTH: usize = 32;

/// Reads a text, which must hold one object.
pub(crate) fn read(format: Format, text: &[u8]) -> Result<Map<String, Value>, Remark> {
    bounds::within(text.len(), "bytes", bounds::DOCUMENT).map_err(Remark::whole)?;
    if text.trim_ascii().is_empty() {
        return Err(Remark::whole("the document is empty, allowed: one object"));
    }
    let Strict(value) = match format {
        Format::Json => serde_json::from_slice(text)
            .map_err(|error| Remark::whole(format!("cannot be read as JSON: {error}")))?,
        Format::Yaml => yaml(text)?,
    };
    match value {
        Value::Object(fields) if fields.keys().all(|name| is_name(name)) => Ok(fields),
        // It may be no document at all: it is not repeated.
        Value::Object(_) => Err(Remark::whole(
            "found a field whose name is none of a document's: allowed are letters, digits, `_`, `-`, `.` and `$`",
        )),
        other => Err(Remark::whole(format!(
            "found {}, allowed: one object",
            match other {
                Value::String(_) => "a text".to_owned(),
                Value::Number(_) => "a number".to_owned(),
                other => kind_of(&other),
            }
        ))),
    }
}

/// Reads a text of JSON that is no document, as strictly.
pub(crate) fn json(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).map(|Strict(value)| value)
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
    name.chars().count() <= 64 && name.chars().all(allowed)
}

fn yaml(text: &[u8]) -> Result<Strict, Remark> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: DEPTH, flow_nesting_limit: DEPTH },
    };
    serde_saphyr::from_slice_with_options(text, options).map_err(|error| {
        let said = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        Remark::whole(format!("cannot be read as YAML: {said}"))
    })
}

/// A value in which no object holds a field twice and every number is finite.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(format!("found the number {value}, allowed: finite numbers")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!(
                    "`{}` is written twice",
                    shown(&name)
                )));
            }
            let Strict(value) = fields.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn what_is_no_document_is_not_quoted() {
        for text in [
            "root:$6$secret:19000:0:99999:7:::\ndaemon:*:19000::::::\n",
            "secret",
            "\"secret\"",
            "- secret\n- other",
            "*secret",
            "!secret x",
            "&secret x",
            "secret: [",
            "secret: 'x",
            "{secret",
            "%secret",
            "-----BEGIN secret-----\nMIIBsecret\n-----END secret-----\n",
        ] {
            for format in [Format::Yaml, Format::Json] {
                let said = read(format, text.as_bytes()).map(drop).unwrap_err().message;
                assert!(!said.contains("secret"), "{format:?} {text:?}: {said}");
            }
        }
    }
}
