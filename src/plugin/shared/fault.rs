//! Envoy's filter of faults, in the terms of the plugins that delay answers or break them off.

use std::time::Duration;

use envoy_types::pb::envoy::extensions::filters::common::fault::v3::{
    FaultDelay, fault_delay::FaultDelaySecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

use super::share;
use crate::envoy::filter;
use crate::envoy::proto::exactly;

/// The filter in the chain of every listener.
pub fn disabled(name: &str) -> HttpFilter {
    filter::disabled(name, &HttpFault::default())
}

/// Holds requests up, that many of a million.
pub fn delay(duration: Duration, millionths: u32) -> HttpFault {
    HttpFault {
        delay: Some(FaultDelay {
            percentage: Some(share::of(millionths)),
            fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(exactly(duration))),
        }),
        ..quiet()
    }
}

/// A fault without statistics for each name that clients give themselves.
pub fn quiet() -> HttpFault {
    HttpFault {
        disable_downstream_cluster_stats: true,
        ..HttpFault::default()
    }
}
