//! `basic-auth`: only consumers pass, known by a name and a password.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::identity::{
    self, BASIC, BASIC_CHALLENGE, Extension, KEY_CHALLENGE, NOBODY, Realm, Turn, UNKNOWN,
};
use super::shared::reply;
use crate::model::decode;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "basic-auth",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "",
        "consumers are known by name and password, as APISIX knows them, and hold for all \
            gateways",
    )],
    http_filters: || {
        vec![
            Extension::Basics.filter(),
            Extension::BasicConsumers.filter(),
            Extension::BasicsOrElse.filter(),
        ]
    },
};

/// Why Envoy turns a request away, and what its sender is told.
pub(super) const REASONS: [(&str, &str); 4] = [
    (
        "no_credential_for_basic_auth",
        "Missing authorization in request",
    ),
    (
        "invalid_scheme_for_basic_auth",
        "Invalid authorization in request",
    ),
    (
        "invalid_format_for_basic_auth",
        "Invalid authorization in request",
    ),
    (
        "invalid_credential_for_basic_auth",
        "Invalid user authorization",
    ),
];

/// Only known consumers pass, by name and password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Whether the upstream is not shown the name and the password.
    #[serde(default)]
    hide_credentials: bool,
    /// What clients without a password are told that it is for.
    #[serde(default = "realm")]
    realm: Realm,
    /// The consumer that strangers are. Without one they are turned away.
    anonymous_consumer: Option<Id>,
}

impl decode::Form for Form {}

fn realm() -> Realm {
    Realm::new("basic")
}

#[derive(Debug)]
pub(super) struct BasicAuth {
    pub hide_credentials: bool,
    pub challenge: String,
    pub anonymous: Option<Id>,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    Ok(Arc::new(BasicAuth::read(value)?))
}

impl BasicAuth {
    pub(super) fn read(value: &Value) -> Result<Self, Remark> {
        let form: Form = decode::read(value)?;
        Ok(Self {
            hide_credentials: form.hide_credentials,
            challenge: form.realm.challenge("Basic"),
            anonymous: form.anonymous_consumer,
        })
    }

    /// Looks for a consumer, as one of several.
    pub(super) fn apply_in_turn(&self, route: &mut Route, turn: &Turn) {
        Extension::BasicsOrElse.enable_in_turn(route, turn);
        identity::tell(route);
    }
}

impl Plugin for BasicAuth {
    fn welcomes_strangers(&self) -> bool {
        self.anonymous.is_some()
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![identity::TOLD]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        match &self.anonymous {
            Some(anonymous) => Extension::BasicsOrElse.enable_or_else(route, anonymous),
            None => {
                Extension::Basics.enable(route);
                Extension::BasicConsumers.enable(route);
            }
        }
        identity::tell(route);
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, UNKNOWN, "Invalid user authorization");
        for (reason, message) in REASONS {
            identity::say(route, reason, message);
        }
        for name in [BASIC_CHALLENGE, KEY_CHALLENGE] {
            reply::set_body(route, name, &self.challenge);
        }
        let removed = &mut route.request_headers_to_remove;
        removed.push(BASIC.to_owned());
        if self.hide_credentials {
            removed.push("authorization".to_owned());
        }
    }
}
