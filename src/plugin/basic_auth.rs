//! `basic-auth`: only consumers pass, known by a name and a password.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::identity::{self, BASIC, Extension, NOBODY, UNKNOWN};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "basic-auth",
    read,
    schema: schema::<Form>,
    http_filters: || {
        vec![
            Extension::Basics.filter(),
            Extension::BasicConsumers.filter(),
        ]
    },
};

/// Why Envoy turns a request away, and what its sender is told.
pub(super) const REASONS: [(&str, &str); 2] = [
    (
        "no_credential_for_basic_auth",
        "Missing authorization in request",
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
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("anonymous_consumer", identity::ANONYMOUS),
        (
            "realm",
            "the realm that Envoy names is the URL of the request",
        ),
    ];
}

#[derive(Debug)]
struct BasicAuth {
    hide_credentials: bool,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let Form { hide_credentials } = decode::read(value)?;
    Ok(Arc::new(BasicAuth { hide_credentials }))
}

impl Plugin for BasicAuth {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        Extension::Basics.enable(route);
        Extension::BasicConsumers.enable(route);
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, UNKNOWN, "Invalid user authorization");
        for (reason, message) in REASONS {
            identity::say(route, reason, message);
        }
        let removed = &mut route.request_headers_to_remove;
        removed.push(BASIC.to_owned());
        if self.hide_credentials {
            removed.push("authorization".to_owned());
        }
    }
}
