//! What a consistent hash is made of, as a route's hash policies: all keys together, and the client's address where a
//! request has none of them.

use envoy_types::pb::envoy::config::route::v3::route_action::{
    HashPolicy,
    hash_policy::{ConnectionProperties, Cookie, Header, PolicySpecifier, QueryParameter},
};
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher};

use crate::model::upstream::HashKey;

/// Envoy combines the hashes of policies, in order, until a terminal one is reached with any hash at all.
pub(super) fn policies(keys: &[HashKey]) -> Vec<HashPolicy> {
    let last = keys.len().saturating_sub(1);
    let policy = |(at, key)| HashPolicy {
        policy_specifier: Some(specifier(key)),
        terminal: at == last,
    };
    let mut policies: Vec<HashPolicy> = keys.iter().enumerate().map(policy).collect();
    if !keys.contains(&HashKey::RemoteAddress) {
        policies.push(HashPolicy {
            policy_specifier: Some(specifier(&HashKey::RemoteAddress)),
            terminal: true,
        });
    }
    policies
}

fn specifier(key: &HashKey) -> PolicySpecifier {
    match key {
        HashKey::RemoteAddress => {
            PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
        }
        HashKey::Header(name) => header(name, None),
        HashKey::Cookie(name) => PolicySpecifier::Cookie(Cookie {
            name: name.to_string(),
            ..Cookie::default()
        }),
        HashKey::Argument(name) => PolicySpecifier::QueryParameter(QueryParameter {
            name: name.to_string(),
        }),
        HashKey::PathAndQuery => header(":path", None),
        HashKey::Path => header(":path", Some(r"\?.*")),
        HashKey::Query => header(":path", Some(r"^[^?]*")),
        HashKey::Host => header(":authority", Some(r":[0-9]+$")),
    }
}

/// A header, without what the regular expression finds in it.
fn header(name: &str, without: Option<&str>) -> PolicySpecifier {
    let rewrite = |regex: &str| RegexMatchAndSubstitute {
        pattern: Some(RegexMatcher {
            regex: regex.to_owned(),
            ..RegexMatcher::default()
        }),
        substitution: String::new(),
    };
    PolicySpecifier::Header(Header {
        header_name: name.to_owned(),
        regex_rewrite: without.map(rewrite),
    })
}
