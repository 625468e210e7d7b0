//! What a proxy asks of a request, and what it is answered.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use crate::model::shared_limit::{BUCKET, ENDED, How, KEY, SharedLimit};

/// How many limits a question has at most: as many as a request can be under.
const MOST: usize = 16;

/// A limit, and whose requests it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub limit: SharedLimit,
    pub key: String,
}

impl Asked {
    /// Whether the request is counted until it ends.
    pub fn is_flying(&self) -> bool {
        matches!(self.limit.how, How::Flying { .. })
    }
}

/// A request that is counted until it ends: what the proxy is told when it begins, and says when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    pub redis: String,
    /// By which it is known among those of its key.
    pub own: u64,
    /// As Redis has it.
    pub key: String,
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.redis, self.own, self.key)
    }
}

impl FromStr for Flight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.splitn(3, ' ');
        let mut next = || words.next().ok_or("no request that has begun");
        let (redis, own, key) = (next()?.to_owned(), next()?, next()?.to_owned());
        let own = own.parse().map_err(|_| "no number of a request")?;
        Ok(Self { redis, own, key })
    }
}

/// The requests of which a question says that they have ended, if it is about such.
pub fn ended(request: &RateLimitRequest) -> Result<Vec<Flight>, String> {
    let entries = request.descriptors.iter().flat_map(|one| &one.entries);
    let ended = entries.filter(|entry| entry.key == ENDED);
    let each = ended.flat_map(|entry| entry.value.lines().take(MOST));
    each.take(MOST).map(str::parse).collect()
}

/// What is to be counted. A request carries all its limits; those that another filter asks about, or that lie in the proxy
/// itself, begin with another name than the question.
pub fn limits(request: &RateLimitRequest) -> Result<Vec<Asked>, String> {
    if request.descriptors.len() > MOST {
        let found = request.descriptors.len();
        return Err(format!(
            "found {found} descriptors, allowed: at most {MOST}"
        ));
    }
    let mut asked = Vec::new();
    let of_requests = request.descriptors.iter();
    let of_requests = of_requests.filter(|one| one.entries.iter().all(|entry| entry.key != ENDED));
    for descriptor in of_requests {
        let value = |key: &str| {
            let mut entries = descriptor.entries.iter();
            entries
                .find(|entry| entry.key == key)
                .map(|entry| &*entry.value)
        };
        let (Some(bucket), Some(key)) = (value(BUCKET), value(KEY)) else {
            return Err(format!("a descriptor has no {BUCKET:?} or no {KEY:?}"));
        };
        let own = bucket.strip_prefix(&*request.domain);
        let Some(text) = own.and_then(|rest| rest.strip_prefix(' ')) else {
            continue;
        };
        let limit = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        asked.push(Asked {
            limit,
            key: key.to_owned(),
        });
    }
    Ok(asked)
}

/// What Redis said of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub passes: bool,
    /// How many more requests pass.
    pub left: u64,
    /// When the count is another one by itself.
    pub millis: u64,
}

/// What the proxy is told.
#[derive(Debug, Default)]
pub struct Answer {
    over: bool,
    /// Of the requests that are counted until they end.
    pub flights: Vec<Flight>,
    statuses: Vec<DescriptorStatus>,
    headers: Vec<HeaderValue>,
}

impl Answer {
    /// Tells whether the request is still to be counted by others.
    pub fn add(&mut self, asked: &Asked, counted: Counted) -> bool {
        self.over |= !counted.passes;
        self.statuses.push(DescriptorStatus {
            code: code(!counted.passes).into(),
            limit_remaining: u32::try_from(counted.left).unwrap_or(u32::MAX),
            ..DescriptorStatus::default()
        });
        let told = asked.limit.told.as_ref();
        if let Some(told) = told.filter(|told| !told.beyond || !counted.passes) {
            let name = |end: &str| match told.prefix.as_str() {
                "" => format!("X-RateLimit-{end}"),
                prefix => format!("X-{prefix}-RateLimit-{end}"),
            };
            let most = match asked.limit.how {
                How::Fixed { count, .. } | How::Sliding { count, .. } => count,
                How::Leaky { burst, .. } => burst,
                How::Flying { most, .. } => most,
            };
            let told = [
                ("Limit", most.into()),
                ("Remaining", counted.left),
                ("Reset", counted.millis.div_ceil(1000)),
            ];
            let headers = told.map(|(end, value): (_, u64)| HeaderValue {
                key: name(end),
                value: value.to_string(),
                ..HeaderValue::default()
            });
            // Of several limits with the same headers the last has the word.
            self.headers
                .retain(|one| headers.iter().all(|other| other.key != one.key));
            self.headers.extend(headers);
        }
        counted.passes
    }

    /// What the proxy is told; what it has to say at the end stands under the question's domain.
    pub fn response(self, domain: &str) -> RateLimitResponse {
        let flights: Vec<_> = self.flights.iter().map(ToString::to_string).collect();
        let told = || Struct {
            fields: HashMap::from([(domain.to_owned(), text(flights.join("\n")))]),
        };
        RateLimitResponse {
            dynamic_metadata: (!flights.is_empty()).then(told),
            overall_code: code(self.over).into(),
            statuses: self.statuses,
            response_headers_to_add: self.headers,
            ..RateLimitResponse::default()
        }
    }
}

fn text(text: String) -> Value {
    Value {
        kind: Some(Kind::StringValue(text)),
    }
}

fn code(over: bool) -> Code {
    if over { Code::OverLimit } else { Code::Ok }
}

#[cfg(test)]
mod tests;
