//! What the plugins of documents do otherwise than in APISIX.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::documents::{self, Documents};
use crate::plugin::{self, Difference};

/// Which documents have to do with which differences, by plugin.
#[derive(Debug, Default)]
pub struct Used(BTreeMap<Arc<str>, BTreeMap<String, BTreeSet<Difference>>>);

impl Used {
    /// Of the newest texts of all documents.
    pub fn by(documents: &Documents) -> Self {
        let texts = documents.texts().map(|(newest, _)| newest);
        let found = texts.filter_map(|document| {
            let fields = documents::text(document.format, &document.value).ok()?;
            let plugins = fields.get("plugins").and_then(Value::as_object)?;
            let by_plugin = plugins.iter().map(|(name, configuration)| {
                let found = plugin::differences_in(name, configuration);
                (name.clone(), found.copied().collect())
            });
            Some((document.path.clone(), by_plugin.collect()))
        });
        Self(found.collect())
    }

    /// What of a document's is so: `plugins.limit-count.policy: …`.
    pub fn said(&self, path: &str) -> Vec<String> {
        let plugins = self.0.get(path).into_iter().flatten();
        let said = plugins.flat_map(|(name, found)| {
            found.iter().map(move |(field, how)| match *field {
                "" => format!("plugins.{name}: {how}"),
                field => format!("plugins.{name}.{field}: {how}"),
            })
        });
        said.collect()
    }

    /// Prints each plugin once, with how many documents have it so.
    pub fn print(&self) {
        let mut by_plugin: BTreeMap<&str, BTreeMap<Difference, usize>> = BTreeMap::new();
        for (name, found) in self.0.values().flatten() {
            for difference in found {
                let counts = by_plugin.entry(name).or_default();
                *counts.entry(*difference).or_default() += 1;
            }
        }
        if by_plugin.is_empty() {
            return;
        }
        say!("\nWhat these plugins do otherwise than in APISIX:");
        for (name, counts) in by_plugin {
            say!("    {name}");
            for ((field, how), count) in counts {
                let place = if field.is_empty() { "" } else { ": " };
                let documents = if count == 1 { "document" } else { "documents" };
                say!("        {field}{place}{how} ({count} {documents})");
            }
        }
    }
}
