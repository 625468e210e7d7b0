//! The HTTP connection manager, the same for every protocol that carries HTTP.

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, Rds,
    http_connection_manager::{RouteSpecifier, ServerHeaderTransformation, UpgradeConfig},
};

use super::super::proto::{ads, boolean, never};
use super::http_filters::http_filters;
use super::limits::limits;
use super::local_reply::local_reply;
use super::origin::origin;
use crate::model::Gateway;

/// The connection manager of the listener `name`, which takes its routes from the gateway's route table.
pub(super) fn connection_manager(name: &str, gateway: &Gateway) -> HttpConnectionManager {
    let mut routes = ads();
    // A listener waits for its routes, however long that takes: without them it would answer 404 to everything.
    routes.initial_fetch_timeout = Some(never());
    HttpConnectionManager {
        stat_prefix: name.to_owned(),
        http_filters: http_filters(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(routes),
            route_config_name: gateway.id.to_string(),
        })),
        local_reply_config: Some(local_reply()),
        // One kind of upgrade, which a route has to allow.
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            enabled: Some(boolean(false)),
            ..UpgradeConfig::default()
        }],
        // What tells the proxies apart is nobody's business: the answer's own header, or none.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        ..limits(origin(HttpConnectionManager::default()))
    }
}
