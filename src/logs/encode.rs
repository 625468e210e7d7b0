//! What targets get: an entry as it waits for its batch, and a batch as it goes.

use bytes::Bytes;
use serde_json::Value;

use super::entry::Entry;
use crate::model::log_target::{LogTarget, To};

/// An entry as it waits.
pub fn entry(entry: &Entry, target: &LogTarget) -> String {
    Value::Object(entry.object(target)).to_string()
}

/// Entries as they go together, of which there are never more than `most`.
pub fn batch(to: &To, entries: &[String], most: u32) -> Bytes {
    match to {
        To::Http { lines: true, .. } => entries.join("\n").into(),
        To::Http { lines: false, .. } | To::Tcp(_) => json(entries, most),
    }
}

/// As APISIX has it: what is never more than one is no list.
fn json(entries: &[String], most: u32) -> Bytes {
    match entries {
        [one] if most == 1 => one.clone().into(),
        all => format!("[{}]", all.join(",")).into(),
    }
}

#[cfg(test)]
mod tests;
