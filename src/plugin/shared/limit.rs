//! What the plugins share that bound how many requests pass: a token bucket per key, kept by Envoy's local rate limit.
//!
//! Envoy keeps the buckets with the route that it made of a document: one for each host and path on which the document's
//! route stands, empty again after the route table changed.

mod key;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, XRateLimitHeadersRfcVersion,
};
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, HttpStatus, StatusCode, TokenBucket};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::reply::{self, Reply};
use crate::cohort::Ability;
use crate::envoy::filter;
use crate::envoy::proto::{boolean, exactly, uint32};
use crate::model::decode::shown;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;
use crate::plugin::contract::Plugin;

pub use key::{KeyType, LimitKey};

/// How many keys are counted at a time; the one that was silent for the longest makes room for the next.
const KEYS: u32 = 100_000;

/// What Envoy calls the reason of its answer, and the name of the answer's body.
const DETAILS: &str = "local_rate_limited";

/// Where the counts lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    #[default]
    Local,
    Redis,
    RedisCluster,
}

impl Policy {
    pub fn checked(self) -> Result<(), Remark> {
        match self {
            Self::Local => Ok(()),
            Self::Redis | Self::RedisCluster => Err(in_redis("policy")),
        }
    }
}

/// Refuses the fields that tell of counts which several gateways share, whatever they say.
pub fn no_shared_counts(value: &Value) -> Result<(), Remark> {
    let mut fields = value.as_object().into_iter().flat_map(Map::keys);
    match fields.find(|name| name.starts_with("redis_")) {
        Some(name) => Err(in_redis(&shown(name))),
        None => Ok(()),
    }
}

fn in_redis(field: &str) -> Remark {
    let message =
        "found counts in Redis, allowed: `policy: local`, as Envoy keeps its counts itself";
    Remark::new(field, message)
}

/// The status of an answer for want of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
pub struct Code(#[schemars(with = "u16")] StatusCode);

impl Default for Code {
    fn default() -> Self {
        Self(StatusCode::ServiceUnavailable)
    }
}

impl TryFrom<i64> for Code {
    type Error = String;

    fn try_from(code: i64) -> Result<Self, String> {
        let of_errors = i32::try_from(code).ok().filter(|code| *code >= 400);
        let known = of_errors.and_then(|code| StatusCode::try_from(code).ok());
        known.map(Self).ok_or_else(|| {
            format!(
                "found {code}, allowed: a registered status of 400–599, as Envoy has no others here"
            )
        })
    }
}

/// A bound on requests, and the plugin that sets it.
#[derive(Debug)]
pub struct Limit {
    /// The plugin's name, which is its filter's.
    pub name: &'static str,
    /// Requests of the same key have a bucket of their own.
    pub key: LimitKey,
    /// How many requests of a key pass at once when none came before.
    pub burst: u32,
    /// How many tokens a key gets back in which time; never zero.
    pub refill: (u32, Duration),
    /// The status of the others.
    pub code: Code,
    /// The body of the others.
    pub body: String,
    /// Whether clients are told what is left.
    pub headers: bool,
}

pub fn filter(name: &str) -> HttpFilter {
    let nothing = LocalRateLimit {
        stat_prefix: name.to_owned(),
        ..LocalRateLimit::default()
    };
    filter::disabled(name, &nothing)
}

/// What to know of a limit whatever it says.
pub fn warning() -> Remark {
    Remark::whole(
        "counts for each of the route's hosts and paths on its own, and anew after any change of the gateway's routes: \
         Envoy keeps counts with the routes that it makes of a document",
    )
}

/// What to know of a text for those who are turned away.
pub fn warning_of_message() -> Remark {
    Remark::new(
        "rejected_msg",
        "is also what the other limits of the route say: Envoy does not tell the listener which of them it was; of several \
         messages that of the plugin with the highest priority counts",
    )
}

/// The answer of all these filters.
pub fn reply() -> Reply {
    Reply {
        details: DETAILS.to_owned(),
        status: None,
        body: DETAILS.to_owned(),
    }
}

impl Plugin for Limit {
    fn needs(&self) -> Vec<Ability> {
        let by_text = matches!(self.key, LimitKey::Variables { .. });
        let keys = by_text.then_some(Ability::LimitKeys);
        keys.into_iter().collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let bucket = self.bucket();
        let descriptors =
            self.key
                .descriptors()
                .into_iter()
                .map(|entries| LocalRateLimitDescriptor {
                    entries,
                    token_bucket: Some(bucket),
                    shadow_mode: false,
                });
        let headers = if self.headers {
            XRateLimitHeadersRfcVersion::DraftVersion03
        } else {
            XRateLimitHeadersRfcVersion::Off
        };
        let limit = LocalRateLimit {
            stat_prefix: self.name.to_owned(),
            status: Some(HttpStatus {
                code: self.code.0.into(),
            }),
            token_bucket: Some(bucket),
            filter_enabled: Some(always()),
            filter_enforced: Some(always()),
            descriptors: descriptors.collect(),
            rate_limits: self.key.rate_limits(),
            // The bucket without a key is for requests without one, which only a constant key has.
            always_consume_default_token_bucket: Some(boolean(false)),
            max_dynamic_descriptors: Some(uint32(KEYS)),
            enable_x_ratelimit_headers: headers.into(),
            ..LocalRateLimit::default()
        };
        filter::enable(route, self.name, &limit);
        reply::set_body(route, DETAILS, &self.body);
    }
}

impl Limit {
    fn bucket(&self) -> TokenBucket {
        let (tokens, interval) = self.refill;
        TokenBucket {
            max_tokens: self.burst,
            tokens_per_fill: Some(uint32(tokens)),
            fill_interval: Some(exactly(interval)),
        }
    }
}

fn always() -> RuntimeFractionalPercent {
    RuntimeFractionalPercent {
        default_value: Some(FractionalPercent {
            numerator: 100,
            ..FractionalPercent::default()
        }),
        ..RuntimeFractionalPercent::default()
    }
}
