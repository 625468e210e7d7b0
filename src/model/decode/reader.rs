//! A deserializer of JSON values whose errors are [`Fault`]s.
//!
//! What a form asks for as a list, an object of free names or a text has the bound of its kind. What has one of its own asks
//! for "any" value and looks at it itself (`model/bounds`).

use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::fault::Fault;
use crate::model::bounds;

// Every form is compiled against what stands here, so it matters that each method is short and calls few others.

/// Reads one value.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(pub(super) &'a Value);

impl Reader<'_> {
    fn refused_by(self, visitor: &dyn Expected) -> Fault {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::String(text) => Unexpected::Str(text),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    Unexpected::Unsigned(value)
                } else if let Some(value) = number.as_i64() {
                    Unexpected::Signed(value)
                } else {
                    Unexpected::Float(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        Fault::invalid_type(found, visitor)
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::Array(items) => visitor.visit_seq(Items::of(items)),
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.refused_by(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => {
                bounds::text_within(text, bounds::CHARACTERS).map_err(Fault::custom)?;
                visitor.visit_borrowed_str(text)
            }
            _ => Err(self.refused_by(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Array(items) => {
                bounds::within(items.len(), "items", bounds::ITEMS).map_err(Fault::custom)?;
                visitor.visit_seq(Items::of(items))
            }
            _ => Err(self.refused_by(&visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Object(fields) => {
                bounds::within(fields.len(), "fields", bounds::FIELDS).map_err(Fault::custom)?;
                visitor.visit_map(Fields::of(fields))
            }
            _ => Err(self.refused_by(&visitor)),
        }
    }

    /// A form is an object: its fields have names, and a list in their order is none.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Object(fields) => visitor.visit_map(Fields::of(fields)),
            _ => Err(self.refused_by(&visitor)),
        }
    }

    /// A field that is there is never absent: `null` is a value, and most likely a wrong one.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            other => Err(Fault::not_one_of(&super::kind_of(other), variants)),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// The items of a list; what is wrong with one is told with its place.
struct Items<'a> {
    all: &'a [Value],
    next: usize,
}

impl<'a> Items<'a> {
    fn of(all: &'a [Value]) -> Self {
        Self { all, next: 0 }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let at = self.next;
        let Some(item) = self.all.get(at) else {
            return Ok(None);
        };
        self.next += 1;
        match seed.deserialize(Reader(item)) {
            Ok(read) => Ok(Some(read)),
            Err(fault) => Err(fault.in_item(at)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.all.len() - self.next)
    }
}

/// The fields of an object; what is wrong with one is told with its name.
struct Fields<'a> {
    rest: serde_json::map::Iter<'a>,
    current: Option<(&'a String, &'a Value)>,
}

impl<'a> Fields<'a> {
    fn of(fields: &'a serde_json::Map<String, Value>) -> Self {
        Self {
            rest: fields.iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        self.current = self.rest.next();
        match self.current {
            Some((name, _)) => name_of(name, seed).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((name, value)) = self.current else {
            return Err(Fault::custom("a value was read before its name"));
        };
        match seed.deserialize(Reader(value)) {
            Ok(read) => Ok(read),
            Err(fault) => Err(fault.in_field(name)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

fn name_of<'de, S: DeserializeSeed<'de>>(name: &str, seed: S) -> Result<S::Value, Fault> {
    seed.deserialize(IntoDeserializer::<Fault>::into_deserializer(name))
        .map_err(|fault| fault.in_field(name))
}

/// Takes a field: its name, and its value.
pub(crate) type Take<'a> = dyn FnMut(&str, Reader<'_>) -> Result<(), Fault> + 'a;

/// Reads a form beside which other fields stand. All are read in one pass, so that the first of them that is wrong is the
/// one that is told.
pub(super) struct Beside<'a, 'b, 'c> {
    pub value: Reader<'a>,
    /// The fields that are not the form's.
    pub names: &'static [&'static str],
    pub take: &'b mut Take<'c>,
}

impl<'de> Deserializer<'de> for Beside<'de, '_, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.0 {
            Value::Object(fields) => visitor.visit_map(OwnFields {
                all: Fields::of(fields),
                names: self.names,
                take: self.take,
            }),
            _ => Err(self.value.refused_by(&visitor)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields that are the form's.
struct OwnFields<'a, 'b, 'c> {
    all: Fields<'a>,
    names: &'static [&'static str],
    take: &'b mut Take<'c>,
}

impl<'de> MapAccess<'de> for OwnFields<'de, '_, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        for (name, value) in self.all.rest.by_ref() {
            if !self.names.contains(&name.as_str()) {
                self.all.current = Some((name, value));
                return match name_of(name, seed) {
                    Ok(read) => Ok(Some(read)),
                    Err(fault) => Err(fault.beside(self.names)),
                };
            }
            (self.take)(name, Reader(value)).map_err(|fault| fault.in_field(name))?;
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.all.next_value_seed(seed)
    }
}
