//! The filters that routes ask by name, which count requests, give other answers or run a script: one resource each, named by every listener.

use std::collections::{BTreeSet, HashMap};

use envoy_types::pb::envoy::config::core::v3::{RuntimeFractionalPercent, TypedExtensionConfig};
use envoy_types::pb::envoy::config::route::v3::RateLimit;
use envoy_types::pb::envoy::config::route::v3::rate_limit::Action;
use envoy_types::pb::envoy::config::route::v3::rate_limit::action::{
    ActionSpecifier, RequestHeaders,
};
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::{
    LocalRateLimitDescriptor, XRateLimitHeadersRfcVersion,
};
use envoy_types::pb::envoy::extensions::filters::http::custom_response::v3::CustomResponse;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit;
use envoy_types::pb::envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3::FilterStateInput;
use envoy_types::pb::envoy::r#type::matcher::v3::HttpResponseStatusCodeMatchInput;
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, HttpStatus, TokenBucket};
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::xds;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    self, MatcherList, MatcherTree, MatcherType,
    matcher_list::{
        FieldMatcher, Predicate, predicate,
        predicate::{SinglePredicate, single_predicate},
    },
    matcher_tree::{MatchMap, TreeType},
};
use envoy_types::pb::xds::r#type::matcher::v3::{
    Matcher, RegexMatcher, StringMatcher,
    regex_matcher::{EngineType, GoogleRe2},
    string_matcher::MatchPattern,
};
use prost::Name;

use crate::documents::Route;
use crate::envoy::any;
use crate::envoy::proto::{boolean, exactly, tree_extension, uint32};
use crate::model::shared_limit::{BUCKET, KEY};
use crate::plugin::shared::asked::{Answer, Asked, Filter};
use crate::plugin::shared::limit::{
    Bucket, Code, Counter, Of, SLOTS, bucket_header, from_header, key_header,
};
use crate::plugin::shared::script;

/// How many keys are counted at a time; the one that was silent for the longest makes room for the next.
const KEYS: u32 = 100_000;

/// What a key is made of.
const FROM: &str = "from";

/// The configuration of each filter of which these routes ask something, under its name.
pub fn all_asked<'a>(routes: impl Iterator<Item = &'a Route>) -> Vec<TypedExtensionConfig> {
    let all: BTreeSet<Asked> = routes.flat_map(|route| route.plugins.asked()).collect();
    let filters: BTreeSet<Filter> = all.iter().map(Asked::filter).collect();
    let own = |filter: Filter| all.iter().filter(move |one| one.filter() == filter);
    let each = filters.into_iter();
    each.map(|filter| asked(filter, own(filter))).collect()
}

/// The configuration of a filter, under its name. Routes ask for nothing but this of it.
pub fn asked<'a>(
    filter: Filter,
    asked: impl Iterator<Item = &'a Asked> + Clone,
) -> TypedExtensionConfig {
    let buckets = asked.clone().filter_map(|one| match one {
        Asked::Limit(bucket) => Some(bucket),
        _ => None,
    });
    let mut scripts = asked.clone().filter_map(|one| match one {
        Asked::Script(script) => Some(script.source),
        _ => None,
    });
    let answers = asked.filter_map(|one| match one {
        Asked::Answer(answer) => Some(answer),
        _ => None,
    });
    TypedExtensionConfig {
        name: filter.name(),
        typed_config: Some(match filter {
            Filter::Counts(counter) => any(&limits(counter, buckets)),
            Filter::Answers { of_rules } => any(&other_answers(of_rules, answers)),
            Filter::Runs { .. } => any(&script::lua(scripts.next())),
        }),
    }
}

/// Answers are told apart by what a filter before says of a request.
fn other_answers<'a>(of_rules: bool, answers: impl Iterator<Item = &'a Answer>) -> CustomResponse {
    let on_match = |answer: &Answer| {
        let policy = Any {
            type_url: LocalResponsePolicy::type_url(),
            value: answer.policy.to_vec(),
        };
        let action = xds::core::v3::TypedExtensionConfig {
            name: "answer".to_owned(),
            typed_config: Some(policy),
        };
        let whole = matcher::OnMatch {
            on_match: Some(matcher::on_match::OnMatch::Action(action)),
            ..matcher::OnMatch::default()
        };
        match &answer.statuses {
            None => whole,
            Some(pattern) => in_place_of(pattern, whole),
        }
    };
    let map: HashMap<_, _> = answers
        .map(|answer| (answer.name.clone(), on_match(answer)))
        .collect();
    let input = FilterStateInput {
        key: Answer::state(of_rules).to_owned(),
        ..FilterStateInput::default()
    };
    let tree = MatcherTree {
        input: Some(tree_extension("answer", &input)),
        tree_type: Some(TreeType::ExactMatchMap(MatchMap { map: map.clone() })),
    };
    CustomResponse {
        custom_response_matcher: (!map.is_empty()).then_some(Matcher {
            on_no_match: None,
            matcher_type: Some(MatcherType::MatcherTree(tree)),
        }),
    }
}

/// Only where the instance's status fits a pattern.
fn in_place_of(pattern: &str, on_match: matcher::OnMatch) -> matcher::OnMatch {
    let pattern = RegexMatcher {
        regex: pattern.to_owned(),
        engine_type: Some(EngineType::GoogleRe2(GoogleRe2 {})),
    };
    let status = SinglePredicate {
        input: Some(tree_extension(
            "status",
            &HttpResponseStatusCodeMatchInput::default(),
        )),
        matcher: Some(single_predicate::Matcher::ValueMatch(StringMatcher {
            match_pattern: Some(MatchPattern::SafeRegex(pattern)),
            ..StringMatcher::default()
        })),
    };
    let fits = FieldMatcher {
        predicate: Some(Predicate {
            match_type: Some(predicate::MatchType::SinglePredicate(status)),
        }),
        on_match: Some(on_match),
    };
    let only = Matcher {
        matcher_type: Some(MatcherType::MatcherList(MatcherList {
            matchers: vec![fits],
        })),
        ..Matcher::default()
    };
    matcher::OnMatch {
        on_match: Some(matcher::on_match::OnMatch::Matcher(Box::new(only))),
        ..matcher::OnMatch::default()
    }
}

fn limits<'a>(counter: Counter, buckets: impl Iterator<Item = &'a Bucket>) -> LocalRateLimit {
    let headers = match counter.of {
        Of::Told => XRateLimitHeadersRfcVersion::DraftVersion03,
        Of::Untold | Of::Rate => XRateLimitHeadersRfcVersion::Off,
    };
    let endless = TokenBucket {
        max_tokens: u32::MAX,
        tokens_per_fill: Some(uint32(u32::MAX)),
        fill_interval: Some(exactly(std::time::Duration::from_secs(1))),
    };
    LocalRateLimit {
        stat_prefix: counter.name(),
        status: Some(HttpStatus {
            code: i32::try_from(Code::of_filters()).unwrap_or_default(),
        }),
        // Envoy wants one for requests under none of the others.
        token_bucket: Some(endless),
        filter_enabled: Some(always()),
        filter_enforced: Some(always()),
        descriptors: buckets.map(descriptor).collect(),
        rate_limits: slots(),
        always_consume_default_token_bucket: Some(boolean(false)),
        max_dynamic_descriptors: Some(uint32(KEYS)),
        enable_x_ratelimit_headers: headers.into(),
        ..LocalRateLimit::default()
    }
}

/// A bucket for each key.
fn descriptor(bucket: &Bucket) -> LocalRateLimitDescriptor {
    let (tokens, interval) = bucket.refill;
    let entry = |key: &str, value: String| Entry {
        key: key.to_owned(),
        value,
    };
    LocalRateLimitDescriptor {
        entries: vec![
            entry(BUCKET, bucket.name()),
            entry(KEY, String::new()),
            entry(FROM, String::new()),
        ],
        token_bucket: Some(TokenBucket {
            max_tokens: bucket.burst,
            tokens_per_fill: Some(uint32(tokens)),
            fill_interval: Some(exactly(interval)),
        }),
        shadow_mode: false,
    }
}

/// What filters ask of a request: all limits that it is under.
pub(super) fn slots() -> Vec<RateLimit> {
    (1..=SLOTS).map(rate_limit).collect()
}

/// A slot: nothing is asked where one of its headers is missing.
fn rate_limit(slot: usize) -> RateLimit {
    let action = |(entry, header): (&str, String)| Action {
        action_specifier: Some(ActionSpecifier::RequestHeaders(RequestHeaders {
            header_name: header,
            descriptor_key: entry.to_owned(),
            skip_if_absent: false,
        })),
    };
    let actions = [
        (BUCKET, bucket_header(slot)),
        (KEY, key_header(slot)),
        (FROM, from_header(slot)),
    ];
    RateLimit {
        actions: actions.into_iter().map(action).collect(),
        ..RateLimit::default()
    }
}

fn always() -> RuntimeFractionalPercent {
    RuntimeFractionalPercent {
        default_value: Some(FractionalPercent {
            numerator: 100,
            ..FractionalPercent::default()
        }),
        ..RuntimeFractionalPercent::default()
    }
}
