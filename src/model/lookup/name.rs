//! What is asked of a secret manager: `$secret://vault/1/apisix/jack/auth-key`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Lookup, Subject};
use crate::model::decode::shown;
use crate::model::key::{Id, Kind};

/// Bytes of a reference.
const REFERENCE: usize = 1024;

/// A field of what a manager has under a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName {
    /// The path of the document that says where it is asked: `secrets/vault/1`.
    pub manager: Arc<str>,
    /// `apisix/jack`
    pub key: Arc<str>,
    pub field: Arc<str>,
}

impl SecretName {
    /// Reads what stands behind `$secret://`.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "refers to `{}`, allowed: the manager, the id of its document, a key and a field, as `$secret://vault/1/jack/auth-key`",
                shown(path)
            )
        };
        if path.len() > REFERENCE {
            return Err(format!(
                "is a reference of {} bytes, allowed: at most {REFERENCE}",
                path.len()
            ));
        }
        let (manager, rest) = path.split_once('/').ok_or_else(wrong)?;
        let (id, rest) = rest.split_once('/').ok_or_else(wrong)?;
        let id = Id::of_manager(manager, id).map_err(|error| error.to_string())?;
        let (key, field) = rest.rsplit_once('/').ok_or_else(wrong)?;
        if field.is_empty() {
            return Err(wrong());
        }
        steps(key)?;
        Ok(Self {
            manager: format!("{}/{id}", Kind::Secret.as_str()).into(),
            key: key.trim_matches('/').into(),
            field: field.into(),
        })
    }
}

impl SecretName {
    /// All that a document refers to, wherever references are followed.
    pub fn all_in(kind: Kind, document: &Value) -> BTreeSet<Self> {
        let mut fields = document.as_object().cloned().unwrap_or_default();
        let names = Lookup::default().resolve_in(kind, &mut fields).names;
        let secrets = names.into_iter().filter_map(|subject| match subject {
            Subject::Secret(name) => Some(name),
            Subject::Provider(_) => None,
        });
        secrets.collect()
    }
}

/// As problems name it.
impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (field, key) = (shown(&self.field), shown(&self.key));
        write!(f, "`{field}` of `{key}` in `{}`", self.manager)
    }
}

/// The steps of a path below a manager, none of which leads elsewhere.
pub fn steps(path: &str) -> Result<Vec<&str>, String> {
    let steps: Vec<_> = path.trim_matches('/').split('/').collect();
    let allowed = |c: char| !c.is_control() && !matches!(c, '?' | '#' | '%' | '\\');
    let is_step = |step: &&str| !matches!(*step, "" | "." | "..") && step.chars().all(allowed);
    match steps.iter().find(|step| !is_step(step)) {
        None => Ok(steps),
        Some(step) => Err(format!(
            "found `{}` in the path `{}`, allowed: steps between single slashes, none of them `.` or `..`, without `?`, `#`, `%` and `\\`",
            shown(step),
            shown(path)
        )),
    }
}
