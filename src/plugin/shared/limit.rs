//! What the plugins share that bound how many requests pass: a token bucket per key, kept by Envoy's local rate limit, or a
//! count in Redis, for which Envoy asks a service.

mod answered;
mod counter;
mod key;
mod last;
mod redis;
mod service;

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use envoy_types::pb::envoy::r#type::v3::StatusCode;
use prost::Message;
use schemars::JsonSchema;
use serde::Deserialize;

use super::asked::Asked;
use super::header;
use super::metadata::{Metadata, Quota};
use super::reply;
use super::variable;
use crate::envoy::filter;
use crate::model::key::{Key, Kind};
use crate::model::problem::Remark;
use crate::model::shared_limit::{How, SharedLimit, Told};
use crate::model::upstream::Cluster;
use crate::plugin::contract::{Helper, Plugin};

pub use answered::{ANSWERED, cluster as nobody, counted};
pub use counter::{
    Bucket, Counter, Of, SLOTS, STATUS, bucket_header, filters, from_header, key_header,
};
pub use key::{KeyType, LimitKey};
pub use redis::{schema, split, with_not_read};
pub use service::Service;

/// What Envoy calls the reason of its answer, and the name of the answer's body.
pub const DETAILS: &str = "local_rate_limited";
/// The same where a service counted.
pub const DETAILS_OF_SERVICE: &str = "request_rate_limited";

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

impl Code {
    /// The status of filters that count, as a configuration says one for all: that of a plugin which does not say.
    pub fn of_filters() -> u32 {
        StatusCode::ServiceUnavailable as u32
    }

    /// All others.
    pub fn others() -> impl Iterator<Item = u32> {
        let all = (400..600).filter(|code| *code != 503);
        all.filter(|code| StatusCode::try_from(*code).is_ok())
            .map(i32::unsigned_abs)
    }
}

/// Bounds on requests, and the plugin that sets them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The plugin, by the filter of its own that counts.
    pub of: Of,
    /// Where the counts lie, if not in each proxy, and whether requests pass while nobody counts.
    pub redis: Option<(String, bool)>,
    /// Whose requests are counted together beyond a route's: nothing where each route's are counted apart.
    pub shared: Option<String>,
    /// Whether it stands in a global rule.
    pub of_rules: bool,
    pub each: Vec<Limit>,
    /// The status of requests beyond one of them.
    pub code: Code,
    /// Their body.
    pub body: String,
    /// What the headers are called that tell of it.
    pub names: Quota,
}

/// A bound on requests.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Requests of the same key have a bucket of their own.
    pub key: LimitKey,
    /// Whether the address is the key of requests that have nothing which the key is made of; others are not counted.
    pub by_address: bool,
    /// How Redis counts, where it does.
    pub how: How,
    /// What the headers begin with by which Redis' count is told; nothing where it is not.
    pub told: Option<String>,
    pub burst: u32,
    pub refill: (u32, std::time::Duration),
}

/// Where a plugin stands: what its counts are shared by, and whether it is a global rule.
pub fn place(key: &Key, group: Option<&str>) -> (Option<String>, bool) {
    let of_rules = key.kind == Kind::GlobalRule;
    let shared = match group {
        Some(group) => Some(format!("group/{group}")),
        // A consumer's are counted over all routes, and a group's over all of its consumers.
        None if matches!(key.kind, Kind::Consumer | Kind::ConsumerGroup) => Some(key.to_string()),
        None => of_rules.then(|| key.to_string()),
    };
    (shared, of_rules)
}

/// Whether a filter counts, or has somebody count.
pub fn counts(filter: &str) -> bool {
    Counter::all().any(|one| one.name() == filter)
        || Service::ALL.iter().any(|one| one.name() == filter)
}

/// What to know of a limit whatever it says.
pub fn warning() -> Remark {
    Remark::whole(
        "each Envoy counts by itself, and for each of its ports and `ssls` apart; counts start anew when a limit of other \
         numbers than all others comes or goes",
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

impl Plugin for Limits {
    fn asked(&self) -> Vec<Asked> {
        let each = self.each.iter().filter(|_| self.redis.is_none());
        each.map(|limit| Asked::Limit(self.bucket(limit))).collect()
    }

    fn limits(&self) -> usize {
        self.each.len()
    }

    fn helper(&self) -> Option<Helper> {
        self.redis.as_ref().map(|_| Helper::Counts)
    }

    fn runs(&self) -> Vec<&'static str> {
        self.redis.iter().map(|_| ANSWERED).collect()
    }

    fn asks_for_metadata(&self) -> bool {
        self.tells()
    }

    fn with_metadata(&self, metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        Some(Arc::new(Self {
            names: metadata.quota.clone(),
            ..self.clone()
        }))
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let prefixes = self.each.iter().filter_map(|limit| limit.told.as_deref());
        let prefixes = prefixes.filter(|_| self.of == Of::Told);
        last::give_way(route, &prefixes.collect::<BTreeSet<_>>());
        let mut mutations = Vec::new();
        for limit in &self.each {
            mutations.extend(self.headers(limit, route));
        }
        let code = self.code.0 as i32;
        mutations.push(header::mutation(header::set(STATUS, &code.to_string())));
        hide(route, STATUS.to_owned());
        let names = if self.tells() {
            self.renamed()
        } else {
            Vec::new()
        };
        say(route, self.of.keys(), mutations, names);
        match self.service() {
            Some(service) => filter::enable_as_it_is(route, service.of_routes()),
            None => filter::enable_as_it_is(route, self.of.name()),
        }
        reply::set_body(route, DETAILS, &self.body);
    }
}

/// The headers that tell of a limit, as filters write them.
pub const QUOTA: [&str; 3] = [
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

impl Limits {
    /// Whether headers without a prefix tell of a limit.
    fn tells(&self) -> bool {
        let plain = |limit: &Limit| limit.told.as_ref().is_some_and(String::is_empty);
        self.of == Of::Told && self.each.iter().any(plain)
    }

    /// Gives these headers other names. The filter that does it has the request before those that count, and the answer behind them.
    fn renamed(&self) -> Vec<Mutation> {
        let other = QUOTA.into_iter().zip(&self.names);
        let other = other.filter_map(|(usual, name)| Some((usual, name.as_ref()?)));
        let other: Vec<_> = other.filter(|(usual, name)| usual != name).collect();
        let copied = other.iter().map(|(usual, name)| {
            let value = format!("%RESP({usual})%");
            header::mutation(header::set(name, &value))
        });
        let removed = other.iter().map(|(usual, _)| header::removal(usual));
        copied.chain(removed).collect()
    }

    fn service(&self) -> Option<Service> {
        let (_, open) = self.redis.as_ref()?;
        Some(Service {
            open: *open,
            of_rules: self.of_rules,
        })
    }

    /// What filters know a limit by.
    fn name(&self, limit: &Limit) -> String {
        match (self.service(), &self.redis) {
            (Some(service), Some((redis, _))) => {
                let limit = SharedLimit {
                    how: limit.how,
                    redis: redis.clone(),
                    told: limit.told.clone().map(|prefix| Told {
                        prefix,
                        beyond: false,
                    }),
                };
                format!("{} {limit}", service.name())
            }
            _ => self.bucket(limit).name(),
        }
    }

    fn bucket(&self, limit: &Limit) -> Bucket {
        Bucket {
            counter: Counter {
                of: self.of,
                of_rules: self.of_rules,
            },
            burst: limit.burst,
            refill: limit.refill,
        }
    }

    /// The headers of the next slot, of those that neither this nor a global rule has taken.
    fn headers(&self, limit: &Limit, route: &mut Route) -> Vec<Mutation> {
        let is_taken = |slot: &usize| {
            route
                .request_headers_to_remove
                .contains(&bucket_header(*slot))
        };
        let slot = (1..).find(|slot| !is_taken(slot)).unwrap_or(1);
        let (bucket, key, from) = (bucket_header(slot), key_header(slot), from_header(slot));
        let shared = variable::literal(self.shared.as_ref().unwrap_or(&route.name));
        let mut headers = vec![header::set(&bucket, &variable::literal(&self.name(limit)))];
        let of = match &limit.key.from {
            None => {
                headers.push(header::set(&from, "all"));
                format!("{shared}|{}", limit.key.format)
            }
            Some(some) => {
                // Envoy adds no header without a value.
                headers.extend((!some.is_empty()).then(|| header::default(&from, some)));
                if limit.by_address {
                    headers.push(header::default(&from, key::ADDRESS));
                }
                format!("{shared}|{}|%REQ({from})%", limit.key.format)
            }
        };
        headers.push(header::set(&key, &of));
        for name in [bucket, key, from] {
            hide(route, name);
        }
        headers.into_iter().map(header::mutation).collect()
    }
}

/// Upstreams do not see it.
fn hide(route: &mut Route, header: String) {
    let hidden = &mut route.request_headers_to_remove;
    if !hidden.contains(&header) {
        hidden.push(header);
    }
}

/// Adds to what a filter does to the headers of requests. The status is that of the plugin that goes first, as the body is.
fn say(route: &mut Route, filter: &str, more: Vec<Mutation>, of_answers: Vec<Mutation>) {
    let before = route.typed_per_filter_config.get(filter);
    let before = before.and_then(|config| HeaderMutationPerRoute::decode(&*config.value).ok());
    let mut mutations = before
        .and_then(|before| before.mutations)
        .unwrap_or_default();
    let is_status = |one: &Mutation| header::appended(one) == Some(STATUS);
    let has_status = mutations.request_mutations.iter().any(is_status);
    let more = more.into_iter();
    let more = more.filter(|one| !(has_status && is_status(one)));
    mutations.request_mutations.extend(more);
    mutations.response_mutations.extend(of_answers);
    let config = HeaderMutationPerRoute {
        mutations: Some(mutations),
    };
    filter::enable(route, filter, &config);
}
