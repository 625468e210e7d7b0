//! The JSON mapping of protobuf, for the messages of the contract and, inside snapshots, for Envoy's.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{
    DescriptorError, DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor,
    SerializeOptions, Value,
};
use tonic::Status;

use crate::envoy::descriptors;

type Pool = Result<DescriptorPool, DescriptorError>;

/// The descriptors of the contract.
pub(super) const OWN_FILES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/chancery.bin"));

/// The contract.
static OWN: LazyLock<Pool> = LazyLock::new(|| DescriptorPool::decode(OWN_FILES));

/// Envoy's messages and the contract: some 18 MiB, had when resources are first read.
static WITH_ENVOY: LazyLock<Pool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    for files in [descriptors::SERVICES, descriptors::TYPES, OWN_FILES] {
        pool.decode_file_descriptor_set(files)?;
    }
    Ok(pool)
});

pub(super) fn with_envoy() -> Result<&'static DescriptorPool, Status> {
    known(&WITH_ENVOY)
}

pub(super) fn own() -> Result<&'static DescriptorPool, Status> {
    known(&OWN)
}

fn known(pool: &'static Pool) -> Result<&'static DescriptorPool, Status> {
    pool.as_ref()
        .map_err(|error| Status::internal(error.to_string()))
}

fn descriptor<M: Name>(pool: &DescriptorPool) -> Result<MessageDescriptor, Status> {
    pool.get_message_by_name(&M::full_name())
        .ok_or_else(|| Status::internal(format!("{} has no descriptor", M::full_name())))
}

/// A message as JSON, with all its fields, those that say nothing included.
pub fn whole<M: Message + Name>(message: &M) -> Result<String, Status> {
    let options = SerializeOptions::new().skip_default_fields(false);
    write(message, known(&OWN)?, &options)
}

/// A message as JSON that may hold Envoy's messages, without fields that say nothing.
pub fn terse<M: Message + Name>(message: &M) -> Result<String, Status> {
    write(message, with_envoy()?, &SerializeOptions::new())
}

fn write<M: Message + Name>(
    message: &M,
    pool: &DescriptorPool,
    options: &SerializeOptions,
) -> Result<String, Status> {
    let encoded = message.encode_to_vec();
    let internal = |error: &dyn std::error::Error| Status::internal(error.to_string());
    let dynamic = DynamicMessage::decode(descriptor::<M>(pool)?, encoded.as_slice())
        .map_err(|error| internal(&error))?;
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut out);
    dynamic
        .serialize_with_options(&mut serializer, options)
        .map_err(|error| internal(&error))?;
    String::from_utf8(out).map_err(|error| internal(&error))
}

/// Reads a message. Fields that a newer version knows are passed over.
pub fn read<M: Message + Name + Default>(json: &[u8]) -> Result<M, Status> {
    read_with(json, &DeserializeOptions::new().deny_unknown_fields(false))
}

fn read_with<M: Message + Name + Default>(
    json: &[u8],
    options: &DeserializeOptions,
) -> Result<M, Status> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let descriptor = descriptor::<M>(known(&OWN)?)?;
    DynamicMessage::deserialize_with_options(descriptor, &mut reader, options)
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| Status::invalid_argument(error.to_string()))?
        .transcode_to()
        .map_err(|error| Status::internal(error.to_string()))
}

/// Reads a request. What it does not know it refuses.
pub(super) fn strict<M: Message + Name + Default>(json: &[u8]) -> Result<M, Status> {
    read_with(json, &DeserializeOptions::new())
}

/// A request, from the parameters of a path and of a query.
pub(super) fn request<M: Message + Name + Default>(
    path: &[(&str, &str)],
    query: Option<&str>,
) -> Result<M, Status> {
    let descriptor = descriptor::<M>(known(&OWN)?)?;
    let of_query = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let of_path = path
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    let mut request = DynamicMessage::new(descriptor.clone());
    let mut given = Vec::new();
    for (name, value) in of_path.chain(of_query) {
        let field = descriptor
            .get_field_by_json_name(&name)
            .ok_or_else(|| unknown_parameter(&name, &descriptor))?;
        if field.is_list() {
            let one = Value::String(value.into_owned());
            if let Some(list) = request.get_field_mut(&field).as_list_mut() {
                list.push(one);
            }
            continue;
        }
        if given.contains(&field) {
            return Err(Status::invalid_argument(format!("`{name}` is given twice")));
        }
        let object = match (field.kind(), value.parse::<bool>()) {
            (Kind::Bool, Ok(flag)) => serde_json::json!({ name.as_ref(): flag }),
            _ => serde_json::json!({ name.as_ref(): value }),
        };
        let one = DynamicMessage::deserialize(descriptor.clone(), object).map_err(|error| {
            Status::invalid_argument(format!("{name}: found `{}`: {error}", shown(&value)))
        })?;
        request.set_field(&field, one.get_field(&field).into_owned());
        given.push(field);
    }
    request
        .transcode_to()
        .map_err(|error| Status::internal(error.to_string()))
}

fn unknown_parameter(name: &str, request: &MessageDescriptor) -> Status {
    let fields: Vec<_> = request
        .fields()
        .map(|field| field.json_name().to_owned())
        .collect();
    let allowed = if fields.is_empty() {
        "none".to_owned()
    } else {
        fields.join(", ")
    };
    Status::invalid_argument(format!(
        "found the parameter `{}`, allowed: {allowed}",
        shown(name)
    ))
}

/// What came from outside, as far as it is shown.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().take(200).collect()
}
