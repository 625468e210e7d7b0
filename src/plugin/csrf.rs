//! `csrf`: a request that changes something must come from a page of the host it goes to. Envoy compares the origin where
//! APISIX compares tokens.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::share;
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FILTER: &str = "chancery.csrf";

pub(super) const ENTRY: Definition = Definition {
    name: "csrf",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[("", "compares the origin, not tokens")],
    http_filters: || vec![filter::disabled(FILTER, &policy())],
};

/// Refuses requests that change something unless they come from a page of the same host.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "Envoy has no use for them, which is told")]
struct Form {
    /// What tokens are signed with.
    key: String,
    /// How many seconds a token holds.
    expires: Option<i64>,
    /// The cookie and the header that hold the token.
    name: Option<String>,
}

impl decode::Form for Form {}

#[derive(Debug)]
struct Csrf;

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    decode::read::<Form>(value)?;
    reading.warnings.push(Remark::whole(
        "has no tokens in Envoy, so its fields have no effect: a POST, PUT, PATCH or DELETE is answered with 403 unless its \
         `Origin`, or else its `Referer`, is of the host that it goes to",
    ));
    Ok(Arc::new(Csrf))
}

/// For all requests.
fn policy() -> CsrfPolicy {
    CsrfPolicy {
        filter_enabled: Some(share::fixed(share::ALL)),
        ..CsrfPolicy::default()
    }
}

impl Plugin for Csrf {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        filter::enable(route, FILTER, &policy());
    }
}

#[cfg(test)]
mod tests;
