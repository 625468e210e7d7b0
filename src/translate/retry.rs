//! When a request is sent once more. A route says how often; which failures count depends on the request's method, which a
//! route cannot know. So its policy holds what is safe for every method (the request never reached anybody), and a filter
//! that all routes share adds "the connection was reset, or the answer is overdue" to requests that may be repeated. It
//! does so in a header that Envoy reads and takes off. A status is an answer and never repeated. The filter costs a request
//! 5 % of Envoy's time: it is enabled by tables that have a route which tries again at all.

use std::time::Duration;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::config::route::v3::retry_policy::{
    RetryHostPredicate, RetryPriority, retry_host_predicate::ConfigType, retry_priority,
};
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, RetryPolicy};
use envoy_types::pb::envoy::extensions::common::matching::v3::ExtensionWithMatcher;
use envoy_types::pb::envoy::extensions::filters::common::matcher::action::v3::SkipFilter;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
use envoy_types::pb::envoy::r#type::matcher::v3::HttpRequestHeaderMatchInput;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherList, MatcherType, OnMatch,
    matcher_list::{FieldMatcher, Predicate, predicate, predicate::SinglePredicate},
    on_match,
};
use envoy_types::pb::xds::r#type::matcher::v3::{
    Matcher, RegexMatcher, StringMatcher,
    regex_matcher::{EngineType, GoogleRe2},
    string_matcher::MatchPattern,
};

use crate::envoy::proto::{duration, extension, tree_extension, uint32};
use crate::envoy::{any, filter};
use crate::model::{Members, Timeout, Upstream};

/// Registry members come and go and must not change routes by that, so this is also what they get.
const MOST_RETRIES: u32 = 3;

/// How often another host is looked for in place of one that was tried. Where weights are skewed most looks find the heavy one
/// again; with as many as these even one of a thousandth of its weight is found. Looking is cheap, and ends with the first that is found.
const LOOKS: i64 = 2_000;

const FILTER: &str = "chancery.retry_idempotent";
/// Methods whose requests may be repeated even if they had an effect.
const IDEMPOTENT: &str = "GET|HEAD|OPTIONS|PUT|DELETE|TRACE";

/// How many further attempts a request gets: what the upstream says, else one less than its nodes, but not many; and no
/// more than fit into its `retry_timeout` when each takes as long as it may, for Envoy has no bound on all of them.
pub(super) fn retries(upstream: &Upstream, connect: Duration, read: Duration) -> u32 {
    let retries = match (upstream.retries, &upstream.members) {
        (Some(retries), _) => retries,
        (None, Members::Nodes(nodes)) => (nodes.len().saturating_sub(1) as u32).min(MOST_RETRIES),
        (None, Members::Service(_)) => MOST_RETRIES,
    };
    within(
        upstream.retry_timeout,
        retries,
        connect.saturating_add(read),
    )
}

/// How many attempts to connect the bytes of a stream get. Nodes come and go and must not change listeners by that: without
/// a word of the upstream it is one number for all.
pub(super) fn attempts_to_connect(upstream: &Upstream, connect: Duration) -> u32 {
    let retries = upstream.retries.unwrap_or(MOST_RETRIES);
    within(upstream.retry_timeout, retries, connect).saturating_add(1)
}

fn within(bound: Option<Duration>, retries: u32, attempt: Duration) -> u32 {
    let Some(bound) = bound else {
        return retries;
    };
    let fitting = bound.as_millis() / attempt.as_millis().max(1);
    let attempts = u32::try_from(fitting).unwrap_or(u32::MAX);
    retries.min(attempts.saturating_sub(1))
}

/// What a route does about failures: see the head of this file.
///
/// Silence of `read` ends an attempt, while an instance that keeps sending is never cut: this is why the bound is on the
/// attempt's silence, and not on its length.
pub(super) fn policy(members: &Members, retries: u32, timeout: &Timeout) -> RetryPolicy {
    let another_host = RetryHostPredicate {
        name: "envoy.retry_host_predicates.previous_hosts".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&PreviousHostsPredicate {}))),
    };
    let attempt = RetryPolicy {
        num_retries: Some(uint32(retries)),
        per_try_idle_timeout: Some(duration(timeout.read)),
        ..RetryPolicy::default()
    };
    // With a word of failures Envoy would keep the bodies of requests, to send them again.
    if retries == 0 {
        return attempt;
    }
    RetryPolicy {
        retry_on: "connect-failure,refused-stream".to_owned(),
        retry_host_predicate: vec![another_host],
        host_selection_retry_max_attempts: LOOKS,
        retry_priority: further_priorities(members, retries),
        ..attempt
    }
}

/// Where nodes have priorities, those of a lower one get the attempts that are left when the first ones had theirs: without
/// checks nobody else would notice that these are gone.
fn further_priorities(members: &Members, retries: u32) -> Option<RetryPriority> {
    let Members::Nodes(nodes) = members else {
        return None;
    };
    let priorities = || nodes.iter().filter(|n| n.weight > 0).map(|n| n.priority);
    let highest = priorities().max()?;
    let first = priorities().filter(|priority| *priority == highest).count();
    if retries == 0 || first == priorities().count() {
        return None;
    }
    let attempts = i32::try_from(first).unwrap_or(i32::MAX);
    let config = PreviousPrioritiesConfig {
        update_frequency: attempts.min(i32::try_from(retries).unwrap_or(i32::MAX)),
    };
    Some(RetryPriority {
        name: "envoy.retry_priorities.previous_priorities".to_owned(),
        config_type: Some(retry_priority::ConfigType::TypedConfig(any(&config))),
    })
}

/// Whether a request gets a further attempt.
pub(super) fn retries_any(policy: &RetryPolicy) -> bool {
    policy.num_retries.is_some_and(|retries| retries.value > 0)
}

/// The filter as it stands in every listener.
pub(super) fn disabled() -> HttpFilter {
    filter::disabled(FILTER, &filter())
}

/// What enables it for a table, by its name.
pub(super) fn enabled() -> (String, Any) {
    let as_it_stands = FilterConfig {
        config: Some(Any::default()),
        ..FilterConfig::default()
    };
    (FILTER.to_owned(), any(&as_it_stands))
}

/// Sets the header unless the method is another one.
fn filter() -> ExtensionWithMatcher {
    let header = HeaderValue {
        key: "x-envoy-retry-on".to_owned(),
        value: "reset".to_owned(),
        ..HeaderValue::default()
    };
    let set = Mutation {
        action: Some(Action::Append(HeaderValueOption {
            header: Some(header),
            append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
            ..HeaderValueOption::default()
        })),
    };
    let mutation = HeaderMutation {
        mutations: Some(Mutations {
            request_mutations: vec![set],
            ..Mutations::default()
        }),
        ..HeaderMutation::default()
    };
    ExtensionWithMatcher {
        xds_matcher: Some(skip_unless_idempotent()),
        extension_config: Some(extension("envoy.filters.http.header_mutation", &mutation)),
        ..ExtensionWithMatcher::default()
    }
}

fn skip_unless_idempotent() -> Matcher {
    let method = HttpRequestHeaderMatchInput {
        header_name: ":method".to_owned(),
    };
    let regex = RegexMatcher {
        regex: IDEMPOTENT.to_owned(),
        engine_type: Some(EngineType::GoogleRe2(GoogleRe2 {})),
    };
    let idempotent = Predicate {
        match_type: Some(predicate::MatchType::SinglePredicate(SinglePredicate {
            input: Some(tree_extension("method", &method)),
            matcher: Some(predicate::single_predicate::Matcher::ValueMatch(
                StringMatcher {
                    match_pattern: Some(MatchPattern::SafeRegex(regex)),
                    ..StringMatcher::default()
                },
            )),
        })),
    };
    let unless = Predicate {
        match_type: Some(predicate::MatchType::NotMatcher(Box::new(idempotent))),
    };
    let skip = OnMatch {
        on_match: Some(on_match::OnMatch::Action(tree_extension(
            "skip",
            &SkipFilter {},
        ))),
        ..OnMatch::default()
    };
    let matcher = FieldMatcher {
        predicate: Some(unless),
        on_match: Some(skip),
    };
    Matcher {
        matcher_type: Some(MatcherType::MatcherList(MatcherList {
            matchers: vec![matcher],
        })),
        ..Matcher::default()
    }
}

#[cfg(test)]
mod tests;
