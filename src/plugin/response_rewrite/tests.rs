use serde_json::json;

use super::statuses::split;
use super::{ANSWER, CHANGES, HEADERS, WHICH};
use crate::plugin::Plugins;
use crate::plugin::shared::asked::Asked;
use crate::plugin::tests::{applied, branched, refusal, warned};

#[test]
fn headers_and_an_answer_of_its_own_are_two_filters() {
    let enabled = |plugin| -> Vec<String> {
        let route = applied(json!({"response-rewrite": plugin}));
        let mut filters: Vec<_> = route.typed_per_filter_config.into_keys().collect();
        filters.sort();
        filters
    };
    assert_eq!(enabled(json!({"headers": {"x-a": "b"}})), [HEADERS]);
    let answer = json!({"headers": {"set": {"x-a": 1}}, "body": "{}", "status_code": 201});
    assert_eq!(enabled(answer), [ANSWER, WHICH]);
}

#[test]
fn equal_answers_are_one_that_a_filter_is_told_of_once() {
    let asked = |body: &str, id: &str| -> Vec<Asked> {
        let key = id.parse().unwrap();
        let plugins = json!({"response-rewrite": {"body": body}});
        let plugins = Plugins::read(&key, Some(&plugins), &mut Vec::new()).unwrap();
        plugins.asked().collect()
    };
    assert_eq!(asked("a", "routes/1"), asked("a", "routes/2"));
    assert_ne!(asked("a", "routes/1"), asked("b", "routes/1"));
    let filter = asked("a", "global_rules/1")[0].filter();
    assert_eq!(filter.name(), "global/chancery.response-rewrite.answer");
}

#[test]
fn only_answers_to_requests_that_match_are_rewritten() {
    let vars = json!([["arg_a", "==", "1"]]);
    let routes = branched(json!({"response-rewrite": {"headers": {"x-a": "b"}, "vars": vars}}));
    let rewritten: Vec<bool> = routes
        .iter()
        .map(|route| route.typed_per_filter_config.contains_key(HEADERS))
        .collect();
    assert_eq!(rewritten, [true, false]);
}

#[test]
fn statuses_become_a_pattern_and_ranges() {
    let of = |vars: serde_json::Value| {
        let (others, statuses) = split(&vars).unwrap();
        let statuses = statuses.unwrap();
        (others, statuses.pattern(), statuses.written().to_string())
    };
    let arg = json!(["arg_a", "==", "1"]);
    let (others, pattern, ranges) = of(json!([arg, ["status", ">=", 500], ["status", "<", "512"]]));
    assert_eq!(others, Some(json!([arg])));
    assert_eq!(pattern, "5[0][0-9]|51[01]");
    assert_eq!(ranges, r#"[{"from":500,"to":511}]"#);
    for (vars, pattern) in [
        (
            json!([["status", "~=", 200]]),
            "[13456789][0-9][0-9]|2[123456789][0-9]|20[123456789]",
        ),
        (
            json!([["status", "!", "in", [200, "404"]]]),
            "[1356789][0-9][0-9]|2[123456789][0-9]|4[123456789][0-9]|20[123456789]|40[01235678 9]",
        ),
        (json!([["status", "~~", "^5"]]), "[5][0-9][0-9]"),
        (json!([["status", 404]]), "40[4]"),
        (json!([["status", ">", 1000]]), ""),
    ] {
        assert_eq!(of(vars).1, pattern.replace(' ', ""));
    }
}

#[test]
fn headers_by_status_are_left_to_the_script() {
    let vars = json!([["status", "==", 500]]);
    let route =
        applied(json!({"response-rewrite": {"headers": {"set": {"x-a": "%"}}, "vars": vars}}));
    let filters: Vec<_> = route.typed_per_filter_config.into_keys().collect();
    assert_eq!(filters, [CHANGES]);
}

#[test]
fn what_differs_is_told() {
    assert_eq!(
        warned("response-rewrite", json!({"body": "a"})),
        [
            "body: replaces the instance's headers as well: the client gets those of `headers` only, and `content-type: text/plain` \
             unless they say otherwise"
        ]
    );
    assert_eq!(
        warned(
            "response-rewrite",
            json!({"headers": {"set": {"x-host": "$host"}}})
        ),
        ["headers.set.x-host: `$host` holds the port as well where the client names one"]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"body":"a","status_code":599}"#,
            "status_code: found 599, allowed: 200–598",
        ),
        (
            r#"{"body":"?","body_base64":true}"#,
            "body: found something else beside `body_base64`, allowed: base64",
        ),
        (
            r#"{"body_base64":true}"#,
            "body: is missing beside `body_base64`",
        ),
        (
            r#"{"filters":[]}"#,
            "filters: found an empty list, allowed: at least one",
        ),
        (
            r#"{"filters":[{"regex":"a+","replace":"b"}]}"#,
            "filters: `regex`: found \"a+\", allowed: letters that stand for themselves, as there are no patterns in the Lua of Envoy",
        ),
        (
            r#"{"filters":[{"regex":"","replace":"b"}]}"#,
            "filters: `regex`: found \"\", allowed: letters that stand for themselves, as there are no patterns in the Lua of Envoy",
        ),
        (
            r#"{"filters":[{"regex":"a","replace":"$0"}]}"#,
            "filters: `replace`: found \"$0\", allowed: no groups",
        ),
        (
            r#"{"filters":[{"regex":"a","replace":"b","options":"x"}]}"#,
            "filters: `options`: found `x`, allowed: i, j, o",
        ),
        (
            r#"{"body":"a","filters":[{"regex":"a","replace":"b"}]}"#,
            "filters: found beside `body`, allowed: one of both",
        ),
        (
            r#"{"headers":{"x-a":"$uri"},"vars":[["status","==",500]]}"#,
            "headers: found a variable in the value of a header beside `vars` about `status`, allowed: values without variables",
        ),
        (
            r#"{"body":"a","vars":["OR",["status","==",500],["arg_a","==","1"]]}"#,
            "vars: asks for `status` beside an operator, allowed: in a list whose conditions must all hold",
        ),
        (
            r#"{"body":"a","vars":[["status","has",500]]}"#,
            "vars: found the operator \"has\" for `status`, allowed: ==, ~=, >, >=, <, <=, in, ~~",
        ),
        (
            r#"{"body":"a","vars":[["status","==","ok"]]}"#,
            "vars: found \"\\\"ok\\\"\" beside `status`, allowed: a number",
        ),
        (
            r#"{"body":"a","vars":[["status","~~","[13579]$"]]}"#,
            "vars: mean too many statuses apart from each other, allowed: ranges of statuses",
        ),
        (
            r#"{"headers":{"add":["x"]}}"#,
            "headers.add[0]: found no `:`, allowed: a header such as \"X-Name: value\"",
        ),
        (
            r#"{"headers":{"remove":["a b"]}}"#,
            r#"headers.remove[0]: found the name "a b", allowed: letters, digits and `-`"#,
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("response-rewrite", configuration),
            said,
            "of {configuration}"
        );
    }
}
