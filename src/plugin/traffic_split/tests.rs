use envoy_types::pb::envoy::config::route::v3::Route;
use serde_json::{Value, json};

use crate::plugin::tests::{branched, read, refusal, warned};

/// The bounds of the routes before the route itself, in millionths.
fn bounds(weighted: Value) -> Vec<Option<u32>> {
    let rules = json!([{"weighted_upstreams": weighted}]);
    let mut routes = branched(json!({"traffic-split": {"rules": rules}}));
    routes.pop();
    let bound = |route: Route| {
        let fraction = route.r#match.unwrap().runtime_fraction?;
        Some(fraction.default_value.unwrap().numerator)
    };
    routes.into_iter().map(bound).collect()
}

#[test]
fn each_share_begins_where_the_one_before_it_ends() {
    let upstream = json!({"nodes": {"10.0.0.1:80": 1}});
    let weighted =
        json!([{"upstream": upstream, "weight": 1}, {"upstream_id": "u", "weight": 2}, {}]);
    assert_eq!(bounds(weighted), [Some(250_000), Some(750_000), None]);
    let switched = json!([{"upstream": upstream, "weight": 0}, {"weight": 3}]);
    assert_eq!(bounds(switched), [None]);
}

#[test]
fn a_rule_with_conditions_is_for_some_requests() {
    let one = json!([["arg_a", "==", "1"]]);
    let either = json!({"match": [{"vars": one}, {"vars": [["http_b", "==", "2"]]}],
        "weighted_upstreams": [{"upstream_id": "u"}, {}]});
    let plugins = json!({"traffic-split": {"rules": [either, {"match": [{"vars": one}]}]}});
    let asked: Vec<_> = branched(plugins)
        .into_iter()
        .map(|route| {
            let matched = route.r#match.unwrap();
            let bounded = matched.runtime_fraction.is_some();
            (
                matched.query_parameters.len(),
                matched.headers.len(),
                bounded,
            )
        })
        .collect();
    let expected = [
        (1, 0, true),
        (1, 0, false),
        (0, 1, true),
        (0, 1, false),
        (1, 0, false),
        (0, 0, false),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_route_needs_no_upstream_where_every_request_goes_elsewhere() {
    let vars = json!([["arg_a", "==", "1"]]);
    let elsewhere = json!([{"upstream_id": "u"}]);
    let some = json!({"match": [{"vars": vars}], "weighted_upstreams": elsewhere});
    let some_own = json!({"match": [{"vars": vars}]});
    let all = json!({"weighted_upstreams": elsewhere});
    let all_but_a_share = json!({"weighted_upstreams": [{"upstream_id": "u"}, {"weight": 1}]});
    let table = [
        (json!([some, all]), true),
        (json!([all]), true),
        (json!([some]), false),
        (json!([some_own, all]), false),
        (json!([all_but_a_share]), false),
        (json!([]), false),
    ];
    for (rules, sends_all) in table {
        let plugins = read(json!({"traffic-split": {"rules": rules}})).unwrap();
        assert_eq!(plugins.sends_all(), sends_all, "of {rules}");
    }
}

#[test]
fn a_rule_after_one_for_every_request_has_no_effect() {
    let said = warned("traffic-split", json!({"rules": [{}, {}]}));
    assert_eq!(
        said,
        ["rules[1]: has no effect: a rule before it takes every request"]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"rules":[{"weighted_upstreams":[{"weight":0}]}]}"#,
            "rules[0].weighted_upstreams: has no weight above 0, allowed: at least one",
        ),
        (
            r#"{"rules":[{"weighted_upstreams":[{"upstream":{"nodes":{"a:0":1}}}]}]}"#,
            "rules[0].weighted_upstreams[0].upstream.nodes.a:0: found \"a:0\", allowed: an IP address or a DNS name, and a port of 1–65535 after a colon",
        ),
        (
            r#"{"rules":[{"weighted_upstreams":[{"upstream":{},"upstream_id":"u"}]}]}"#,
            "rules[0].weighted_upstreams[0].upstream_id: found beside `upstream`, allowed: one of the two",
        ),
        (
            r#"{"rules":[{"match":[{"vars":[["remote_addr","ipmatch",["10.0.0.0/8"]]]}]}]}"#,
            "rules[0].match[0].vars: asks for `remote_addr`, which is for a route's own `vars`: Envoy cannot ask for it within a route",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("traffic-split", configuration),
            said,
            "of {configuration}"
        );
    }
}
