//! How large the parts of a document may be. A list, an object of free names and a text have the bound of their kind, unless
//! their field has one of its own by its type ([`List`], [`LongText`]): what reads a form checks it (`model/decode`), and the
//! schema states it ([`state`]), both from here.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

/// Bytes of a document's text.
pub(crate) const DOCUMENT: usize = 2 * 1024 * 1024;
/// Items of a list.
pub(crate) const ITEMS: usize = 512;
/// Fields of an object whose names are free.
pub(crate) const FIELDS: usize = 512;
/// Characters of a text.
pub(crate) const CHARACTERS: usize = 8192;
/// Characters of certificates, as PEM: a bundle of all that browsers trust has half of them.
pub(crate) const CERTIFICATES: usize = 512 * 1024;
/// Characters of a `.proto` file, and of a set of descriptors.
pub(crate) const CONTENT: usize = 1024 * 1024;
/// Characters of a key, as PEM, and of a credential.
pub(crate) const KEY: usize = 16 * 1024;
/// Ranges of addresses in one list.
pub(crate) const RANGES: usize = 4096;
/// Nodes of an upstream.
pub(crate) const NODES: usize = 4096;
/// Gateways that a document belongs to; listeners of one.
pub(crate) const GATEWAYS: usize = 64;

/// Refuses more than there may be.
pub(crate) fn within(found: usize, what: &str, most: usize) -> Result<(), String> {
    if found <= most {
        Ok(())
    } else {
        Err(format!("found {found} {what}, allowed: at most {most}"))
    }
}

/// Refuses a text that is too long.
pub(crate) fn text_within(text: &str, most: usize) -> Result<(), String> {
    // No text has more characters than bytes.
    if text.len() <= most {
        return Ok(());
    }
    within(text.chars().count(), "characters", most)
}

/// A list with a bound of its own.
#[derive(Debug, Serialize)]
pub(crate) struct List<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = ListVisitor::<T, MOST>(PhantomData);
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<T: JsonSchema, const MOST: usize> JsonSchema for List<T, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("List_of_{}_{MOST}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({"type": "array", "items": item, "maxItems": MOST})
    }
}

struct ListVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for ListVisitor<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<T>, A::Error> {
        read_within(items, MOST)
    }
}

/// Reads the items of a list, whose number is known before.
pub(crate) fn read_within<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    mut items: A,
    most: usize,
) -> Result<Vec<T>, A::Error> {
    within(items.size_hint().unwrap_or_default(), "items", most).map_err(de::Error::custom)?;
    let mut read = Vec::new();
    while let Some(item) = items.next_element()? {
        read.push(item);
    }
    Ok(read)
}

/// A text with a bound of its own.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LongText<const MOST: usize>(pub String);

impl<'de, const MOST: usize> Deserialize<'de> for LongText<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(LongTextVisitor::<MOST>)
            .map(Self)
    }
}

impl<const MOST: usize> JsonSchema for LongText<MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("LongText_{MOST}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": MOST})
    }
}

struct LongTextVisitor<const MOST: usize>;

impl<const MOST: usize> Visitor<'_> for LongTextVisitor<MOST> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        text_within(text, MOST).map_err(E::custom)?;
        Ok(text.to_owned())
    }
}

/// States in a schema what its types do not: the bounds of their kinds.
pub(crate) fn state(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(state),
        Value::Object(fields) => {
            let is = |kind: &str| match fields.get("type") {
                Some(Value::Array(kinds)) => kinds.iter().any(|one| one == kind),
                Some(one) => one == kind,
                None => false,
            };
            let closed = ["enum", "const", "pattern", "format"];
            let bound = if is("array") {
                Some(("maxItems", ITEMS))
            } else if is("string") && !closed.iter().any(|one| fields.contains_key(*one)) {
                Some(("maxLength", CHARACTERS))
            } else if is("object") && fields.get("additionalProperties") != Some(&false.into()) {
                Some(("maxProperties", FIELDS))
            } else {
                None
            };
            if let Some((name, most)) = bound {
                fields.entry(name).or_insert(most.into());
            }
            fields.values_mut().for_each(state);
        }
        _ => {}
    }
}
