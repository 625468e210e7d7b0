//! A cluster's breaker as outlier detection: an instance that answers with errors gets no requests for a while, and when none
//! is left, Envoy answers 503.

use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::OutlierDetection;

use crate::envoy::proto::{boolean, duration, uint32};
use crate::model::upstream::Breaker;

/// How long an instance is left alone the first time; each further time adds as much.
const FIRST: Duration = Duration::from_secs(2);

pub(super) fn outlier_detection(breaker: &Breaker) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: Some(uint32(breaker.failures)),
        // How exactly it is asked again in time.
        interval: Some(duration(Duration::from_secs(1))),
        base_ejection_time: Some(duration(FIRST.min(breaker.longest))),
        max_ejection_time: Some(duration(breaker.longest)),
        max_ejection_percent: Some(uint32(100)),
        // Nobody asked for these.
        enforcing_success_rate: Some(uint32(0)),
        successful_active_health_check_uneject_host: Some(boolean(false)),
        ..OutlierDetection::default()
    }
}
