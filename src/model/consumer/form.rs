//! The documents about consumers, as they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::credential::{self, Credentials, Plugins};
use crate::model::bookkeeping;
use crate::model::decode::{self, quoted};
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;

/// A consumer, checked for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name: the document's id.
    pub username: Arc<str>,
    pub group: Option<Id>,
    /// What upstreams know it by, beside its name.
    pub custom_id: Option<Arc<str>>,
    /// What upstreams can be told of it: as the query of a URL is written, without what no header can hold.
    pub labels: Arc<str>,
    /// What agents can be told of it beside, likewise: `group_id` and `desc`.
    pub about: Arc<str>,
    /// The credentials in its own document.
    pub credentials: Credentials,
}

/// Somebody who is known by a credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ConsumerForm {
    /// The consumer's name, which is the id in the key.
    username: String,
    /// The group that it belongs to: consumer-restriction can ask for it.
    group_id: Option<Id>,
    #[schemars(with = "Option<Plugins>")]
    plugins: Option<Value>,
}

impl decode::Form for ConsumerForm {}

impl bookkeeping::Kept for ConsumerForm {
    // `username` is its name.
    const BOOKKEEPING: &'static [&'static str] =
        &["id", "desc", "labels", "create_time", "update_time"];
}

/// One more credential of a consumer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct CredentialForm {
    #[schemars(with = "Plugins")]
    plugins: Value,
}

impl decode::Form for CredentialForm {}

impl bookkeeping::Kept for CredentialForm {}

/// What consumers share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct GroupForm {
    /// Plugins that hold for its consumers, unless they have their own.
    #[serde(default)]
    plugins: Map<String, Value>,
}

impl decode::Form for GroupForm {}

impl bookkeeping::Kept for GroupForm {}

pub(crate) fn consumer_schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<ConsumerForm>(generator)
}

pub(crate) fn credential_schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<CredentialForm>(generator)
}

pub(crate) fn group_schema(generator: &mut SchemaGenerator) -> Schema {
    bookkeeping::schema::<GroupForm>(generator)
}

/// Reads a consumer, and its plugins that are no credentials as they are written.
pub(crate) fn read_consumer(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<(Consumer, Map<String, Value>), Remark> {
    let (form, bookkeeping) = bookkeeping::read::<ConsumerForm>(key, value)?;
    if form.username != key.id.as_str() {
        let message = format!(
            "found {}, allowed: \"{}\" as in the key",
            quoted(&form.username),
            key.id
        );
        return Err(Remark::new("username", message));
    }
    let (credentials, others) = credential::read(form.plugins.as_ref(), warnings)?;
    let labels = bookkeeping.labels.as_ref().map(query).unwrap_or_default();
    let about = about(form.group_id.as_ref(), bookkeeping.desc.as_deref());
    let consumer = Consumer {
        username: form.username.into(),
        group: form.group_id,
        custom_id: bookkeeping.labels.map(custom_id).transpose()?.flatten(),
        labels: labels.into(),
        about: about.into(),
        credentials,
    };
    Ok((consumer, others))
}

/// Labels as a query.
fn query(labels: &BTreeMap<String, String>) -> String {
    let fits = |value: &str| {
        let ends = value.starts_with(char::is_whitespace) || value.ends_with(char::is_whitespace);
        !value.is_empty() && !ends && !value.chars().any(char::is_control)
    };
    let told = labels.iter().filter(|(_, value)| fits(value));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(told).finish()
}

/// The rest as a query. APISIX has no description longer than that, and here it travels in a header.
fn about(group: Option<&Id>, desc: Option<&str>) -> String {
    const DESC: usize = 256;
    let group = group.map(|group| ("group_id", group.as_str()));
    let desc = desc.filter(|desc| desc.chars().count() <= DESC);
    let desc = desc.map(|desc| ("desc", desc));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(group.into_iter().chain(desc)).finish()
}

/// What a label tells upstreams in a header.
fn custom_id(mut labels: BTreeMap<String, String>) -> Result<Option<Arc<str>>, Remark> {
    const LABEL: &str = "custom_id";
    match labels.remove(LABEL) {
        None => Ok(None),
        Some(id) if (1..=256).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(id.into()))
        }
        Some(other) => {
            let message = format!(
                "found {}, allowed: up to 256 visible ASCII characters, no space, as upstreams are told it in a header",
                quoted(&other)
            );
            Err(Remark::new(format!("labels.{LABEL}"), message))
        }
    }
}

pub(crate) fn read_credential(
    key: &Key,
    value: &Value,
    warnings: &mut Vec<Remark>,
) -> Result<Credentials, Remark> {
    let (form, _) = bookkeeping::read::<CredentialForm>(key, value)?;
    let (credentials, others) = credential::read(Some(&form.plugins), warnings)?;
    match others.keys().next() {
        None => Ok(credentials),
        Some(name) => {
            let message = format!(
                "found {}, allowed: basic-auth, jwt-auth, key-auth; others belong to the consumer",
                quoted(name)
            );
            Err(Remark::new("plugins", message))
        }
    }
}

/// The plugins of a group, as they are written.
pub(crate) fn read_group(key: &Key, value: &Value) -> Result<Map<String, Value>, Remark> {
    let (form, _) = bookkeeping::read::<GroupForm>(key, value)?;
    Ok(form.plugins)
}
