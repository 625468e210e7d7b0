//! Where a listener finds a request's routes: in the gateway's one table, or in that of the scope that the request is in.

use envoy_types::pb::envoy::config::core::v3::ConfigSource;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    Rds, ScopedRds, ScopedRoutes,
    http_connection_manager::RouteSpecifier,
    scoped_routes::{
        ConfigSpecifier, ScopeKeyBuilder,
        scope_key_builder::{
            FragmentBuilder, fragment_builder,
            fragment_builder::{HeaderValueExtractor, header_value_extractor::ExtractType},
        },
    },
};

use crate::envoy::proto::{ads, never};
use crate::model::Id;
use crate::model::gateway::http::Tables;
use crate::translate::route::CELL_HEADER;

/// The gateway's.
pub(super) fn routes(gateway: &Id, tables: Tables) -> RouteSpecifier {
    if tables != Tables::Divided {
        return RouteSpecifier::Rds(Rds {
            config_source: Some(source()),
            route_config_name: gateway.to_string(),
        });
    }
    let cell = HeaderValueExtractor {
        name: CELL_HEADER.to_owned(),
        element_separator: String::new(),
        extract_type: Some(ExtractType::Index(0)),
    };
    let fragment = FragmentBuilder {
        r#type: Some(fragment_builder::Type::HeaderValueExtractor(cell)),
    };
    RouteSpecifier::ScopedRoutes(ScopedRoutes {
        name: gateway.to_string(),
        scope_key_builder: Some(ScopeKeyBuilder {
            fragments: vec![fragment],
        }),
        rds_config_source: Some(source()),
        config_specifier: Some(ConfigSpecifier::ScopedRds(ScopedRds {
            scoped_rds_config_source: Some(source()),
            srds_resources_locator: String::new(),
        })),
    })
}

/// A listener waits for its routes, however long that takes: without them it would answer 404 to everything.
fn source() -> ConfigSource {
    ConfigSource {
        initial_fetch_timeout: Some(never()),
        ..ads()
    }
}
