//! The fields of documents in which APISIX follows references, and these replaced by what they stand for.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Lookup;
use crate::model::Kind;
use crate::model::decode::shown;
use crate::model::problem::Remark;

/// References in one document. Each may stand for a text that is far longer.
const REFERENCES: usize = 64;
/// Bytes in a row that are no chance where a message has them of a value.
const TELLING: usize = 5;
/// What is said in place of what would show a value.
const NOT_SAID: &str = "is wrong with what a reference there stands for, which is not shown: see what the variable holds, and what this field \
                        allows";

/// The values that references of one document stand for.
#[derive(Default)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// A remark on the document, without any of the values: what would show one, or a part of it, is said in other words.
    pub(crate) fn censor(&self, remark: Remark) -> Remark {
        if self.0.iter().any(|value| has_part(&remark.message, value)) {
            return Remark::new(remark.field, NOT_SAID);
        }
        remark
    }
}

/// Whether a message has a telling part of a value.
fn has_part(message: &str, value: &str) -> bool {
    if value.len() < TELLING {
        return message.contains(value);
    }
    let said: HashSet<&[u8]> = message.as_bytes().windows(TELLING).collect();
    let mut parts = value.as_bytes().windows(TELLING);
    parts.any(|part| said.contains(part))
}

impl Lookup {
    /// Puts what references stand for in their place; tells the first that stands for nothing.
    pub(crate) fn resolve_in(
        &self,
        kind: Kind,
        document: &mut Map<String, Value>,
    ) -> Result<Hidden, Remark> {
        let mut hidden = Hidden::default();
        for (name, value) in document {
            match (kind, name.as_str()) {
                (Kind::Ssl, "cert" | "key" | "certs" | "keys") => {
                    self.resolve(value, &mut hidden)
                        .map_err(|remark| remark.under(name))?;
                }
                (_, "plugins") => {
                    for (plugin, value) in value.as_object_mut().into_iter().flatten() {
                        self.resolve_plugin(value, &mut hidden)
                            .map_err(|remark| remark.under(&shown(plugin)).under(name))?;
                    }
                }
                _ => {}
            }
        }
        Ok(hidden)
    }

    /// All of a plugin but what says when it runs.
    fn resolve_plugin(&self, plugin: &mut Value, hidden: &mut Hidden) -> Result<(), Remark> {
        for (name, value) in plugin.as_object_mut().into_iter().flatten() {
            if name != "_meta" {
                self.resolve(value, hidden)
                    .map_err(|remark| remark.under(&shown(name)))?;
            }
        }
        Ok(())
    }

    fn resolve(&self, value: &mut Value, hidden: &mut Hidden) -> Result<(), Remark> {
        match value {
            Value::String(text) => {
                let Some(found) = self.find(text) else {
                    return Ok(());
                };
                let found = found.map_err(Remark::whole)?;
                if hidden.0.len() == REFERENCES {
                    return Err(Remark::whole(format!(
                        "is one reference more than there may be in a document, allowed: {REFERENCES}"
                    )));
                }
                hidden.0.push(found.clone());
                *text = found;
                Ok(())
            }
            Value::Array(items) => items.iter_mut().enumerate().try_for_each(|(at, item)| {
                self.resolve(item, hidden)
                    .map_err(|remark| remark.under(&format!("[{at}]")))
            }),
            Value::Object(fields) => fields.iter_mut().try_for_each(|(name, value)| {
                self.resolve(value, hidden)
                    .map_err(|remark| remark.under(&shown(name)))
            }),
            _ => Ok(()),
        }
    }
}
