//! Envoy's messages as values that can be read, in the proto-JSON form that Envoy itself reads.

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

use super::descriptors::pool;

/// A message, in the bytes that would be sent.
pub fn of<M: Message + Name>(message: &M) -> Value {
    decode(&M::full_name(), &chancery::translate::canonical(message))
}

/// The message of this type that these bytes are.
pub fn decode(name: &str, bytes: &[u8]) -> Value {
    let message = pool()
        .get_message_by_name(name)
        .unwrap_or_else(|| panic!("{name} has a descriptor"));
    let message =
        DynamicMessage::decode(message, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let options = SerializeOptions::new().use_proto_field_name(true);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .expect("every Any in it is known")
}
