//! What targets get: an entry as it waits for its batch, and a batch as it goes.

use bytes::Bytes;
use serde_json::Value;

use super::entry::Entry;
use crate::model::log_target::{LogTarget, To};

/// An entry as it waits.
pub fn entry(entry: &Entry, target: &LogTarget) -> String {
    Value::Object(entry.object(target)).to_string()
}

/// Bytes that a datagram has at most: 64 KiB without the headers of IP and UDP.
const DATAGRAM: usize = 65_507;

/// Entries as they go together.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// What is posted, the parts of what a connection has, or datagrams.
    pub pieces: Vec<Bytes>,
    /// How many entries are in none of them, as they are too large for one.
    pub large: usize,
}

/// Entries as they go together, of which there are never more than `most`.
pub fn batch(to: &To, entries: &[String], most: u32) -> Batch {
    match to {
        To::Http { lines: true, .. } => whole(entries.join("\n")),
        To::Http { lines: false, .. } | To::Tcp(_) => whole(json(entries, most)),
        To::Udp(_) => match json(entries, most) {
            fits if fits.len() <= DATAGRAM => whole(fits),
            _ => Batch {
                pieces: Vec::new(),
                large: entries.len(),
            },
        },
    }
}

fn whole(text: String) -> Batch {
    Batch {
        pieces: vec![text.into()],
        large: 0,
    }
}

/// As APISIX has it: what is never more than one is no list.
fn json(entries: &[String], most: u32) -> String {
    match entries {
        [one] if most == 1 => one.clone(),
        all => format!("[{}]", all.join(",")),
    }
}

#[cfg(test)]
mod tests;
