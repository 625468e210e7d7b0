//! How a cluster chooses an instance.

use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    LbConfig, LbPolicy, LeastRequestLbConfig, RoundRobinLbConfig, SlowStartConfig,
};
use envoy_types::pb::envoy::config::core::v3::RuntimeDouble;
use envoy_types::pb::envoy::r#type::v3::Percent;

use crate::envoy::proto::duration;
use crate::model::Upstream;
use crate::model::upstream::{Balancer, HashAlgorithm, SlowStart};

pub(super) fn policy(balancer: &Balancer) -> LbPolicy {
    match balancer {
        Balancer::RoundRobin => LbPolicy::RoundRobin,
        Balancer::LeastConnections => LbPolicy::LeastRequest,
        Balancer::Hash(hash) => match hash.algorithm {
            HashAlgorithm::RingHash => LbPolicy::RingHash,
            HashAlgorithm::Maglev => LbPolicy::Maglev,
        },
    }
}

/// What the policy does not do by itself: a slow start.
pub(super) fn config(upstream: &Upstream) -> Option<LbConfig> {
    let slow_start_config = Some(slow_start(upstream.slow_start?));
    match &upstream.balancer {
        Balancer::RoundRobin => Some(LbConfig::RoundRobinLbConfig(RoundRobinLbConfig {
            slow_start_config,
        })),
        Balancer::LeastConnections => Some(LbConfig::LeastRequestLbConfig(LeastRequestLbConfig {
            slow_start_config,
            ..LeastRequestLbConfig::default()
        })),
        Balancer::Hash(_) => None,
    }
}

fn slow_start(slow_start: SlowStart) -> SlowStartConfig {
    SlowStartConfig {
        slow_start_window: Some(duration(slow_start.window)),
        aggression: Some(RuntimeDouble {
            default_value: f64::from(slow_start.aggression) / 1000.0,
            // Envoy wants a name under which its operator could override the value.
            runtime_key: "chancery.slow_start.aggression".to_owned(),
        }),
        min_weight_percent: Some(Percent {
            value: slow_start.min_weight_percent.into(),
        }),
    }
}
