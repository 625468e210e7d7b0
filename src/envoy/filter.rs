//! A plugin's own filter: it stands in the chain of every listener, disabled, and the routes that have the plugin enable it
//! with what they configure.

use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    AggregatedConfigSource, ApiVersion, ConfigSource, ExtensionConfigSource,
};
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, Route};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::any;

/// What the names of filters of global rules begin with.
pub const OF_RULES: &str = "global/";

/// The name of the filter that global rules have beside that of routes.
pub fn of_rules(of_routes: &str) -> String {
    format!("{OF_RULES}{of_routes}")
}

/// For whom a filter stands in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    Routes,
    Rules,
    /// Consumers: behind the filters that find them.
    Consumers,
}

impl Whose {
    /// The name of that filter beside the one of routes.
    pub fn name(self, of_routes: &str) -> String {
        match self {
            Self::Routes => of_routes.to_owned(),
            Self::Rules => of_rules(of_routes),
            Self::Consumers => format!("consumer/{of_routes}"),
        }
    }
}

/// The filter as it stands in the chain.
pub fn disabled<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(config))),
        ..HttpFilter::default()
    }
}

/// A filter whose configuration comes by its name, ahead of the routes that enable it.
pub fn discovered(name: &str, type_url: String) -> HttpFilter {
    let source = ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    };
    let discovery = ExtensionConfigSource {
        config_source: Some(source),
        type_urls: vec![type_url],
        ..ExtensionConfigSource::default()
    };
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::ConfigDiscovery(discovery)),
        ..HttpFilter::default()
    }
}

/// Enables the filter `name` for a route, as it is: an empty configuration of the filter's own would take the place of what it
/// does.
pub fn enable_as_it_is(route: &mut Route, name: &str) {
    let as_it_is = FilterConfig {
        config: Some(Any::default()),
        ..FilterConfig::default()
    };
    enable(route, name, &as_it_is);
}

/// Enables the filter `name` for a route.
pub fn enable<M: Message + Name>(route: &mut Route, name: &str, config: &M) {
    let configs = &mut route.typed_per_filter_config;
    configs.insert(name.to_owned(), any(config));
}
