//! Envoy's messages as values that can be read, in the proto-JSON form that Envoy itself reads.

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, ReflectMessage, SerializeOptions, Value};
use serde_json::Value as Json;

use super::descriptors::pool;

/// A message, in the bytes that would be sent.
pub fn of<M: Message + Name>(message: &M) -> Json {
    decode(&M::full_name(), &chancery::envoy::canonical(message))
}

/// The message of this type that these bytes are.
pub fn decode(name: &str, bytes: &[u8]) -> Json {
    let message = pool()
        .get_message_by_name(name)
        .unwrap_or_else(|| panic!("{name} has a descriptor"));
    let message =
        DynamicMessage::decode(message, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut message = message;
    without_empty(&mut message);
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut value: Json = message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("every Any in it is known");
    with_empty(&mut value);
    value
}

const ANY: &str = "google.protobuf.Any";

/// Leaves out each `Any` of nothing, which JSON has no form for.
fn without_empty(message: &mut DynamicMessage) {
    if message.descriptor().full_name() == ANY {
        return without_empty_inside(message);
    }
    let is_empty = |value: &Value| {
        value
            .as_message()
            .is_some_and(|any| any.descriptor().full_name() == ANY && any.fields().count() == 0)
    };
    let empty: Vec<_> = message
        .fields()
        .filter(|(_, value)| is_empty(value))
        .collect();
    let empty: Vec<_> = empty.into_iter().map(|(field, _)| field).collect();
    for field in &empty {
        message.clear_field(field);
    }
    for (_, value) in message.fields_mut() {
        match value {
            Value::Message(message) => without_empty(message),
            Value::List(values) => {
                let messages = values.iter_mut().filter_map(Value::as_message_mut);
                messages.for_each(without_empty);
            }
            Value::Map(values) => {
                let messages = values.values_mut().filter_map(Value::as_message_mut);
                messages.for_each(without_empty);
            }
            _ => {}
        }
    }
}

fn without_empty_inside(any: &mut DynamicMessage) {
    let text = any
        .get_field_by_name("type_url")
        .expect("a field")
        .into_owned();
    let name = text.as_str().and_then(|url| url.rsplit('/').next());
    let name = name.expect("a type");
    let bytes = any
        .get_field_by_name("value")
        .expect("a field")
        .into_owned();
    let inner = pool().get_message_by_name(name).expect("a descriptor");
    let bytes = bytes.as_bytes().expect("bytes").clone();
    let mut inner = DynamicMessage::decode(inner, bytes).expect("a message");
    without_empty(&mut inner);
    any.set_field_by_name("value", Value::Bytes(inner.encode_to_vec().into()));
}

/// Puts back what enables a filter as it is.
fn with_empty(value: &mut Json) {
    match value {
        Json::Array(values) => values.iter_mut().for_each(with_empty),
        Json::Object(fields) => {
            let is = |fields: &serde_json::Map<String, Json>| {
                let name = fields.get("@type").and_then(Json::as_str);
                name.is_some_and(|name| name.ends_with("/envoy.config.route.v3.FilterConfig"))
            };
            if is(fields) && !fields.contains_key("disabled") {
                fields.insert("config".to_owned(), Json::Object(serde_json::Map::new()));
            }
            fields.values_mut().for_each(with_empty);
        }
        _ => {}
    }
}
