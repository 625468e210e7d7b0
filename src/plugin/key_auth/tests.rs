use std::collections::BTreeSet;

use serde_json::json;

use crate::plugin::tests::{applied, shown};
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use envoy_types::pb::envoy::config::route::v3::FilterConfig;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use prost::{Message, Name};

#[test]
fn a_route_says_where_the_key_is_and_nothing_to_the_filter_of_keys() {
    let route = applied(json!({"key-auth": {"header": "X-Key", "query": "k"}}));
    let configs = &route.typed_per_filter_config;
    let filters: BTreeSet<&str> = configs.keys().map(String::as_str).collect();
    let expected = BTreeSet::from([
        "chancery.consumer",
        "chancery.key_auth",
        "chancery.key_auth.find",
    ]);
    assert_eq!(filters, expected);
    assert_eq!(
        configs["chancery.key_auth"].type_url,
        FilterConfig::type_url()
    );
    let find = &configs["chancery.key_auth.find"].value;
    let find = HeaderMutationPerRoute::decode(find.as_slice()).unwrap();
    let mutations = find.mutations.unwrap().request_mutations.into_iter();
    let headers = mutations.filter_map(|mutation| match mutation.action {
        Some(Action::Append(option)) => Some(option),
        _ => None,
    });
    let expected = [
        "x-chancery-key= %REQ(x-key)%",
        "x-chancery-key= %QUERY_PARAM(k)%",
    ];
    assert_eq!(shown(&headers.collect::<Vec<_>>()), expected);
}

#[test]
fn a_key_that_is_not_for_upstreams_is_taken_off() {
    let route = applied(json!({"key-auth": {"hide_credentials": true}}));
    assert!(
        route
            .typed_per_filter_config
            .contains_key("chancery.key_auth.hide")
    );
}
