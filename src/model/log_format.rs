//! What an entry of a log has, as documents write it: texts by their names, and objects of such.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::bounds::{CHARACTERS, FIELDS, text_within, within};

/// Objects in each other, the outermost among them: as many as APISIX writes.
pub const LEVELS: usize = 5;

/// The fields of an object.
pub type Fields = BTreeMap<String, Field>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Field {
    /// As it stands, or `$` and the name of a variable.
    Text(String),
    Object(Fields),
}

impl Field {
    /// How many objects are in each other.
    pub fn levels(&self) -> usize {
        match self {
            Self::Text(_) => 0,
            Self::Object(fields) => levels(fields),
        }
    }
}

/// How many objects are in each other, this one among them.
pub fn levels(fields: &Fields) -> usize {
    1 + fields.values().map(Field::levels).max().unwrap_or_default()
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
        text_within(text, CHARACTERS).map_err(E::custom)?;
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
        within(entries.size_hint().unwrap_or_default(), "fields", FIELDS)
            .map_err(de::Error::custom)?;
        let mut fields = Fields::new();
        while let Some((name, field)) = entries.next_entry()? {
            fields.insert(name, field);
        }
        Ok(Field::Object(fields))
    }
}

impl JsonSchema for Field {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "LogField".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "object"], "maxLength": CHARACTERS, "maxProperties": FIELDS})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(value: Value) -> Fields {
        from_value(value).unwrap()
    }

    #[test]
    fn objects_are_counted_by_how_deep_they_go() {
        assert_eq!(levels(&read(json!({}))), 1);
        assert_eq!(levels(&read(json!({"a": "b"}))), 1);
        let both = read(json!({"a": {"b": {}}, "c": {"d": "e"}}));
        assert_eq!(levels(&both), 3);
    }

    #[test]
    fn what_is_written_is_read() {
        let written = json!({"a": "$host", "b": {"c": "d", "e": {}}});
        assert_eq!(json!(read(written.clone())), written);
        for wrong in [json!({"a": 1}), json!({"a": []}), json!({"a": null})] {
            assert!(from_value::<Fields>(wrong).is_err());
        }
    }
}
