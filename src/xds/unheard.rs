//! What proxies ask for and nobody serves, by names that are known before anybody asks: what comes from outside makes no
//! metric, and no log line twice.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Services that an Envoy may call, and types that it may ask for, besides those that are served.
const NAMES: [&str; 15] = [
    "envoy.config.core.v3.TypedExtensionConfig",
    "envoy.config.endpoint.v3.LbEndpoint",
    "envoy.config.route.v3.VirtualHost",
    "envoy.service.accesslog.v3.AccessLogService",
    "envoy.service.auth.v3.Authorization",
    "envoy.service.ext_proc.v3.ExternalProcessor",
    "envoy.service.health.v3.HealthDiscoveryService",
    "envoy.service.load_stats.v3.LoadReportingService",
    "envoy.service.metrics.v3.MetricsService",
    "envoy.service.ratelimit.v3.RateLimitService",
    "envoy.service.route.v3.VirtualHostDiscoveryService",
    "envoy.service.runtime.v3.Runtime",
    "envoy.service.runtime.v3.RuntimeDiscoveryService",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "opentelemetry.proto.collector.trace.v1.TraceService",
];
/// All others.
const OTHER: &str = "other";

/// The name of a service, by the path of a call of it.
pub fn service(path: &str) -> &'static str {
    let name = path
        .strip_prefix('/')
        .and_then(|rest| rest.split('/').next());
    known(name.unwrap_or_default())
}

/// The name of a type, by its URL.
pub fn of_type(url: &str) -> &'static str {
    known(url.rsplit('/').next().unwrap_or_default())
}

fn known(name: &str) -> &'static str {
    let known = NAMES.into_iter().find(|known| *known == name);
    known.unwrap_or(OTHER)
}

/// What was said in the log.
#[derive(Debug, Default)]
pub struct Said(Mutex<BTreeSet<&'static str>>);

impl Said {
    /// Whether this is the first time.
    pub fn first(&self, name: &'static str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_has_a_name() {
        let reports = "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats";
        assert_eq!(
            service(reports),
            "envoy.service.load_stats.v3.LoadReportingService"
        );
        for path in ["", "/", "//", "/made.up/Name", "made.up"] {
            assert_eq!(service(path), OTHER, "{path}");
        }
        let runtime = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
        assert_eq!(of_type(runtime), "envoy.service.runtime.v3.Runtime");
        assert_eq!(of_type("made/up"), OTHER);
        let said = Said::default();
        assert!(said.first(OTHER) && !said.first(OTHER));
    }
}
