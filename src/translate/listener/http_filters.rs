//! The chain of HTTP filters, which is the same whatever routes and plugins there are.

use envoy_types::pb::envoy::config::core::v3::{
    ApiVersion, GrpcService,
    grpc_service::{EnvoyGrpc, TargetSpecifier},
};
use envoy_types::pb::envoy::config::ratelimit::v3::RateLimitServiceConfig;
use envoy_types::pb::envoy::config::route::v3::RateLimit as Asked;
use envoy_types::pb::envoy::config::route::v3::rate_limit::{
    Action,
    action::{ActionSpecifier, MetaData},
};
use envoy_types::pb::envoy::extensions::filters::http::ratelimit::v3::RateLimit;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::envoy::r#type::metadata::v3::{
    MetadataKey,
    metadata_key::{PathSegment, path_segment::Segment},
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;

use crate::cohort::{Ability, Envoy};
use crate::envoy::proto::exactly;
use crate::envoy::{any, filter, place};
use crate::model::Gateway;
use crate::model::shared_limit::ENDED;
use crate::plugin;
use crate::plugin::shared::limit::{Code, Service};
use crate::plugin::shared::{logged, login, router};
use crate::translate::asked::slots;
use crate::translate::retry;

/// Where Envoy keeps what these filters were answered.
const ANSWERED: &str = "envoy.filters.http.ratelimit";

/// The plugins' filters, then that which lets requests be repeated, all disabled; then the place for a router of a route's
/// own, and the one that serves every route.
///
/// An Envoy that has no places has nothing there, and no route that needs one, and one that logs nobody in has no filter that does; nor has a gateway that names nobody who counts
/// a filter that asks, and a route that needs one, nor one that names nobody who posts logs a filter that gathers them.
pub(super) fn http_filters(gateway: &Gateway, envoy: Envoy) -> Vec<HttpFilter> {
    let shared = HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&router::shared()))),
        ..HttpFilter::default()
    };
    let last = [retry::disabled(), router::place(), shared];
    let all = plugin::http_filters().into_iter().chain(last);
    let all = all.filter(|filter| envoy.can(Ability::Places) || !place::is_one(filter));
    let all = all.filter(|filter| envoy.can(Ability::Logins) || !login::is_one(filter));
    let all = all.filter(|filter| gateway.logger.is_some() || !logged::is_one(filter));
    all.filter_map(|filter| match Service::of(&filter) {
        Some(service) => asking(gateway, service),
        None => Some(filter),
    })
    .collect()
}

/// The filter that asks who counts for the gateway, if there is somebody.
fn asking(gateway: &Gateway, service: Service) -> Option<HttpFilter> {
    let (limiter, rate_limit) = (gateway.limiter.as_ref()?, gateway.rate_limit.as_ref()?);
    let name = service.name();
    let grpc = EnvoyGrpc {
        cluster_name: limiter.name.to_string(),
        // Else the cluster's name, which is no host.
        authority: rate_limit.upstream.to_string(),
        ..EnvoyGrpc::default()
    };
    let config = RateLimit {
        domain: name.clone(),
        stat_prefix: name.clone(),
        timeout: Some(exactly(rate_limit.timeout)),
        failure_mode_deny: !service.open,
        rate_limit_service: Some(RateLimitServiceConfig {
            grpc_service: Some(GrpcService {
                target_specifier: Some(TargetSpecifier::EnvoyGrpc(grpc)),
                ..GrpcService::default()
            }),
            transport_api_version: ApiVersion::V3.into(),
        }),
        disable_x_envoy_ratelimited_header: true,
        rate_limited_status: Some(HttpStatus {
            code: i32::try_from(Code::of_filters()).unwrap_or_default(),
        }),
        rate_limits: slots().into_iter().chain([ended(&name)]).collect(),
        ..RateLimit::default()
    };
    Some(filter::disabled(&name, &config))
}

/// What a filter says of a request that has ended: what it was answered when that began, if there is something to be said.
fn ended(filter: &str) -> Asked {
    let path = PathSegment {
        segment: Some(Segment::Key(filter.to_owned())),
    };
    let answered = MetaData {
        descriptor_key: ENDED.to_owned(),
        metadata_key: Some(MetadataKey {
            key: ANSWERED.to_owned(),
            path: vec![path],
        }),
        ..MetaData::default()
    };
    Asked {
        actions: vec![Action {
            action_specifier: Some(ActionSpecifier::Metadata(answered)),
        }],
        apply_on_stream_done: true,
        ..Asked::default()
    }
}
