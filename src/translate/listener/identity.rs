//! What no client may say of itself.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation,
    header_mutation::{Action, RemoveOnMatch},
};
use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

use crate::envoy::proto::extension;
use crate::plugin::shared::identity::OWN_HEADERS;

/// Takes off requests the headers in which upstreams are told who sends them, before a route is chosen.
pub(super) fn own_headers() -> TypedExtensionConfig {
    let remove = |name: &str| {
        if name.ends_with('-') {
            Action::RemoveOnMatch(RemoveOnMatch {
                key_matcher: Some(StringMatcher {
                    match_pattern: Some(MatchPattern::Prefix(name.to_owned())),
                    ..StringMatcher::default()
                }),
            })
        } else {
            Action::Remove(name.to_owned())
        }
    };
    let mutation = |name: &str| Mutation {
        action: Some(remove(name)),
    };
    let config = HeaderMutation {
        mutations: OWN_HEADERS.map(mutation).into(),
    };
    extension("chancery.own_headers", &config)
}
