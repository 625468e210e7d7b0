use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute;
use prost::Message;
use serde_json::{Value, json};

use crate::model::problem::Remark;
use crate::plugin::tests::{body, limits, read};
use crate::plugin::{Plugins, http_filters};

/// What global rules and a route make of a route without an upstream; the rules in order.
fn applied(rules: &[Value], own: Value) -> Route {
    let rules = rules.iter().map(|rule| read(rule.clone()).unwrap());
    let all = rules.fold(read(own).unwrap(), |all, rule| all.below(&rule));
    let mut routes = all.apply(Route::default(), |_| RouteAction::default());
    routes.pop().unwrap()
}

fn filters(route: &Route) -> BTreeSet<&str> {
    route
        .typed_per_filter_config
        .keys()
        .map(String::as_str)
        .collect()
}

/// The remark on the second of two global rules.
fn clash(first: Value, second: Value) -> Option<Remark> {
    let read = |plugins| read(plugins).unwrap();
    Plugins::beside(&read(second), &read(first), "global_rules/1").1
}

#[test]
fn a_rule_and_a_route_deny_by_filters_of_their_own_each_in_its_words() {
    let of = |message: &str| json!({"ua-restriction": {"denylist": ["a"], "message": message}});
    let route = applied(&[of("the rule")], of("the route"));
    let both = BTreeSet::from(["global/ua-restriction", "ua-restriction"]);
    assert_eq!(filters(&route), both);
    for (filter, message) in [
        ("global/ua-restriction", "the rule"),
        ("ua-restriction", "the route"),
    ] {
        let config = &route.typed_per_filter_config[filter];
        let said = RbacPerRoute::decode(config.value.as_slice()).unwrap();
        let rules = said.rbac.unwrap().rules.unwrap();
        assert!(rules.policies.keys().eq([filter]), "{rules:?}");
        assert_eq!(
            body(&route, filter),
            format!(r#"{{"message":"{message}"}}"#)
        );
    }
}

#[test]
fn two_rules_deny_whom_either_denies_and_change_headers_one_after_the_other() {
    let rule = |agent: &str, header: &str| {
        json!({
            "ua-restriction": {"denylist": [agent]},
            "response-rewrite": {"headers": {"set": {"x-a": header}}},
        })
    };
    assert_eq!(clash(rule("a", "1"), rule("b", "2")), None);
    let route = applied(&[rule("a", "1"), rule("b", "2")], json!({}));
    let config = |filter: &str| route.typed_per_filter_config[filter].value.as_slice();
    let denial = RbacPerRoute::decode(config("global/ua-restriction")).unwrap();
    let rules = denial.rbac.unwrap().rules.unwrap();
    assert_eq!(rules.policies["global/ua-restriction"].principals.len(), 2);
    let headers = config("global/chancery.response-rewrite.headers");
    let headers = HeaderMutationPerRoute::decode(headers).unwrap();
    assert_eq!(headers.mutations.unwrap().response_mutations.len(), 2);
}

#[test]
fn what_one_filter_cannot_say_of_two_rules_is_told() {
    let told = |first, second| clash(first, second).map(|remark| remark.field);
    let cors = |origin: &str| json!({"cors": {"allow_origins": origin}});
    let first = || cors("https://a.example");
    assert_eq!(told(first(), first()), None);
    assert_eq!(told(first(), json!({"csrf": {"key": "k"}})), None);
    let refused = Some("plugins.cors".to_owned());
    assert_eq!(told(first(), cors("https://b.example")), refused);
    let denial = |message: &str| json!({"ua-restriction": {"denylist": ["a"], "message": message}});
    let refused = Some("plugins.ua-restriction".to_owned());
    assert_eq!(told(denial("one"), denial("other")), refused);
    // Of two checks the second would not be asked for.
    let auth =
        |server: &str, verify: bool| json!({"forward-auth": {"uri": server, "ssl_verify": verify}});
    assert_eq!(told(auth("https://a", true), auth("https://a", true)), None);
    let opa = |server: &str, verify: bool| json!({"opa": {"host": server, "policy": "p", "ssl_verify": verify}});
    assert_eq!(told(opa("https://a", true), opa("https://a", true)), None);
    for (server, verify) in [("https://b", true), ("https://a", false)] {
        let refused = told(auth("https://a", true), auth(server, verify));
        assert_eq!(refused.as_deref(), Some("plugins.forward-auth"));
        let refused = told(opa("https://a", true), opa(server, verify));
        assert_eq!(refused.as_deref(), Some("plugins.opa"));
    }
    // Where it is answered by routes, both are asked.
    let blocker = |rule: &str| json!({"uri-blocker": {"block_rules": [rule]}});
    assert_eq!(told(blocker("a"), blocker("b")), None);
}

#[test]
fn limits_of_rules_and_of_a_route_have_slots_and_filters_of_their_own() {
    let limit = |count: u32| json!({"limit-count": {"count": count, "time_window": 60}});
    let of_rule = |id: &str, count| {
        let key = format!("global_rules/{id}").parse().unwrap();
        Plugins::read(&key, Some(&limit(count)), &mut Vec::new()).unwrap()
    };
    let (one, two) = (of_rule("1", 1), of_rule("2", 2));
    assert_eq!(two.beside(&one, "global_rules/1").1, None);
    let all = read(limit(3)).unwrap().below(&one).below(&two);
    let names: Vec<_> = limits(&all);
    let expected = [
        "global/chancery.limit-count.told 1 1/60000000000ns",
        "global/chancery.limit-count.told 2 2/60000000000ns",
        "chancery.limit-count.told 3 3/60000000000ns",
    ];
    assert_eq!(names, expected);
    let routes = all.apply(Route::default(), |_| RouteAction::default());
    let of = |filter: &str| {
        let config = &routes[0].typed_per_filter_config[filter].value;
        let config = HeaderMutationPerRoute::decode(config.as_slice()).unwrap();
        format!("{config:?}")
    };
    let (of_rules, own) = (
        of("global/chancery.limit-count.keys"),
        of("chancery.limit-count.keys"),
    );
    for (slot, is_rules) in [(1, true), (2, true), (3, false)] {
        let header = format!("\"x-chancery-limit-{slot}\"");
        assert_eq!(
            (of_rules.contains(&header), own.contains(&header)),
            (is_rules, !is_rules)
        );
    }
    assert!(of_rules.contains("global_rules/1|") && of_rules.contains("global_rules/2|"));
    let many = (0..9).fold(read(limit(3)).unwrap(), |all, _| all.below(&one));
    assert!(many.check_limits().is_err() && all.check_limits().is_ok());
}

#[test]
fn requests_pass_the_filters_of_rules_first_and_so_do_answers() {
    let filters = http_filters();
    let names: Vec<&str> = filters.iter().map(|filter| filter.name.as_str()).collect();
    let at = |name: &str| names.iter().position(|one| *one == name).unwrap();
    let alone = ["global/", "consumer/"];
    let own = names.iter();
    let own = own.filter(|name| !alone.iter().any(|start| name.starts_with(start)));
    for name in own {
        let of_rules = at(&format!("global/{name}"));
        if name.ends_with(".which") {
            continue;
        }
        if name.contains("grpc-transcode") {
            // Next to where requests go, whosever it is.
            assert!(of_rules + 4 >= names.len() && at(name) + 2 >= names.len());
            continue;
        }
        let changes_answers = ["response-rewrite", "zip", "brotli", "echo"]
            .iter()
            .any(|one| name.contains(one));
        if changes_answers {
            assert!(at(name) < of_rules, "{name}");
        } else {
            assert!(of_rules < at("chancery.client-control"), "{name}");
        }
    }
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn a_rule_and_a_route_write_their_lines_by_one_router() {
    let log = |path: &str| json!({"file-logger": {"path": path, "log_format": {"a": "$host"}}});
    let route = applied(&[log("/a")], log("/b"));
    assert_eq!(filters(&route), BTreeSet::from(["chancery.router"]));
    let config = &route.typed_per_filter_config["chancery.router"].value;
    let logs = ["/a", "/b"].map(|path| config.windows(2).filter(|w| *w == path.as_bytes()).count());
    assert_eq!(logs, [1, 1]);
}
