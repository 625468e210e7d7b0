//! What no client may say of itself.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation,
    header_mutation::{Action, RemoveOnMatch},
};
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, TypedExtensionConfig, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

use crate::envoy::proto::extension;
use crate::plugin::shared::identity::OWN_HEADERS;
use crate::translate::route::{CELL_HEADER, cell_expression};

/// Takes off requests the headers in which upstreams are told who sends them, before a route is chosen. `numbered`: and notes
/// the number of the request's cell.
///
/// Each by a matcher: for a removal by name Envoy makes an index of all headers, at every request (1.02 times the processor time).
pub(super) fn own_headers(numbered: bool) -> TypedExtensionConfig {
    let remove = |name: &str| {
        let name_or_beginning = if name.ends_with('-') {
            MatchPattern::Prefix(name.to_owned())
        } else {
            MatchPattern::Exact(name.to_owned())
        };
        Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(StringMatcher {
                match_pattern: Some(name_or_beginning),
                ..StringMatcher::default()
            }),
        })
    };
    let mutation = |name: &str| Mutation {
        action: Some(remove(name)),
    };
    let number = numbered.then(|| Mutation {
        action: Some(Action::Append(HeaderValueOption {
            header: Some(HeaderValue {
                key: CELL_HEADER.to_owned(),
                value: cell_expression(),
                ..HeaderValue::default()
            }),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..HeaderValueOption::default()
        })),
    });
    let config = HeaderMutation {
        mutations: OWN_HEADERS
            .map(mutation)
            .into_iter()
            .chain(number)
            .collect(),
    };
    extension("chancery.own_headers", &config)
}
