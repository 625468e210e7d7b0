//! What Envoy says in its own name.

use envoy_types::pb::envoy::config::accesslog::v3::{
    AccessLogFilter, AndFilter, ExtensionFilter, HeaderFilter, ResponseFlagFilter,
    access_log_filter::FilterSpecifier, extension_filter::ConfigType,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, HeaderValue, HeaderValueOption, SubstitutionFormatString,
    data_source::Specifier as Source, header_value_option::HeaderAppendAction,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    LocalReplyConfig, ResponseMapper,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

use crate::cohort::{Ability, Envoy};
use crate::envoy::any;
use crate::envoy::proto::uint32;
use crate::plugin::replies;
use crate::plugin::shared::answer::NO_ROUTE;
use crate::plugin::shared::identity::{UNKNOWN, UNKNOWN_ONCE};
use crate::plugin::shared::instead::{BROKEN, METADATA, Reason, UNDECIDED};
use crate::plugin::shared::limit::{Code, DETAILS, DETAILS_OF_SERVICE, STATUS};
use crate::plugin::shared::reply::{BODIES, Reply};

/// What a client is told when no instance answers, the status first.
const GATEWAY: [(u32, &str); 3] = [
    (502, r#"{"error_msg":"502 Bad Gateway"}"#),
    (
        503,
        r#"{"error_msg":"503 Service Temporarily Unavailable"}"#,
    ),
    (504, r#"{"error_msg":"504 Gateway Time-out"}"#),
];
/// Says that it is no answer of Chancery's, as in APISIX.
const UPSTREAM_STATUS: &str = "x-apisix-upstream-status";

/// The answers that are put in words of Chancery's own.
pub(super) fn local_reply(envoy: Envoy) -> LocalReplyConfig {
    let replies = replies();
    let of_plugins = replies.iter().map(|reply| of_plugin(reply, envoy));
    let of_limits = Code::others().map(of_limit).chain([limited()]);
    LocalReplyConfig {
        mappers: [no_route()]
            .into_iter()
            .chain(of_limits)
            .chain(of_plugins)
            .chain(instead())
            .chain(no_answer())
            .collect(),
        body_format: None,
    }
}

/// The filters that count know one status, so requests say which one their answer has.
fn of_limit(code: u32) -> ResponseMapper {
    let status = HeaderFilter {
        header: Some(HeaderMatcher {
            name: STATUS.to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
                match_pattern: Some(MatchPattern::Exact(code.to_string())),
                ..StringMatcher::default()
            })),
            ..HeaderMatcher::default()
        }),
    };
    let filters = [FilterSpecifier::HeaderFilter(status), is_limited()];
    let both = FilterSpecifier::AndFilter(AndFilter {
        filters: filters.map(filter).into(),
    });
    ResponseMapper {
        status_code: Some(uint32(code)),
        ..mapper(both, of_route(DETAILS))
    }
}

/// The others have the status that these filters know.
fn limited() -> ResponseMapper {
    mapper(is_limited(), of_route(DETAILS))
}

/// For want of a token, whoever counted.
fn is_limited() -> FilterSpecifier {
    let expression_of = format!("response.code_details in ['{DETAILS}', '{DETAILS_OF_SERVICE}']");
    expression(expression_of)
}

/// What a route has other words for: its script knows it by a header.
fn instead() -> impl Iterator<Item = ResponseMapper> {
    let [_, (status, body), _] = GATEWAY;
    let broken = mapper(where_route_has(flags(&["UH"]), BROKEN), body.to_owned());
    let undecided = ResponseMapper {
        filter: Some(filter(where_route_has(
            reason("ext_authz_error"),
            UNDECIDED,
        ))),
        ..ResponseMapper::default()
    };
    let broken = ResponseMapper {
        status_code: Some(uint32(status)),
        ..broken
    };
    [(broken, BROKEN), (undecided, UNDECIDED)]
        .into_iter()
        .map(|(mapper, reason)| ResponseMapper {
            headers_to_add: vec![header(reason.header, "1")],
            ..mapper
        })
}

/// Of an answer of that kind where the route has other words.
fn where_route_has(kind: FilterSpecifier, reason: Reason) -> FilterSpecifier {
    let (metadata, name) = (METADATA, reason.name);
    let has = format!("'{name}' in xds.route_metadata.filter_metadata['{metadata}']");
    FilterSpecifier::AndFilter(AndFilter {
        filters: vec![filter(kind), filter(expression(has))],
    })
}

fn filter(specifier: FilterSpecifier) -> AccessLogFilter {
    AccessLogFilter {
        filter_specifier: Some(specifier),
    }
}

/// The body is the route's, told apart by the reason that Envoy gives for its answer.
fn of_plugin(reply: &Reply, envoy: Envoy) -> ResponseMapper {
    let details = match reply.details.as_str() {
        UNKNOWN if !envoy.can(Ability::ReasonOfUnknownKey) => UNKNOWN_ONCE,
        details => details,
    };
    let challenge = reply
        .challenge
        .map(|name| header("www-authenticate", &of_route(name)));
    ResponseMapper {
        status_code: reply.status.map(uint32),
        headers_to_add: challenge.into_iter().collect(),
        ..mapper(reason(details), of_route(&reply.body))
    }
}

/// Of an answer for this reason.
fn reason(details: &str) -> FilterSpecifier {
    expression(format!("response.code_details == '{details}'"))
}

/// What the route says under that name.
fn of_route(name: &str) -> String {
    format!("%METADATA(ROUTE:{BODIES}:{name})%")
}

/// Only for an answer of Envoy's own that says "no route": an upstream's 404 passes untouched.
fn no_route() -> ResponseMapper {
    mapper(flags(&["NR"]), NO_ROUTE.to_owned())
}

/// Of what came from no instance. Envoy itself says 503 to all but time-outs.
fn no_answer() -> impl Iterator<Item = ResponseMapper> {
    let [bad, none, late] = GATEWAY;
    [
        // Of a connection, which is a failed one else; and of a request.
        (
            expression("response.code_details.contains('connection_timeout')".to_owned()),
            late,
            true,
        ),
        (flags(&["UT"]), late, true),
        // Refused, reset, empty or no HTTP.
        (flags(&["UF", "UC", "UR", "UPE"]), bad, true),
        // Nobody was asked.
        (flags(&["UH"]), none, false),
    ]
    .into_iter()
    .map(|(of, (status, body), was_asked)| ResponseMapper {
        status_code: Some(uint32(status)),
        headers_to_add: was_asked
            .then(|| header(UPSTREAM_STATUS, &status.to_string()))
            .into_iter()
            .collect(),
        ..mapper(of, body.to_owned())
    })
}

/// A header in the place of Envoy's own.
fn header(name: &str, value: &str) -> HeaderValueOption {
    let header = HeaderValue {
        key: name.to_owned(),
        value: value.to_owned(),
        ..HeaderValue::default()
    };
    HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn flags(flags: &[&str]) -> FilterSpecifier {
    FilterSpecifier::ResponseFlagFilter(ResponseFlagFilter {
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}

fn expression(expression: String) -> FilterSpecifier {
    let config = ExpressionFilter {
        expression,
        ..ExpressionFilter::default()
    };
    FilterSpecifier::ExtensionFilter(ExtensionFilter {
        name: "envoy.access_loggers.extension_filters.cel".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&config))),
    })
}

/// Puts a body of JSON, one of Envoy's format strings, in the place of Envoy's own.
fn mapper(of: FilterSpecifier, body: String) -> ResponseMapper {
    let source = DataSource {
        specifier: Some(Source::InlineString(body)),
        ..DataSource::default()
    };
    ResponseMapper {
        filter: Some(filter(of)),
        body_format_override: Some(SubstitutionFormatString {
            content_type: "application/json".to_owned(),
            format: Some(Format::TextFormatSource(source)),
            ..SubstitutionFormatString::default()
        }),
        ..ResponseMapper::default()
    }
}
