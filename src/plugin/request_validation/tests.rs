use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::json;

use super::CHECKS;
use super::pattern::of_lua;
use crate::envoy::filter;
use crate::plugin::Plugins;
use crate::plugin::shared::asked::{Asked, Script};
use crate::plugin::tests::{applied, refusal};

#[test]
fn the_script_is_told_the_schema() {
    let route = applied(json!({"request-validation": {
        "header_schema": {"required": ["X-One"]}, "rejected_code": 403, "rejected_msg": "no",
    }}));
    let config = &route.typed_per_filter_config[CHECKS].value;
    let context = LuaPerRoute::decode(config.as_slice())
        .unwrap()
        .filter_context;
    let fields = context.unwrap().fields;
    assert_eq!(fields.len(), 3);
    assert_eq!(fields["status"].kind, Some(Kind::StringValue("403".into())));
    let Some(Kind::StructValue(headers)) = &fields["headers"].kind else {
        panic!("no rule: {fields:?}");
    };
    assert!(matches!(
        &headers.fields["properties"].kind,
        Some(Kind::ListValue(list)) if list.values.len() == 1
    ));
}

#[test]
fn each_filter_is_asked_to_run_the_script_by_those_whose_it_is() {
    let value = json!({"request-validation": {"header_schema": {}}});
    let key = "routes/r".parse().unwrap();
    let own = Plugins::read(&key, Some(&value), &mut Vec::new()).unwrap();
    let of_rule = Plugins::default().below(&own);
    for (plugins, expected) in [
        (own, CHECKS.to_owned()),
        (of_rule, filter::of_rules(CHECKS)),
    ] {
        let asked: Vec<Asked> = plugins.asked().collect();
        let [Asked::Script(Script { source, .. })] = asked[..] else {
            panic!("{expected} is asked for {asked:?}");
        };
        assert!(source.contains("envoy_on_request"));
        assert_eq!(asked[0].filter().name(), expected);
    }
}

#[test]
fn patterns_are_those_of_lua() {
    let table = [
        ("", ""),
        ("^[a-z]+$", "^[a-z][a-z]*\n?$"),
        ("a$", "a\n?$"),
        (r"^v\d{2}-", "^v[0-9][0-9]%-"),
        (r"^\w*$", "^[0-9A-Z%_a-z]*\n?$"),
        (r"a\.b", "a%.b"),
        ("^ab?", "^ab?"),
        (".", "[^\n]"),
        ("^[^a-c]+$", "^[^a-c][^a-c]*\n?$"),
        ("(?s).", "."),
        ("^a*ab$", "^a*ab\n?$"),
        (
            r"^[^@]+@\w+\.[a-z]+$",
            "^[^%@][^%@]*%@[0-9A-Z%_a-z][0-9A-Z%_a-z]*%.[a-z][a-z]*\n?$",
        ),
        ("^a{2,5}$", "^aaa?a?a?\n?$"),
        ("^-?[0-9]+", "^%-?[0-9][0-9]*"),
    ];
    for (written, lua) in table {
        assert_eq!(of_lua(written).unwrap(), lua, "of {written}");
    }
    for written in [
        "a|bc",
        "(ab)+",
        "a+",
        "(?=a)",
        r"\bword",
        "ä",
        "^a{65}",
        r"^a\z",
        r"^\v$",
        // What takes Lua more turns than the text has characters.
        "^a*a*$",
        "^[^b]+a+",
        "^[a-c]*b*[b-d]*e",
        "^a{0,10}$",
        "^a?a*ab",
    ] {
        assert!(of_lua(written).is_err(), "{written}");
    }
}

#[test]
fn what_is_refused() {
    let table = [
        (
            "{}",
            "needs one of `header_schema` and `body_schema`, or both",
        ),
        (
            r#"{"header_schema":{"minProperties":1}}"#,
            "header_schema.minProperties: unknown field `minProperties`, allowed: title, description, type, required, properties",
        ),
        (
            r#"{"body_schema":{"properties":{"a":{"format":"email"}}}}"#,
            "body_schema.properties.a.format: ",
        ),
        (
            r#"{"body_schema":{"items":{"type":"text"}}}"#,
            "body_schema.items.type[0]: found \"text\", allowed: ",
        ),
        (
            r#"{"body_schema":{"enum":[null]}}"#,
            "body_schema.enum: found a list, an object or null, allowed: texts, numbers, true and false",
        ),
        (
            r#"{"body_schema":{"pattern":"a|bc"}}"#,
            "body_schema.pattern: found \"a|bc\", allowed: characters and classes such as [a-z] one after the other, `{n}`, \
             and behind `^` `?`, `*`, `+`, `{n,}` and `{n,m}`, each but the last before what it does not take itself",
        ),
        (
            r#"{"body_schema":{"required":[]}}"#,
            "body_schema.required: is empty, allowed: at least one",
        ),
        (
            r#"{"header_schema":{},"rejected_code":600}"#,
            "rejected_code: found 600, allowed: 200–599",
        ),
    ];
    for (configuration, said) in table {
        let refused = refusal("request-validation", configuration);
        assert!(refused.starts_with(said), "of {configuration}: {refused}");
    }
}

#[test]
fn the_script_is_told_defaults_as_they_are_written_in_a_body() {
    let route = applied(json!({"request-validation": {"body_schema": {
        "required": ["a"], "properties": {
            "a": {"default": 1}, "b\"": {"default": {"c": [1, "d"]}}, "e": {"default": false}, "f": {"default": null}, "g": {},
        },
    }}}));
    let config = &route.typed_per_filter_config[CHECKS];
    let told = format!("{:?}", LuaPerRoute::decode(config.value.as_slice()));
    assert_eq!(told.matches("\"default\"").count(), 1, "{told}");
    assert!(
        told.contains(r#"StringValue("\"b\\\"\":{\"c\":[1,\"d\"]}")"#),
        "{told}"
    );
}

const TOO_LARGE: &str = "is too large, allowed: 512 schemas, and 16 within each other";

/// What is said of schemas that stand within each other, so many.
fn of_depth(depth: usize) -> String {
    let mut schema = json!({});
    for _ in 1..depth {
        schema = json!({ "items": schema });
    }
    refusal(
        "request-validation",
        &json!({ "body_schema": schema }).to_string(),
    )
}

/// What is said of so many schemas, the whole one included.
fn of_number(number: usize) -> String {
    let properties = |from: usize, to: usize| -> serde_json::Value {
        (from..to).map(|at| (format!("p{at}"), json!({}))).collect()
    };
    // No object has as many fields.
    let half = number / 2;
    let schema = json!({
        "items": {"properties": properties(2, half)}, "properties": properties(half, number),
    });
    refusal(
        "request-validation",
        &json!({ "body_schema": schema }).to_string(),
    )
}

#[test]
fn schemas_are_bounded() {
    assert_eq!(of_depth(16), "nothing");
    assert!(of_depth(17).ends_with(TOO_LARGE), "{}", of_depth(17));
    assert_eq!(of_number(512), "nothing");
    assert!(of_number(513).ends_with(TOO_LARGE), "{}", of_number(513));
}
