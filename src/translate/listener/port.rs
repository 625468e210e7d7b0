//! What a connection keeps of itself for route tables, which see nothing but requests: the port that the client came to.

use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, filter};
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue,
    filter_state_value::{Key, Value},
};
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config;

use crate::envoy::any;
use crate::plugin::shared::narrow::PORT_KEY;

/// The filter, which stands before the connection manager.
pub(super) fn port() -> Filter {
    let port = DataSource {
        specifier: Some(Specifier::InlineString(
            "%DOWNSTREAM_LOCAL_PORT%".to_owned(),
        )),
        ..DataSource::default()
    };
    let value = FilterStateValue {
        key: Some(Key::ObjectKey(PORT_KEY.to_owned())),
        factory_key: "envoy.string".to_owned(),
        value: Some(Value::FormatString(SubstitutionFormatString {
            format: Some(Format::TextFormatSource(port)),
            ..SubstitutionFormatString::default()
        })),
        ..FilterStateValue::default()
    };
    let config = Config {
        on_new_connection: vec![value],
        ..Config::default()
    };
    Filter {
        name: "envoy.filters.network.set_filter_state".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(any(&config))),
    }
}
