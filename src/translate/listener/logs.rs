//! What Envoy tells `chancery logs` of each request whose route has it written down.

use std::time::Duration;

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLog, AccessLogFilter, MetadataFilter, access_log::ConfigType,
    access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use envoy_types::pb::envoy::config::core::v3::{
    ApiVersion, BackoffStrategy, GrpcService, RetryPolicy,
};
use envoy_types::pb::envoy::extensions::access_loggers::grpc::v3::{
    CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig,
};
use envoy_types::pb::envoy::r#type::matcher::v3::metadata_matcher::{PathSegment, path_segment};
use envoy_types::pb::envoy::r#type::matcher::v3::value_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    MetadataMatcher, StringMatcher, ValueMatcher, string_matcher,
};

use crate::envoy::any;
use crate::envoy::proto::{boolean, exactly, uint32};
use crate::model::Gateway;
use crate::model::log_target::{METADATA, TO};
use crate::plugin::shared::identity::CONSUMER;

/// Nothing where the gateway names nobody who takes it.
pub(super) fn logs(gateway: &Gateway) -> Option<AccessLog> {
    let (logger, logs) = (gateway.logger.as_ref()?, gateway.logs.as_ref()?);
    let grpc = EnvoyGrpc {
        cluster_name: logger.name.to_string(),
        // Else the cluster's name, which is no host.
        authority: logs.upstream.to_string(),
        ..EnvoyGrpc::default()
    };
    let config = HttpGrpcAccessLogConfig {
        common_config: Some(CommonGrpcAccessLogConfig {
            log_name: "chancery".to_owned(),
            grpc_service: Some(GrpcService {
                target_specifier: Some(TargetSpecifier::EnvoyGrpc(grpc)),
                ..GrpcService::default()
            }),
            transport_api_version: ApiVersion::V3.into(),
            grpc_stream_retry_policy: Some(tried_again()),
            ..CommonGrpcAccessLogConfig::default()
        }),
        // Who it is, which is not known yet as the other headers are gathered.
        additional_request_headers_to_log: vec![CONSUMER.to_owned()],
        ..HttpGrpcAccessLogConfig::default()
    };
    Some(AccessLog {
        name: "envoy.access_loggers.http_grpc".to_owned(),
        filter: Some(AccessLogFilter {
            filter_specifier: Some(FilterSpecifier::MetadataFilter(has_a_target())),
        }),
        config_type: Some(ConfigType::TypedConfig(any(&config))),
    })
}

/// Where nobody listens, for two seconds: as long as it takes to start one anew, or to find another one. What is written down
/// meanwhile is kept, without a bound in Envoy 1.36, so it is not longer.
fn tried_again() -> RetryPolicy {
    RetryPolicy {
        num_retries: Some(uint32(5)),
        retry_back_off: Some(BackoffStrategy {
            base_interval: Some(exactly(Duration::from_millis(200))),
            max_interval: Some(exactly(Duration::from_secs(1))),
        }),
        ..RetryPolicy::default()
    }
}

fn has_a_target() -> MetadataFilter {
    MetadataFilter {
        matcher: Some(MetadataMatcher {
            filter: METADATA.to_owned(),
            path: vec![PathSegment {
                segment: Some(path_segment::Segment::Key(TO.to_owned())),
            }],
            // Each is an object of JSON; a consumer may have taken them all away.
            value: Some(ValueMatcher {
                match_pattern: Some(MatchPattern::StringMatch(StringMatcher {
                    match_pattern: Some(string_matcher::MatchPattern::Prefix("{".to_owned())),
                    ..StringMatcher::default()
                })),
            }),
            ..MetadataMatcher::default()
        }),
        match_if_key_not_found: Some(boolean(false)),
    }
}
