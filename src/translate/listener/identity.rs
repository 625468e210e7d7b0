//! What no client may say of itself.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation,
    header_mutation::{Action, RemoveOnMatch},
};
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, TypedExtensionConfig, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

use crate::envoy::proto::extension;
use crate::plugin::shared::identity::OWN_HEADERS;
use crate::translate::route::{CELL_HEADER, cell_expression};

/// Takes off requests the headers in which upstreams are told who sends them, before a route is chosen. `numbered`: and notes
/// the number of the request's cell.
///
/// All by one pattern: for a removal by name Envoy makes an index of all headers, at every request (1.02 times the processor time),
/// and each matcher goes through all of them (four take 0.5 % more).
pub(super) fn own_headers(numbered: bool) -> TypedExtensionConfig {
    let pattern = MatchPattern::SafeRegex(RegexMatcher {
        regex: names(&OWN_HEADERS),
        ..RegexMatcher::default()
    });
    let remove = Mutation {
        action: Some(Action::RemoveOnMatch(RemoveOnMatch {
            key_matcher: Some(StringMatcher {
                match_pattern: Some(pattern),
                ..StringMatcher::default()
            }),
        })),
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
        mutations: [remove].into_iter().chain(number).collect(),
    };
    extension("chancery.own_headers", &config)
}

/// A pattern of these names, and of those that begin with one that ends in `-`. What all of them begin with stands first: what
/// does not is told from them without the pattern.
fn names(all: &[&str]) -> String {
    let [first, rest @ ..] = all else {
        return String::new();
    };
    let common = rest.iter().fold(*first, |common, name| {
        let same = common.bytes().zip(name.bytes());
        &common[..same.take_while(|(a, b)| a == b).count()]
    });
    let ends = all.iter().map(|name| {
        let whole = if name.ends_with('-') { r"\C*" } else { "" };
        let end = regex_syntax::escape(&name[common.len()..]);
        format!("{end}{whole}")
    });
    let ends: Vec<_> = ends.collect();
    format!("^{}(?:{})", regex_syntax::escape(common), ends.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings_are_one_pattern() {
        let pattern = names(&OWN_HEADERS).replace(r"\C", ".");
        let whole = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        for name in OWN_HEADERS {
            let is_beginning = name.ends_with('-');
            assert!(whole.is_match(name), "{name} by {pattern}");
            assert_eq!(whole.is_match(&format!("{name}x")), is_beginning, "{name}");
            assert!(!whole.is_match(&name[..name.len() - 1]), "{name}");
            assert!(!whole.is_match(&format!("a{name}")), "{name}");
        }
        assert!(pattern.starts_with(r"^x\-c(?:"), "{pattern}");
    }
}
