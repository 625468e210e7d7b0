//! A plugin's own filter: it stands in the chain of every listener, disabled, and the routes that have the plugin enable it
//! with what they configure.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::{Any, Struct, Value, value::Kind};
use prost::{Message, Name};

/// Where the metadata of a route holds the bodies of answers that Envoy gives, by their [`Reply::body`](super::reply::Reply).
pub const BODIES: &str = "chancery.replies";

/// The filter as it stands in the chain.
pub(super) fn disabled<M: Message + Name>(name: &str, config: &M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        disabled: true,
        config_type: Some(ConfigType::TypedConfig(any(config))),
        ..HttpFilter::default()
    }
}

/// Enables the filter `name` for a route.
pub(super) fn enable<M: Message + Name>(route: &mut Route, name: &str, config: &M) {
    let configs = &mut route.typed_per_filter_config;
    configs.insert(name.to_owned(), any(config));
}

/// Gives a route the body of an answer. What stands there already stays: it is of a plugin that goes first.
pub(super) fn set_body(route: &mut Route, name: &str, body: &str) {
    let metadata = route.metadata.get_or_insert_with(Metadata::default);
    let bodies = metadata.filter_metadata.entry(BODIES.to_owned());
    let body = Value {
        kind: Some(Kind::StringValue(body.to_owned())),
    };
    let empty = || Struct {
        fields: HashMap::new(),
    };
    let fields = &mut bodies.or_insert_with(empty).fields;
    fields.entry(name.to_owned()).or_insert(body);
}

fn any<M: Message + Name>(config: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: config.encode_to_vec(),
    }
}
