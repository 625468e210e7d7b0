//! The filters that have a service count, for all proxies of a gateway together. They stand only in the chains of gateways that
//! name one.

use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::RateLimit;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use prost::Name;

use crate::envoy::filter;

/// Such a filter. The service tells what it is asked for by which filter by the filter's name: requests carry the limits of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Whether requests pass while nobody counts.
    pub open: bool,
    /// Whether it is that of global rules.
    pub of_rules: bool,
}

impl Service {
    pub const ALL: [Self; 4] = [
        Self {
            open: false,
            of_rules: false,
        },
        Self {
            open: true,
            of_rules: false,
        },
        Self {
            open: false,
            of_rules: true,
        },
        Self {
            open: true,
            of_rules: true,
        },
    ];

    /// The name of the filter of routes.
    pub fn of_routes(self) -> &'static str {
        if self.open {
            "chancery.limit.redis.open"
        } else {
            "chancery.limit.redis"
        }
    }

    pub fn name(self) -> String {
        if self.of_rules {
            filter::of_rules(self.of_routes())
        } else {
            self.of_routes().to_owned()
        }
    }

    /// The place of one in the chain, and which one it is.
    pub fn of(filter: &HttpFilter) -> Option<Self> {
        let is_one = match &filter.config_type {
            Some(ConfigType::TypedConfig(config)) => config.type_url == RateLimit::type_url(),
            _ => false,
        };
        let mut all = Self::ALL.into_iter().filter(|_| is_one);
        all.find(|one| one.name() == filter.name)
    }
}

/// The places of both in the chain.
pub fn places() -> impl Iterator<Item = HttpFilter> {
    let both = Service::ALL.into_iter().filter(|one| !one.of_rules);
    both.map(|one| filter::disabled(one.of_routes(), &RateLimit::default()))
}
