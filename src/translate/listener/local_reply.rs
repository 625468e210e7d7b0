//! What Envoy says in its own name.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, ExtensionFilter, ResponseFlagFilter, access_log_filter::FilterSpecifier,
    extension_filter::ConfigType,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier as Source,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};

use crate::cohort::{Ability, Envoy};
use crate::envoy::any;
use crate::envoy::proto::uint32;
use crate::plugin::replies;
use crate::plugin::shared::answer::NO_ROUTE;
use crate::plugin::shared::identity::{UNKNOWN, UNKNOWN_ONCE};
use crate::plugin::shared::reply::{BODIES, Reply};

/// The answers that are put in words of Chancery's own.
pub(super) fn local_reply(envoy: Envoy) -> LocalReplyConfig {
    let replies = replies();
    let of_plugins = replies.iter().map(|reply| of_plugin(reply, envoy));
    LocalReplyConfig {
        mappers: [no_route()].into_iter().chain(of_plugins).collect(),
        body_format: None,
    }
}

/// The body is the route's, told apart by the reason that Envoy gives for its answer.
fn of_plugin(reply: &Reply, envoy: Envoy) -> ResponseMapper {
    let details = match reply.details.as_str() {
        UNKNOWN if !envoy.can(Ability::ReasonOfUnknownKey) => UNKNOWN_ONCE,
        details => details,
    };
    let config = ExpressionFilter {
        expression: format!("response.code_details == '{details}'"),
        ..ExpressionFilter::default()
    };
    let reason = ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&config))),
    };
    let body = format!("%METADATA(ROUTE:{BODIES}:{})%", reply.body);
    ResponseMapper {
        status_code: reply.status.map(uint32),
        ..mapper(FilterSpecifier::ExtensionFilter(reason), body)
    }
}

/// Only for an answer of Envoy's own that says "no route": an upstream's 404 passes untouched.
fn no_route() -> ResponseMapper {
    let flags = ResponseFlagFilter {
        flags: vec!["NR".to_owned()],
    };
    mapper(
        FilterSpecifier::ResponseFlagFilter(flags),
        NO_ROUTE.to_owned(),
    )
}

/// Puts a body of JSON, one of Envoy's format strings, in the place of Envoy's own.
fn mapper(filter: FilterSpecifier, body: String) -> ResponseMapper {
    let source = DataSource {
        specifier: Some(Source::InlineString(body)),
        ..DataSource::default()
    };
    ResponseMapper {
        filter: Some(AccessLogFilter {
            filter_specifier: Some(filter),
        }),
        body_format_override: Some(SubstitutionFormatString {
            content_type: "application/json".to_owned(),
            format: Some(Format::TextFormatSource(source)),
            ..SubstitutionFormatString::default()
        }),
        ..ResponseMapper::default()
    }
}
