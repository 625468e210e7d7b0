//! A gateway as it is written.

use std::net::{IpAddr, Ipv4Addr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::super::decode::{self, quoted};
use super::super::key::{Id, Key};
use super::super::problem::Remark;
use super::super::scalar::{Labels, Port, Timestamp, same_id};
use super::{Gateway, Listener};

/// The fields. Those with `_` are checked and kept in the store; nothing here reads them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    id: Option<Id>,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "desc")]
    _desc: Option<String>,
    #[serde(rename = "labels")]
    _labels: Option<Labels>,
    #[serde(rename = "create_time")]
    _create_time: Option<Timestamp>,
    #[serde(rename = "update_time")]
    _update_time: Option<Timestamp>,
    #[schemars(with = "Vec<ListenerForm>")]
    listeners: Vec<Value>,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] =
        &["access_log", "admission", "http", "real_ip", "tracing"];
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct ListenerForm {
    name: Id,
    address: Option<Address>,
    port: Port,
    #[serde(default, rename = "protocol")]
    _protocol: Protocol,
}

impl decode::Form for ListenerForm {
    const NOT_SERVED: &'static [&'static str] = &["http3", "proxy_protocol"];
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Address(IpAddr);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("found {}, allowed: an IP address", quoted(&text)))
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    #[default]
    Http,
}

/// The schema of the fields.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Schema {
    Form::json_schema(generator)
}

/// Reads and checks the document `key`.
pub(crate) fn read(key: &Key, value: &Value) -> Result<Gateway, Remark> {
    let form: Form = decode::read(value)?;
    same_id(form.id.as_ref(), &key.id)?;
    if form.listeners.is_empty() {
        let message = "found an empty list, allowed: at least one";
        return Err(Remark::new("listeners", message));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for (at, value) in form.listeners.iter().enumerate() {
        let listener = listener(value, &listeners)
            .map_err(|remark| remark.under(&format!("listeners[{at}]")))?;
        listeners.push(listener);
    }
    Ok(Gateway {
        id: key.id.clone(),
        listeners,
    })
}

fn listener(value: &Value, before: &[Listener]) -> Result<Listener, Remark> {
    let form: ListenerForm = decode::read(value)?;
    let listener = Listener {
        name: form.name.to_string(),
        address: form
            .address
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0),
        port: form.port.0,
    };
    if before.iter().any(|other| other.name == listener.name) {
        let message = format!("found \"{}\" a second time, allowed: once", listener.name);
        return Err(Remark::new("name", message));
    }
    if let Some(other) = before
        .iter()
        .find(|other| (other.address, other.port) == (listener.address, listener.port))
    {
        let message = format!(
            "found {}, which listener \"{}\" has at the same address",
            listener.port, other.name
        );
        return Err(Remark::new("port", message));
    }
    Ok(listener)
}
