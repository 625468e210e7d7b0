//! What targets get: an entry as it waits for its batch, and a batch as it goes.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::entry::Entry;
use super::variable;
use crate::model::log_target::{LogTarget, Loki, To, Transport};

/// An entry as it waits; `process` is the number of the one that sends it.
pub fn entry(entry: &Entry, target: &LogTarget, process: u32) -> String {
    let object = entry.object(target);
    match &target.to {
        To::Syslog(_) => syslog(entry, process, &Value::Object(object).to_string()),
        To::Loki(loki) => labelled(entry, loki, object),
        To::Http { .. }
        | To::Tcp(_)
        | To::Udp(_)
        | To::Kafka(_)
        | To::Elasticsearch(_)
        | To::Clickhouse(_) => Value::Object(object).to_string(),
    }
}

/// What Loki finds an entry by, and on a line of its own the moment and the entry.
fn labelled(entry: &Entry, loki: &Loki, mut object: Map<String, Value>) -> String {
    // As APISIX has it, also beside the fields of a document.
    object
        .entry("route_id")
        .or_insert_with(|| "no-matched".into());
    let labels = loki.labels.iter().map(|(name, text)| {
        let value = entry.text(text).unwrap_or_default();
        (name.clone(), value.into())
    });
    let labels = Value::Object(labels.collect());
    let moment = entry.start().as_nanos().to_string();
    let value = json!([moment, Value::Object(object).to_string()]);
    format!("{labels}\n{value}")
}

/// Facility SYSLOG, severity INFO.
const PRIORITY: u32 = 5 * 8 + 6;
/// Characters of a host's name in a message.
const HOST: usize = 255;

/// A message of RFC 5424 as APISIX writes it: the moment is that of the request's end, the host the one that was asked for.
fn syslog(entry: &Entry, process: u32, message: &str) -> String {
    let end = UNIX_EPOCH.checked_add(entry.end()).unwrap_or(UNIX_EPOCH);
    let time = humantime::format_rfc3339_millis(end);
    // A client says it, and could write a message of its own with it.
    let is_plain = |host: &String| {
        (1..=HOST).contains(&host.len()) && host.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let host = variable::value(entry, "host").filter(is_plain);
    let host = host.as_deref().unwrap_or("-");
    format!("<{PRIORITY}>1 {time} {host} apisix {process} - - {message}\n")
}

/// Bytes that a datagram has at most: 64 KiB without the headers of IP and UDP.
const DATAGRAM: usize = 65_507;

/// Entries as they go together.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// What is posted, the parts of what a connection has, messages, or datagrams.
    pub pieces: Vec<Bytes>,
    /// How many entries are in none of them, as they are too large for one.
    pub large: usize,
}

/// Entries as they go together, of which there are never more than `most`.
pub fn batch(to: &To, entries: &[String], most: u32) -> Batch {
    match to {
        To::Http { lines: true, .. } => whole(entries.join("\n")),
        To::Loki(_) => whole(streams(entries)),
        To::Elasticsearch(to) => {
            let action = json!({"create": {"_index": to.index}});
            let lines = entries.iter().map(|entry| format!("{action}\n{entry}\n"));
            whole(lines.collect())
        }
        To::Clickhouse(to) => {
            let rows = entries.join(" ");
            whole(format!(
                "INSERT INTO {} FORMAT JSONEachRow {rows}",
                to.table
            ))
        }
        To::Kafka(_) => Batch {
            pieces: messages(entries, most),
            large: 0,
        },
        To::Http { lines: false, .. } | To::Tcp(_) => whole(array(entries, most)),
        To::Udp(_) => match array(entries, most) {
            fits if fits.len() <= DATAGRAM => whole(fits),
            _ => Batch {
                pieces: Vec::new(),
                large: entries.len(),
            },
        },
        To::Syslog(Transport::Tcp(_)) => whole(entries.concat()),
        // As RFC 5426 has it: a message each.
        To::Syslog(Transport::Udp(_)) => {
            let fits = entries.iter().filter(|entry| entry.len() <= DATAGRAM);
            let pieces: Vec<_> = fits.map(|entry| entry.clone().into()).collect();
            let large = entries.len() - pieces.len();
            Batch { pieces, large }
        }
    }
}

/// What Loki takes: entries with the same labels are a stream.
fn streams(entries: &[String]) -> String {
    let mut by_labels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (labels, value) in entries.iter().filter_map(|entry| entry.split_once('\n')) {
        by_labels.entry(labels).or_default().push(value);
    }
    let streams = by_labels.iter().map(|(labels, values)| {
        let values = values.join(",");
        format!(r#"{{"stream":{labels},"values":[{values}]}}"#)
    });
    let streams: Vec<_> = streams.collect();
    format!(r#"{{"streams":[{}]}}"#, streams.join(","))
}

/// Bytes of a message: a little less than what brokers take unless they are told otherwise (`message.max.bytes`).
const MESSAGE: usize = 1_000_000;

/// As many entries as a broker takes together, in each.
fn messages(entries: &[String], most: u32) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        let mut bytes = 1;
        let fits = |entry: &&String| {
            bytes += entry.len() + 1;
            bytes <= MESSAGE
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (first, later) = rest.split_at(count);
        pieces.push(array(first, most).into());
        rest = later;
    }
    pieces
}

fn whole(text: String) -> Batch {
    Batch {
        pieces: vec![text.into()],
        large: 0,
    }
}

/// As APISIX has it: what is never more than one is no list.
fn array(entries: &[String], most: u32) -> String {
    match entries {
        [one] if most == 1 => one.clone(),
        all => format!("[{}]", all.join(",")),
    }
}

#[cfg(test)]
mod tests;
