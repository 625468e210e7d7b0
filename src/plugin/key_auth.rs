//! `key-auth`: only consumers pass, known by a key that they send.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::api_key_auth::v3::{
    ApiKeyAuthPerRoute, Forwarding, KeySource,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::header;
use super::shared::identity::{self, CONSUMER, Extension, MISSING, NOBODY, UNKNOWN};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "key-auth",
    read,
    schema: schema::<Form>,
    http_filters: || vec![Extension::Keys.filter()],
};

/// Only known consumers pass, by a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The header that the key comes in.
    #[serde(default = "apikey")]
    header: String,
    /// The argument of the query that it comes in where there is no such header.
    #[serde(default = "apikey")]
    query: String,
    /// Whether the upstream is not shown the key.
    #[serde(default)]
    hide_credentials: bool,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("anonymous_consumer", identity::ANONYMOUS),
        ("realm", "Envoy answers without `WWW-Authenticate`"),
    ];
}

fn apikey() -> String {
    "apikey".to_owned()
}

#[derive(Debug)]
struct KeyAuth(Form);

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let mut form: Form = decode::read(value)?;
    form.header = header::changeable(&form.header).map_err(|said| Remark::new("header", said))?;
    identity::argument(&form.query).map_err(|said| Remark::new("query", said))?;
    Ok(Arc::new(KeyAuth(form)))
}

impl Plugin for KeyAuth {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let Self(form) = self;
        let header = KeySource {
            header: form.header.clone(),
            ..KeySource::default()
        };
        let query = KeySource {
            query: form.query.clone(),
            ..KeySource::default()
        };
        let config = ApiKeyAuthPerRoute {
            key_sources: vec![header, query],
            forwarding: Some(Forwarding {
                header: CONSUMER.to_owned(),
                hide_credentials: form.hide_credentials,
            }),
            ..ApiKeyAuthPerRoute::default()
        };
        filter::enable(route, Extension::Keys.of_routes(), &config);
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, MISSING, "Missing API key in request");
        identity::say(route, UNKNOWN, "Invalid API key in request");
    }
}
