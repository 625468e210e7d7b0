//! `api.md`: the calls of the control API with their paths and roles, and the fields of its messages.

use std::collections::BTreeMap;

use chancery::api::access::Role;
use regex::Regex;

use super::page::{Page, code, sentence};

const CONTRACT: &str = include_str!("../../proto/chancery/v1/control.proto");

/// What fields are that the contract has no comment for, as their name says it.
const TOLD: [(&str, &str); 33] = [
    ("gateway", "the gateway's name"),
    ("sets", "a set of resources for each type"),
    ("time", "when it was"),
    ("published", "a snapshot was published"),
    ("answer", "a node accepted or refused a response"),
    ("missed", "events that the reader was too slow for"),
    ("drain", "the drain"),
    ("id", "its id"),
    ("connected", "since when it is connected"),
    (
        "type",
        "the type of resource: `clusters`, `endpoints`, `secrets`, `extensions`, `listeners` or `routes`",
    ),
    ("name", "its name"),
    ("load_assignment", "the load assignment's name"),
    ("weight", "its share of the traffic, relative to the others"),
    ("region", "its region, as the registry has it"),
    ("zone", "its zone, as the registry has it"),
    ("node", "the node's id"),
    ("tags", "its tags, as the registry has them"),
    ("metadata", "its metadata, as the registry has it"),
    ("reason", "why"),
    ("version", "the version of its content"),
    ("revision", "the store's revision"),
    ("added", "how many are new"),
    ("changed", "how many changed"),
    ("removed", "how many are gone"),
    ("events", "how many"),
    ("address", "the IP address"),
    ("port", "the port"),
    ("created", "when it began"),
    ("replica", "the replica's id"),
    ("nodes", "how many, by gateway"),
    ("took", "how long the step took"),
    ("priority", "its priority"),
    ("cluster", "the cluster's name"),
];

fn told(field: &str) -> &'static str {
    let told = TOLD.iter().find(|(name, _)| *name == field);
    told.map(|(_, said)| *said).unwrap_or_else(|| {
        panic!("control.proto says nothing about a field `{field}`: write a comment")
    })
}

/// A message of the contract: what is said of it, and its fields.
#[derive(Default)]
struct Message {
    said: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    kind: String,
    said: String,
}

/// A call: the method, and the path of its JSON form.
struct Call {
    name: String,
    request: String,
    response: String,
    at: String,
    said: String,
}

pub fn page() -> String {
    let (calls, messages, order) = read();
    let roles: BTreeMap<&str, Role> = chancery::api::roles().collect();
    assert_eq!(
        calls.len(),
        roles.len(),
        "the contract and the table of calls"
    );
    let mut page = Page::new("Control API");
    page.paragraph(
        "The admin port serves the gRPC service `chancery.v1.Control`, with reflection, and the same messages as JSON at \
         the paths below. [`control.proto`](../../proto/chancery/v1/control.proto) is the contract.",
    );
    page.list([
        "Over HTTP the fields of a request are parts of the path or parameters of the query; those of a POST are its JSON \
         body. Field names in JSON are in camelCase: `leftOut` for `left_out`. Both are read."
            .to_owned(),
        "An error is `{\"code\", \"message\"}` with gRPC's codes. What is not listed here is refused: 404 or 405, or \
         `UNIMPLEMENTED` as gRPC."
            .to_owned(),
        "Where there are [API keys](settings.md#in-the-file-only), a call shows one as `x-api-key`. Every key may read, but one for `metrics` alone; \
         the role `drain` is needed to take instances out and to put them back. What is refused stands in the audit trail. \
         Calls that come too often (`max-call-rate`) get 429 (`RESOURCE_EXHAUSTED`) with `Retry-After`, and do not stand there."
            .to_owned(),
        "Calls of web pages of other origins are refused with 403 (`PERMISSION_DENIED`): those with an `Origin` that is not \
         the host and port they call, and those that change something with `Sec-Fetch-Site: cross-site` or `same-site`. \
         Without API keys the call has to name the port as `localhost`, `*.localhost` or a loopback address, or as any IP \
         address where `admin` is not a loopback address: other names may be a page's own. There is no CORS."
            .to_owned(),
    ]);
    page.heading("Calls");
    let rows = calls.iter().map(|call| {
        let role = match roles[call.name.as_str()] {
            Role::Metrics => "metrics",
            Role::Read => "read",
            Role::Drain => "drain",
            Role::Operate => "operate",
            Role::Admin => "admin",
        };
        [
            code(&call.name),
            code(&call.at),
            code(role),
            linked(&call.request),
            linked(&call.response),
            sentence(&call.said),
        ]
    });
    page.table(
        ["method", "over HTTP", "role", "request", "answer", "does"],
        rows.collect(),
    );
    for name in order {
        let message = &messages[&name];
        page.heading(&name);
        if !message.said.is_empty() {
            page.paragraph(&sentence(&message.said));
        }
        if message.fields.is_empty() {
            page.paragraph("Has no fields.");
        }
        let rows = message.fields.iter().map(|field| {
            let said = if field.said.is_empty() {
                told(&field.name)
            } else {
                &field.said
            };
            let said = sentence(said);
            [code(&field.name), field.kind.clone(), said]
        });
        page.table(["field", "type", "says"], rows.collect());
    }
    page.text()
}

/// The contract: its calls, its messages, and the order of these.
fn read() -> (Vec<Call>, BTreeMap<String, Message>, Vec<String>) {
    let pattern = |text: &str| Regex::new(text).expect("a pattern");
    let rpc = pattern(r"^  rpc (\w+)\((\w+)\) returns \((stream )?(\w+)\);");
    let message = pattern(r"^message (\w+) \{(\})?");
    let field = pattern(r"^ +(repeated )?([\w.]+|map<[\w, ]+>) (\w+) = \d+;");
    let place = pattern(r"^((?:GET|POST|DELETE) \S+): (.*)$");
    let (mut calls, mut messages, mut order) = (Vec::new(), BTreeMap::new(), Vec::<String>::new());
    let mut said: Vec<&str> = Vec::new();
    for line in CONTRACT.lines() {
        if let Some(comment) = line.trim_start().strip_prefix("//") {
            said.push(comment.trim());
            continue;
        }
        let words = std::mem::take(&mut said).join(" ");
        if let Some(found) = rpc.captures(line) {
            let described = place.captures(&words).expect("a path and what it does");
            calls.push(Call {
                name: found[1].to_owned(),
                request: found[2].to_owned(),
                response: found[4].to_owned(),
                at: described[1].to_owned(),
                said: described[2].to_owned(),
            });
        } else if let Some(found) = message.captures(line) {
            order.push(found[1].to_owned());
            let fields = Vec::new();
            messages.insert(
                found[1].to_owned(),
                Message {
                    said: words,
                    fields,
                },
            );
        } else if let Some(found) = field.captures(line) {
            let kind = if found.get(1).is_some() {
                format!("list of {}", kind(&found[2]))
            } else {
                kind(&found[2])
            };
            let current = order.last().and_then(|name| messages.get_mut(name));
            current.expect("a message").fields.push(Field {
                name: found[3].to_owned(),
                kind,
                said: words,
            });
        }
    }
    // A request or answer right where its call is, the others after them.
    let used: Vec<_> = calls
        .iter()
        .flat_map(|call| [&call.request, &call.response])
        .collect();
    let (mut first, rest): (Vec<_>, Vec<_>) =
        order.into_iter().partition(|name| used.contains(&name));
    first.sort_by_key(|name| used.iter().position(|used| *used == name));
    first.extend(rest);
    (calls, messages, first)
}

/// The type of a field, as JSON has it.
fn kind(written: &str) -> String {
    match written {
        "google.protobuf.Timestamp" => "time: `\"2026-01-02T03:04:05Z\"`".to_owned(),
        "google.protobuf.Duration" => "duration: `\"1.5s\"`".to_owned(),
        "google.protobuf.Any" => "any message, with its `@type`".to_owned(),
        "int64" | "uint64" => "whole number, in JSON a string".to_owned(),
        "int32" | "uint32" => "whole number".to_owned(),
        "bool" => "boolean".to_owned(),
        "string" => "text".to_owned(),
        message if message.starts_with(char::is_uppercase) => linked(message),
        map if map.starts_with("map<") => {
            let types = map.trim_start_matches("map<").trim_end_matches('>');
            let (_, value) = types.split_once(", ").expect("two types");
            format!("map of {}", kind(value))
        }
        other => other.to_owned(),
    }
}

fn linked(message: &str) -> String {
    format!("[{message}](#{})", message.to_lowercase())
}
