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
    let To::Http { lines, .. } = to;
    match entries {
        // As APISIX has it: what is never more than one is no list.
        [one] if most == 1 => one.clone().into(),
        all if *lines => all.join("\n").into(),
        all => format!("[{}]", all.join(",")).into(),
    }
}

#[cfg(test)]
mod tests;
