use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, Route};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use prost::Message;
use serde_json::json;

use crate::plugin::tests::{branched, read, refusal, warned};

/// What is done with the requests of a route: an answer's status, the keys that it counts by, or nothing.
fn done(route: &Route) -> String {
    if let Some(Action::DirectResponse(DirectResponseAction { status, .. })) = &route.action {
        return status.to_string();
    }
    let Some(keys) = route
        .typed_per_filter_config
        .get("chancery.limit-count.keys")
    else {
        return String::new();
    };
    let keys = HeaderMutationPerRoute::decode(keys.value.as_slice()).unwrap();
    format!("{keys:?}")
        .split('"')
        .filter(|text| text.contains("workflow "))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn the_first_rule_that_fits_is_done() {
    let routes = branched(json!({"workflow": {"rules": [
        {"case": [["uri", "==", "/b/closed"]], "actions": [["return", {"code": 403}]]},
        {"case": [["http_x_user", "==", "a"]], "actions": [["limit-count", {"count": 1, "time_window": 60}]]},
        {"case": [["OR", ["arg_a", "==", "1"], ["arg_b", "==", "1"]]], "actions": [["return", {"code": 404}]]},
    ]}}));
    let address = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";
    assert_eq!(
        routes.iter().map(done).collect::<Vec<_>>(),
        ["403", &format!("|workflow 1|{address}"), "404", "404", ""]
    );
}

#[test]
fn a_rule_without_a_case_is_for_the_rest() {
    let rules = json!({"rules": [
        {"case": [["arg_a", "==", "1"]], "actions": [["limit-count", {"count": 2, "time_window": 60}]]},
        {"actions": [["return", {"code": 418}], ["return", {"code": 200}]]},
        {"actions": [["return", {"code": 500}]]},
    ]});
    let routes = branched(json!({"workflow": rules}));
    assert_eq!(done(&routes[1]), "418");
    assert_eq!(routes.len(), 2);
    let said = warned("workflow", rules);
    for one in [
        "rules[1].actions: the first is done and no other, as in APISIX",
        "rules[2]: is never reached: a rule before it has no `case`, so every request fits that",
    ] {
        assert!(said.iter().any(|other| other == one), "{said:#?}");
    }
    assert!(
        said.iter()
            .any(|one| one.starts_with("rules[0].actions[0][1]: each Envoy counts by itself")),
        "{said:#?}"
    );
}

#[test]
fn a_request_is_under_the_limits_of_one_rule() {
    let count = json!(["limit-count", {"count": 1, "time_window": 60}]);
    let rules = json!([{"case": [["arg_a", "==", "1"]], "actions": [count]}, {"actions": [count]}]);
    let plugins = read(json!({"workflow": {"rules": rules}})).unwrap();
    assert_eq!(plugins.asked().count(), 2);
    plugins.check_limits().unwrap();
}

#[test]
fn what_is_refused() {
    for (configuration, said) in [
        ("{}", "`rules` is missing"),
        (r#"{"rules":[{}]}"#, "rules[0]: `actions` is missing"),
        (
            r#"{"rules":[{"actions":[]}]}"#,
            "rules[0].actions: is empty, allowed: at least one",
        ),
        (
            r#"{"rules":[{"case":[],"actions":[["return",{"code":403}]]}]}"#,
            "rules[0].case: is empty, allowed: at least one condition; leave it out where every request is meant",
        ),
        (
            r#"{"rules":[{"actions":[["return",{"code":100}]]}]}"#,
            "rules[0].actions[0][1].code: found 100, allowed: 200–599",
        ),
        (
            r#"{"rules":[{"actions":[["return"]]}]}"#,
            "rules[0].actions[0]: allowed: a name and what it is to do, as [\"return\", {\"code\": 403}]",
        ),
        (
            r#"{"rules":[{"actions":[["key-auth",{}]]}]}"#,
            "rules[0].actions[0][0]: found \"key-auth\", allowed: return, limit-count, limit-conn",
        ),
        (
            r#"{"rules":[{"actions":[["limit-conn",{"conn":1,"burst":0,"default_conn_delay":0.1,"key":"remote_addr"}]]}]}"#,
            "rules[0].actions[0][1].policy: found \"local\", allowed: redis, redis-cluster: no filter of Envoy's counts requests under \
             way by key, and `chancery ratelimit` keeps counts in Redis",
        ),
        (
            r#"{"rules":[{"actions":[["limit-count",{"count":1,"time_window":1,"group":"a"}]]}]}"#,
            "rules[0].actions[0][1].group: is not for a workflow, whose rules count apart; leave it out",
        ),
        (
            r#"{"rules":[{"actions":[["limit-count",{"count":0,"time_window":1}]]}]}"#,
            "rules[0].actions[0][1].count: found 0, allowed: 1–4294967295",
        ),
    ] {
        assert_eq!(refusal("workflow", configuration), said, "{configuration}");
    }
}
