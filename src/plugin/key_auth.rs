//! `key-auth`: only consumers pass, known by a key that they send.
//!
//! The filter of keys looks at one header, where another filter puts what a route means by a key. Envoy says in its log whenever
//! it is told more of that filter, and routes are told to it often.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::identity::{
    self, Extension, KEY, KEY_CHALLENGE, MISSING, NOBODY, Realm, Turn, UNKNOWN,
};
use super::shared::{header, reply, script};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FIND: &str = "chancery.key_auth.find";
const HIDE: &str = "chancery.key_auth.hide";

pub(super) const ENTRY: Definition = Definition {
    name: "key-auth",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "",
        "consumers are known by their keys, as APISIX knows them, and hold for all gateways",
    )],
    http_filters,
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
    /// What clients without a key are told that it is for.
    #[serde(default = "realm")]
    realm: Realm,
    /// The consumer that strangers are. Without one they are turned away.
    anonymous_consumer: Option<Id>,
}

impl decode::Form for Form {}

fn realm() -> Realm {
    Realm::new("key")
}

fn apikey() -> String {
    "apikey".to_owned()
}

fn http_filters() -> Vec<HttpFilter> {
    vec![
        filter::disabled(FIND, &HeaderMutation::default()),
        Extension::Keys.filter(),
        Extension::KeysOrElse.filter(),
        // Behind the last of the filters that find a consumer.
        identity::told(),
        // And of what has a route be chosen anew, which may ask for the argument.
        script::discovered(HIDE),
    ]
}

#[derive(Debug)]
pub(super) struct KeyAuth(Form);

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    Ok(Arc::new(KeyAuth::read(value)?))
}

impl KeyAuth {
    pub(super) fn read(value: &Value) -> Result<Self, Remark> {
        let mut form: Form = decode::read(value)?;
        form.header =
            header::changeable(&form.header).map_err(|said| Remark::new("header", said))?;
        identity::argument(&form.query).map_err(|said| Remark::new("query", said))?;
        Ok(Self(form))
    }

    pub(super) fn anonymous(&self) -> Option<&Id> {
        self.0.anonymous_consumer.as_ref()
    }

    /// What clients without a key are told in `WWW-Authenticate`.
    pub(super) fn challenge(&self) -> String {
        self.0.realm.challenge("apikey")
    }

    /// Looks for a consumer, as one of several.
    pub(super) fn apply_in_turn(&self, route: &mut Route, turn: &Turn) {
        self.look(route);
        Extension::KeysOrElse.enable_in_turn(route, turn);
    }

    /// Has the key be found, and its consumer be told.
    fn look(&self, route: &mut Route) {
        filter::enable(route, FIND, &self.find());
        if self.0.hide_credentials {
            script::enable(route, HIDE, &self.hidden());
        }
        identity::tell(route);
    }

    /// The header wins over the argument.
    fn find(&self) -> HeaderMutationPerRoute {
        let Self(form) = self;
        let sources = [
            format!("%REQ({})%", form.header),
            format!("%QUERY_PARAM({})%", form.query),
        ];
        let key = |source: String| header::mutation(header::default(KEY, &source));
        HeaderMutationPerRoute {
            mutations: Some(Mutations {
                request_mutations: sources.map(key).into(),
                ..Mutations::default()
            }),
        }
    }

    /// Where the key is that upstreams are not shown.
    fn hidden(&self) -> Map<String, Value> {
        let Self(form) = self;
        let fields = [("header", &form.header), ("query", &form.query)];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.clone().into()));
        Map::from_iter(fields)
    }
}

impl Plugin for KeyAuth {
    fn welcomes_strangers(&self) -> bool {
        self.0.anonymous_consumer.is_some()
    }

    fn runs(&self) -> Vec<&'static str> {
        let hide = self.0.hide_credentials.then_some(HIDE);
        hide.into_iter().chain([identity::TOLD]).collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        self.look(route);
        match &self.0.anonymous_consumer {
            Some(anonymous) => Extension::KeysOrElse.enable_or_else(route, anonymous),
            None => Extension::Keys.enable(route),
        }
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, MISSING, "Missing API key in request");
        identity::say(route, UNKNOWN, "Invalid API key in request");
        reply::set_body(route, KEY_CHALLENGE, &self.challenge());
    }
}

#[cfg(test)]
mod tests;
