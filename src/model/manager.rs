//! Documents of the kind `secrets`: where a secret manager is asked, and what it is shown. Vault's API alone is known, which OpenBao has too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::bookkeeping::{self, Kept};
use super::consumer::Secret;
use super::decode::{self, quoted};
use super::key::Key;
use super::lookup::{Provider, SecretName, Subject, steps};
use super::problem::Remark;

/// Where a secret manager is asked: the id is the manager and a name, `vault/1`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The id of the document's key, if it is written at all: `vault/1`.
    id: Option<String>,
    /// Where Vault listens, http or https; what it is asked stands below `/v1/` there.
    uri: String,
    /// What the path begins with: where the engine is mounted, `kv/apisix`; of KV version 2 with `data` in it, `secret/data`.
    prefix: String,
    /// What Vault is shown as `X-Vault-Token`; `$env://NAME` takes it from a variable of `secrets-env`.
    token: Secret,
    /// What Vault is shown as `X-Vault-Namespace`.
    namespace: Option<String>,
}

impl decode::Form for Form {}

impl Kept for Form {
    const BOOKKEEPING: &'static [&'static str] =
        &["name", "desc", "labels", "create_time", "update_time"];
}

/// What is to be asked for, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub secrets: BTreeMap<SecretName, Arc<Manager>>,
    pub providers: BTreeSet<Provider>,
}

impl Asked {
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let secrets = self.secrets.keys().cloned().map(Subject::Secret);
        let providers = self.providers.iter().cloned();
        secrets.chain(providers.map(Subject::Provider))
    }
}

/// Where a manager is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Manager {
    /// Below which everything is asked: `http://127.0.0.1:8200/v1/kv/apisix`.
    pub base: Arc<str>,
    pub token: Secret,
    pub namespace: Option<Arc<str>>,
}

pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<Form>(generator)
}

/// Reads the document of a manager.
pub(crate) fn read(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Manager, Remark> {
    // A token in the wrong field is not repeated.
    let (form, _) = bookkeeping::read_part_unquoted::<Form>(value)?;
    let id = key.id.as_str();
    if let Some(written) = form.id.filter(|written| written != id) {
        let message = format!(
            "found {}, allowed: \"{id}\" as in the key, or no `id`",
            quoted(&written)
        );
        return Err(Remark::new("id", message));
    }
    let mut base = address(&form.uri).map_err(|message| Remark::new("uri", message))?;
    if base.scheme() == "http" && !is_here(&base) {
        let said = "sends the token, and is sent secrets, where others can read them, allowed without a warning: https, or \
                    an address of this machine";
        warnings.push(Remark::new("uri", said));
    }
    let steps = steps(&form.prefix).map_err(|message| Remark::new("prefix", message))?;
    if let Ok(mut path) = base.path_segments_mut() {
        path.pop_if_empty().push("v1").extend(steps);
    }
    let visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !visible(form.token.reveal()) {
        let said = "is no token, which is not shown, allowed: visible ASCII characters, no space";
        return Err(Remark::new("token", said));
    }
    if let Some(namespace) = form.namespace.as_deref().filter(|text| !visible(text)) {
        let message = format!(
            "found {}, allowed: visible ASCII characters, no space",
            quoted(namespace)
        );
        return Err(Remark::new("namespace", message));
    }
    Ok(Manager {
        base: base.as_str().into(),
        token: form.token,
        namespace: form.namespace.map(Into::into),
    })
}

fn address(text: &str) -> Result<Url, String> {
    // What is no address at all may be a token.
    let found = match text.contains("://") {
        true => quoted(text),
        false => "another text".to_owned(),
    };
    let wrong = |why: &str| {
        format!(
            "found {found}, {why}, allowed: http or https, a host and a port, as http://127.0.0.1:8200"
        )
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("which is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "holds a user, where a token is shown, allowed: write it without one".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("which has a `?` or a `#` in it"));
    }
    Ok(url)
}

/// Whether only this machine sees what is sent there.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests;
