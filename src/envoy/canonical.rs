//! Encoding that is equal in every process for equal messages.
//!
//! prost writes a map in the order of its `HashMap`, which differs from one process to the next, so versions made of such
//! bytes would differ between replicas and after a restart. Here the bytes are put in order once more: the entries of each
//! map by key, also inside nested messages and inside `Any`. Which fields are maps stands in `canonical/maps.txt`, made
//! from the descriptors of `envoy-types` by the golden tests, which fail when it is not what those say.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use bytes::Bytes;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::wire::{self, Fields};

const ANY: &str = "google.protobuf.Any";

/// Encodes a message, with the entries of all its maps in order.
pub fn canonical<M: Message + Name>(message: &M) -> Bytes {
    let encoded = message.encode_to_vec();
    // Always there: what prost writes is a message. Else the bytes pass as they are.
    ordered(&M::full_name(), &encoded).unwrap_or(encoded).into()
}

/// Packs a message into an `Any`, its maps in any order: [`canonical`] puts them in order with the message that holds it.
pub fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

/// What there is to do in one field of a message.
#[derive(Clone, Copy)]
enum Reorder {
    /// A message that may hold maps: its type.
    Message(&'static str),
    /// A map: the type of its values when these may hold maps.
    Map(Option<&'static str>),
}

/// For each type of message that may hold a map, the fields that do.
static MAPS: LazyLock<HashMap<&str, Vec<(u32, Reorder)>>> = LazyLock::new(|| {
    let lines = include_str!("canonical/maps.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines.filter_map(parse_line).collect()
});

/// `type number=type number={type}`, where the braces stand for a map.
fn parse_line(line: &'static str) -> Option<(&'static str, Vec<(u32, Reorder)>)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let fields = words.filter_map(|word| {
        let (number, kind) = word.split_once('=')?;
        let map = kind
            .strip_prefix('{')
            .and_then(|kind| kind.strip_suffix('}'));
        let reorder = match map {
            None => Reorder::Message(kind),
            Some("") => Reorder::Map(None),
            Some(value) => Reorder::Map(Some(value)),
        };
        Some((number.parse().ok()?, reorder))
    });
    Some((name, fields.collect()))
}

/// An encoded message of this type with its maps in order; nothing when it already was, for want of any, or is no message.
fn ordered(name: &str, message: &[u8]) -> Option<Vec<u8>> {
    if name == ANY {
        return ordered_any(message);
    }
    let todo = MAPS.get(name)?;
    let mut out = Vec::with_capacity(message.len());
    let mut fields = Fields(message);
    // prost writes the entries of a map one after the other: a run of them ends with another field.
    let mut run: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut run_of = 0;
    for field in &mut fields {
        if field.number != run_of {
            put_run(&mut out, run_of, &mut run);
            run_of = field.number;
        }
        let reorder = todo
            .iter()
            .find(|(number, _)| *number == field.number)
            .map(|(_, reorder)| *reorder);
        match (reorder, field.content) {
            (Some(Reorder::Message(name)), Some(content)) => match ordered(name, content) {
                Some(content) => wire::put(&mut out, field.number, &content),
                None => out.extend_from_slice(field.whole),
            },
            (Some(Reorder::Map(value)), Some(content)) => run.push(entry(value, content)),
            _ => out.extend_from_slice(field.whole),
        }
    }
    put_run(&mut out, run_of, &mut run);
    fields.complete().then_some(out)
}

fn ordered_any(message: &[u8]) -> Option<Vec<u8>> {
    let content = |number| {
        Fields(message)
            .find(|field| field.number == number)?
            .content
    };
    let type_url = content(1)?;
    let name = std::str::from_utf8(type_url).ok()?.rsplit('/').next()?;
    let value = ordered(name, content(2)?)?;
    let mut out = Vec::with_capacity(message.len());
    wire::put(&mut out, 1, type_url);
    wire::put(&mut out, 2, &value);
    Some(out)
}

/// The key and the whole content of a map entry; a key that is not there is the empty one.
fn entry(value: Option<&str>, content: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut key = Vec::new();
    let mut out = Vec::with_capacity(content.len());
    for field in Fields(content) {
        if field.number == 1 {
            key = field.content.unwrap_or(field.whole).to_vec();
        }
        let nested = value.filter(|_| field.number == 2).zip(field.content);
        match nested.and_then(|(name, content)| ordered(name, content)) {
            Some(content) => wire::put(&mut out, field.number, &content),
            None => out.extend_from_slice(field.whole),
        }
    }
    (key, out)
}

fn put_run(out: &mut Vec<u8>, number: u32, run: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    run.sort();
    for (_, entry) in run.drain(..) {
        wire::put(out, number, &entry);
    }
}
