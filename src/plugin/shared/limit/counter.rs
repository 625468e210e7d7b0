//! The filters that count, which all routes share, and what these are asked.
//!
//! Counts lie in a filter, so it is configured once, by its name: neither routes that change nor how many hosts and paths a
//! document has touch them. A route says by headers how many of whose requests pass: a filter before puts them there, and
//! nobody sees them behind. A header, as any Envoy counts by one, and takes its value from a format string.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use prost::Name;

use super::{ANSWERED, service};
use crate::envoy::filter;
use crate::plugin::shared::script;

/// How many limits a request can be under. Filters look at as many headers.
pub const SLOTS: usize = 8;

/// The status of an answer for want of a token.
pub const STATUS: &str = "x-chancery-limit-status";

/// Which limit a request is under, by the number of a slot.
pub fn bucket_header(slot: usize) -> String {
    format!("x-chancery-limit-{slot}")
}

/// What is counted together.
pub fn key_header(slot: usize) -> String {
    format!("x-chancery-limit-{slot}-key")
}

/// What the key is made of, where there is any of it: without, the limit is not asked.
pub fn from_header(slot: usize) -> String {
    format!("x-chancery-limit-{slot}-from")
}

/// A filter that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    pub of: Of,
    /// Whether it is that of global rules.
    pub of_rules: bool,
}

/// What a filter counts for: requests pass one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// `limit-count` that tells clients what is left.
    Told,
    /// `limit-count` that does not.
    Untold,
    /// `limit-req`
    Rate,
}

impl Of {
    const ALL: [Self; 3] = [Self::Told, Self::Untold, Self::Rate];

    /// The name of the filter.
    pub fn name(self) -> &'static str {
        match self {
            Self::Told => "chancery.limit-count.told",
            Self::Untold => "chancery.limit-count",
            Self::Rate => "chancery.limit-req",
        }
    }

    /// The name of the filter that puts the headers there.
    pub fn keys(self) -> &'static str {
        match self {
            Self::Told | Self::Untold => "chancery.limit-count.keys",
            Self::Rate => "chancery.limit-req.keys",
        }
    }
}

impl Counter {
    pub fn all() -> impl Iterator<Item = Self> {
        let both = |of| [false, true].map(|of_rules| Self { of, of_rules });
        Of::ALL.into_iter().flat_map(both)
    }

    /// The name of the filter, which is that of its configuration.
    pub fn name(self) -> String {
        let of_routes = self.of.name();
        if self.of_rules {
            filter::of_rules(of_routes)
        } else {
            of_routes.to_owned()
        }
    }
}

/// The filters of a plugin in the chain: that which puts the headers there, and those which count.
pub fn filters(of: &[Of]) -> Vec<HttpFilter> {
    let keys = of.iter().take(1);
    let keys = keys.map(|of| filter::disabled(of.keys(), &HeaderMutation::default()));
    let counters = of.iter();
    let counters = counters.map(|of| filter::discovered(of.name(), LocalRateLimit::type_url()));
    // Requests pass these behind all that say what is to be counted.
    let services = of.iter().filter(|of| **of == Of::Rate);
    let services = services.flat_map(|_| service::places().chain([script::discovered(ANSWERED)]));
    keys.chain(counters).chain(services).collect()
}

/// How many requests of a key pass: what a filter is told before any route asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    pub counter: Counter,
    /// How many requests pass at once when none came before.
    pub burst: u32,
    /// How many a key gets back in which time; never zero.
    pub refill: (u32, Duration),
}

impl Bucket {
    /// What routes call it: the same of equal buckets, and no other's of any filter.
    pub fn name(&self) -> String {
        let (tokens, interval) = self.refill;
        let nanos = interval.as_nanos();
        format!("{} {} {tokens}/{nanos}ns", self.counter.name(), self.burst)
    }
}
