//! What Envoy says in its own name.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, ResponseFlagFilter, access_log_filter::FilterSpecifier,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier as Source,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};

/// What a client is told when no route matches, whatever the host.
const NO_ROUTE: &str = r#"{"error_msg":"404 Route Not Found"}"#;

/// The answers that are put in words of Chancery's own.
pub(super) fn local_reply() -> LocalReplyConfig {
    LocalReplyConfig {
        mappers: vec![no_route()],
        body_format: None,
    }
}

/// Only for an answer of Envoy's own that says "no route": an upstream's 404 passes untouched.
fn no_route() -> ResponseMapper {
    let flags = ResponseFlagFilter {
        flags: vec!["NR".to_owned()],
    };
    let body = DataSource {
        specifier: Some(Source::InlineString(NO_ROUTE.to_owned())),
        ..DataSource::default()
    };
    ResponseMapper {
        filter: Some(AccessLogFilter {
            filter_specifier: Some(FilterSpecifier::ResponseFlagFilter(flags)),
        }),
        body_format_override: Some(SubstitutionFormatString {
            content_type: "application/json".to_owned(),
            format: Some(Format::TextFormatSource(body)),
            ..SubstitutionFormatString::default()
        }),
        ..ResponseMapper::default()
    }
}
