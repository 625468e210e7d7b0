//! The control API: its paths are those of the table of calls, its messages those of the contract.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::{Said, content, named};
use crate::api::rest::{self, Listed};

const SERVICE: &str = "chancery.v1.Control";
/// What is answered instead where a call is refused.
const ERROR: &str = "Error";

/// What stands in the place of parameters and bodies where an example needs more than what a field says of itself.
fn example(call: &str) -> Value {
    match call {
        "ReadSnapshot" => json!({ "gateway": "default", "type": "routes" }),
        "Wait" | "WaitStream" => json!({ "revision": "1", "timeout": "0s" }),
        "Explain" => json!({ "gateway": "default", "url": "/hello" }),
        "ListHistory" => json!({ "document": "routes/hello", "limit": 10 }),
        "Diff" => json!({ "from": "1" }),
        "RollBack" => json!({ "to": "1", "documents": ["routes/hello"], "dryRun": true }),
        "ReadEffective" => json!({ "document": "routes/hello" }),
        "Release" => json!({ "document": "routes/hello" }),
        "Accept" => json!({ "dryRun": true }),
        "ListDocuments" | "ListTexts" => json!({ "kind": "routes" }),
        "Apply" => {
            json!({ "writes": [{ "document": "routes/hello", "text": HELLO }], "dryRun": true })
        }
        "Drain" => {
            json!({ "address": "127.0.0.1", "port": 1980, "ttl": "10m", "reason": "release 42", "wait": "0s", "force": true })
        }
        "Prolong" => json!({ "id": "0", "ttl": "30m" }),
        "ReadDrain" | "Undrain" => json!({ "id": "0" }),
        _ => json!({}),
    }
}

const HELLO: &str = r#"{"uri": "/hello", "upstream": {"nodes": {"127.0.0.1:1980": 1}}}"#;

pub fn say(pool: &DescriptorPool, said: &mut Said) {
    let Some(service) = pool.get_service_by_name(SERVICE) else {
        return;
    };
    for call in rest::table() {
        let Some(method) = service.methods().find(|method| method.name() == call.name) else {
            continue;
        };
        let (input, output) = (method.input(), method.output());
        let answer = if method.is_server_streaming() {
            json!({ "application/x-ndjson": { "schema": named(output.name()) } })
        } else {
            content(&named(output.name()))
        };
        let comment = comment(method.parent_file().file_descriptor_proto(), method.path());
        // `GET /v1/nodes: what it does`
        let does = comment.split_once(": ").map_or("", |(_, does)| does);
        let mut one = json!({
            "operationId": call.name,
            "summary": does,
            "tags": ["control"],
            "x-role": call.role,
            "responses": {
                "2XX": { "description": "It is answered.", "content": answer },
                "default": { "description": "It is refused, with gRPC's code.", "content": content(&named(ERROR)) },
            },
        });
        if call.name == "Wait" {
            one["responses"]["504"] =
                json!({ "description": "Not confirmed in time.", "content": answer });
        }
        if call.method == "post" {
            let mut body = content(&named(input.name()));
            body["application/json"]["example"] = example(call.name);
            one["requestBody"] = json!({ "required": true, "content": body });
        } else {
            let example = example(call.name);
            let parameters = input
                .fields()
                .map(|field| parameter(&call, &field, &example));
            one["parameters"] = parameters.collect();
        }
        said.call(call.path, call.method, one);
    }
    let ours = pool
        .all_messages()
        .filter(|message| message.package_name() == "chancery.v1");
    for message in ours.filter(|message| !message.is_map_entry()) {
        said.schemas
            .insert(message.name().to_owned(), schema(&message));
    }
    let error = json!({
        "type": "object",
        "properties": { "code": { "type": "integer" }, "message": { "type": "string" } },
        "required": ["code", "message"],
    });
    said.schemas.insert(ERROR.to_owned(), error);
}

/// A field of a request that has no body.
fn parameter(call: &Listed, field: &FieldDescriptor, examples: &Value) -> Value {
    let in_path = call.path.contains(&format!("{{{}}}", field.name()));
    let mut parameter = json!({
        "name": if in_path { field.name() } else { field.json_name() },
        "in": if in_path { "path" } else { "query" },
        "required": in_path,
        "schema": of_field(field),
        "description": about(field),
    });
    if let Some(example) = examples.get(field.json_name()) {
        parameter["example"] = example.clone();
    }
    parameter
}

fn schema(message: &MessageDescriptor) -> Value {
    let properties = message.fields().map(|field| {
        let mut schema = of_field(&field);
        let about = about(&field);
        if !about.is_empty() {
            schema["description"] = about.into();
        }
        (field.json_name().to_owned(), schema)
    });
    let comment = comment(message.parent_file_descriptor_proto(), message.path());
    json!({
        "type": "object",
        "description": comment,
        "properties": Value::Object(properties.collect()),
        "additionalProperties": false,
    })
}

/// A field as protobuf's JSON mapping has it.
fn of_field(field: &FieldDescriptor) -> Value {
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        return json!({ "type": "object", "additionalProperties": of_kind(&entry.map_entry_value_field().kind()) });
    }
    let one = of_kind(&field.kind());
    if field.is_list() {
        return json!({ "type": "array", "items": one });
    }
    if field.supports_presence() {
        // One that is not there is written as null.
        return json!({ "anyOf": [one, { "type": "null" }] });
    }
    one
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Double | Kind::Float => json!({ "type": "number" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
            json!({ "type": "integer" })
        }
        // A number of JSON would lose digits.
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
            json!({ "type": "string", "pattern": "^-?[0-9]+$" })
        }
        Kind::String | Kind::Bytes | Kind::Enum(_) => json!({ "type": "string" }),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.Duration" => {
                json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$" })
            }
            "google.protobuf.Any" => {
                json!({ "type": "object", "properties": { "@type": { "type": "string" } } })
            }
            _ => named(message.name()),
        },
    }
}

fn about(field: &FieldDescriptor) -> String {
    comment(
        field.parent_message().parent_file_descriptor_proto(),
        field.path(),
    )
}

/// What the contract says above a definition.
fn comment(file: &prost_types::FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let mut here = locations.filter(|location| location.path == path);
    let comment = here
        .next()
        .map_or("", |location| location.leading_comments());
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
