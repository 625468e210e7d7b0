//! What a proxy asks of a request, and what it is answered.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};

use crate::model::shared_limit::{BUCKET, How, KEY, SharedLimit};

/// How many limits a question has at most: as many as a request can be under.
const MOST: usize = 16;

/// A limit, and whose requests it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub limit: SharedLimit,
    pub key: String,
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
    for descriptor in &request.descriptors {
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
        if let Some(prefix) = &asked.limit.told {
            let name = |end: &str| match prefix.as_str() {
                "" => format!("X-RateLimit-{end}"),
                prefix => format!("X-{prefix}-RateLimit-{end}"),
            };
            let most = match asked.limit.how {
                How::Fixed { count, .. } | How::Sliding { count, .. } => count,
                How::Leaky { burst, .. } => burst,
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
            self.headers.extend(headers);
        }
        counted.passes
    }

    pub fn response(self) -> RateLimitResponse {
        RateLimitResponse {
            overall_code: code(self.over).into(),
            statuses: self.statuses,
            response_headers_to_add: self.headers,
            ..RateLimitResponse::default()
        }
    }
}

fn code(over: bool) -> Code {
    if over { Code::OverLimit } else { Code::Ok }
}

#[cfg(test)]
mod tests;
