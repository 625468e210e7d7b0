//! The table of map fields that `translate::canonical` reads: for each message that holds a map, or a message or an `Any`
//! that may, the fields in which it does.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

const HEAD: &str = "\
# Which fields hold maps, or messages that may: made by tests/golden/maps.rs from the descriptors of envoy-types.
# number=type is a message, number={type} a map of them, number={} a map of anything else.
";

/// The table, for all messages that a configuration can hold.
pub fn table(pool: &DescriptorPool) -> String {
    let configured = |message: &MessageDescriptor| {
        let name = message.full_name();
        (name.starts_with("envoy.config.") || name.starts_with("envoy.extensions."))
            && !message.is_map_entry()
    };
    let all = reachable(pool.all_messages().filter(configured).collect());
    let holders = holders(&all);
    let mut table = HEAD.to_owned();
    for (name, message) in &all {
        let fields: Vec<String> = message
            .fields()
            .filter_map(|field| word(&field, &holders))
            .collect();
        if !fields.is_empty() {
            table += &format!("{name} {}\n", fields.join(" "));
        }
    }
    table
}

/// The messages that hold maps somewhere inside. An `Any` holds whatever is put into it.
fn holders(all: &BTreeMap<String, MessageDescriptor>) -> BTreeSet<String> {
    let mut holders = BTreeSet::from(["google.protobuf.Any".to_owned()]);
    loop {
        let before = holders.len();
        for (name, message) in all {
            if message
                .fields()
                .any(|field| word(&field, &holders).is_some())
            {
                holders.insert(name.clone());
            }
        }
        if holders.len() == before {
            return holders;
        }
    }
}

fn reachable(mut next: Vec<MessageDescriptor>) -> BTreeMap<String, MessageDescriptor> {
    let mut all = BTreeMap::new();
    while let Some(message) = next.pop() {
        let known = all
            .insert(message.full_name().to_owned(), message.clone())
            .is_some();
        if !known {
            next.extend(message.fields().filter_map(|field| content(&field)));
        }
    }
    all
}

/// The message that a field holds: the value's of a map.
fn content(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    kind.as_message().cloned()
}

/// What the table says of a field, if anything.
fn word(field: &FieldDescriptor, holders: &BTreeSet<String>) -> Option<String> {
    let content = content(field)
        .map(|message| message.full_name().to_owned())
        .filter(|name| holders.contains(name));
    match (field.is_map(), content) {
        (true, content) => Some(format!(
            "{}={{{}}}",
            field.number(),
            content.unwrap_or_default()
        )),
        (false, Some(content)) => Some(format!("{}={content}", field.number())),
        (false, None) => None,
    }
}
