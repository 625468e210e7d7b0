//! Where Envoy sends spans.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{
    GrpcService, HttpService, HttpUri,
    grpc_service::{EnvoyGrpc, TargetSpecifier},
    http_uri::HttpUpstreamType,
};
use envoy_types::pb::envoy::config::trace::v3::{
    OpenTelemetryConfig, ZipkinConfig,
    tracing::{Http, http::ConfigType},
    zipkin_config::CollectorEndpointVersion,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::Tracing;
use envoy_types::pb::envoy::r#type::v3::Percent;

use crate::envoy::any;
use crate::envoy::proto::duration;
use crate::model::gateway::tracing::Provider;
use crate::model::{Cluster, Gateway, gateway};

/// How long a collector may take for a batch of spans.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The gateway's tracing, once its collector is known.
pub(super) fn tracing(gateway: &Gateway) -> Option<Tracing> {
    let tracing = gateway.tracing.as_ref()?;
    let collector = gateway.collector.as_deref()?;
    Some(Tracing {
        // The rest of the defaults would let a header of the client's start traces.
        client_sampling: Some(Percent { value: 0.0 }),
        random_sampling: Some(Percent {
            value: f64::from(tracing.sampling) / 100.0,
        }),
        overall_sampling: Some(Percent { value: 100.0 }),
        provider: Some(provider(tracing, collector)),
        ..Tracing::default()
    })
}

fn provider(tracing: &gateway::Tracing, collector: &Cluster) -> Http {
    let (name, config) = match &tracing.provider {
        Provider::OpenTelemetry { service_name, path } => {
            let config = OpenTelemetryConfig {
                service_name: service_name.clone(),
                ..match path {
                    None => over_grpc(tracing, collector),
                    Some(path) => over_http(tracing, collector, path),
                }
            };
            ("envoy.tracers.opentelemetry", any(&config))
        }
        Provider::Zipkin { path } => {
            let config = ZipkinConfig {
                collector_cluster: collector.name.to_string(),
                collector_endpoint: path.clone(),
                collector_endpoint_version: CollectorEndpointVersion::HttpJson.into(),
                // Else the cluster's name, which is no host.
                collector_hostname: tracing.upstream.to_string(),
                trace_id_128bit: true,
                ..ZipkinConfig::default()
            };
            ("envoy.tracers.zipkin", any(&config))
        }
    };
    Http {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(config)),
    }
}

fn over_grpc(tracing: &gateway::Tracing, collector: &Cluster) -> OpenTelemetryConfig {
    OpenTelemetryConfig {
        grpc_service: Some(GrpcService {
            timeout: Some(duration(TIMEOUT)),
            target_specifier: Some(TargetSpecifier::EnvoyGrpc(EnvoyGrpc {
                cluster_name: collector.name.to_string(),
                authority: tracing.upstream.to_string(),
                ..EnvoyGrpc::default()
            })),
            ..GrpcService::default()
        }),
        ..OpenTelemetryConfig::default()
    }
}

fn over_http(tracing: &gateway::Tracing, collector: &Cluster, path: &str) -> OpenTelemetryConfig {
    OpenTelemetryConfig {
        http_service: Some(HttpService {
            http_uri: Some(HttpUri {
                uri: format!("http://{}{path}", tracing.upstream),
                timeout: Some(duration(TIMEOUT)),
                http_upstream_type: Some(HttpUpstreamType::Cluster(collector.name.to_string())),
            }),
            ..HttpService::default()
        }),
        ..OpenTelemetryConfig::default()
    }
}
