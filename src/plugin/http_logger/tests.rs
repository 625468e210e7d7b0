use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::{Value, json};

use crate::model::log_target::LogTarget;
use crate::plugin::shared::{logged, rule};
use crate::plugin::tests::{applied, refusal, warned};

/// What the route tells a script of its targets, a line each.
fn told(route: &Route, filter: &str) -> String {
    let own = &route.typed_per_filter_config[filter];
    let told = LuaPerRoute::decode(own.value.as_slice()).unwrap();
    let context = told.filter_context.unwrap();
    match context.fields["to"].kind.as_ref().unwrap() {
        Kind::StringValue(lines) => lines.clone(),
        other => panic!("no text: {other:?}"),
    }
}

pub(crate) fn target(route: &Route) -> Value {
    serde_json::from_str(&told(route, "chancery.logs")).unwrap()
}

#[test]
fn two_global_rules_have_a_request_posted_to_both() {
    let line = told(
        &applied(json!({"http-logger": {"uri": "http://a"}})),
        "chancery.logs",
    );
    let other = line.replace("http://a", "http://b");
    let mut route = Route::default();
    for line in [&line, &other] {
        logged::log(&mut route, &LogTarget::read(line).unwrap());
        rule::take(&mut route);
    }
    let both = told(&route, "global/chancery.logs");
    assert_eq!(both, format!("{line}\n{other}"));
}

#[test]
fn a_route_says_where_its_log_goes() {
    let route = applied(json!({"http-logger": {"uri": "http://collector:9000/logs?a=b"}}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"http": {"uri": "http://collector:9000/logs?a=b", "timeout": 3, "verify": false, "lines": false}},
            "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
        })
    );
    let route = applied(json!({"http-logger": {
        "uri": "https://a", "auth_header": "Basic planted", "timeout": 1, "batch_max_size": 2, "inactive_timeout": 3,
        "buffer_duration": 4, "max_retry_count": 5, "retry_delay": 6, "concat_method": "new_line", "ssl_verify": true,
        "log_format": {"@timestamp": "$time_iso8601"}, "name": "mine",
    }}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"http": {"uri": "https://a", "timeout": 1, "verify": true, "lines": true}},
            "batch": {"most": 2, "idle": 3, "age": 4, "retries": 5, "pause": 6},
            "format": {"@timestamp": "$time_iso8601"},
        })
    );
}

#[test]
fn a_secret_is_not_for_envoy() {
    let said = warned(
        "http-logger",
        json!({"uri": "http://a", "auth_header": "Basic planted"}),
    );
    assert_eq!(
        said,
        [
            "auth_header: is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server \
             (--authorization)"
        ]
    );
}

#[test]
fn what_no_entry_can_carry_is_refused() {
    let long = "a".repeat(8000);
    let format = |fields: usize| {
        let fields = (0..fields).map(|number| (number.to_string(), json!(long)));
        Value::Object(fields.collect())
    };
    let most = json!({"http-logger": {"uri": "http://a", "log_format": format(2)}});
    assert_eq!(target(&applied(most))["format"], format(2));
    let more = json!({"uri": "http://a", "log_format": format(3)});
    assert_eq!(
        refusal("http-logger", &more.to_string()),
        "log_format: found 24022 bytes, allowed: at most 16384"
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"uri":"ftp://a/b"}"#,
            r#"uri: found "ftp://a/b", allowed: http://HOST/PATH, https://…"#,
        ),
        (
            r#"{"uri":"http://me:planted@a/b"}"#,
            "uri: found a user in it, allowed: none",
        ),
        (
            r#"{"uri":"http://a","include_req_body":true}"#,
            "include_req_body: found true, allowed: false, as Envoy tells no bodies to its logs",
        ),
        (
            r#"{"uri":"http://a","include_resp_body_expr":[]}"#,
            "include_resp_body_expr: `include_resp_body_expr` is not served: Envoy tells no bodies to its logs",
        ),
        (
            r#"{"uri":"http://a","batch_max_size":0}"#,
            "batch_max_size: found 0, allowed: 1–10000",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("http-logger", configuration),
            said,
            "of {configuration}"
        );
    }
    let said = refusal(
        "http-logger",
        r#"{"uri":"http://a","log_format":{"a":"$request_time"}}"#,
    );
    assert!(
        said.starts_with(r#"log_format.a: found the variable "$request_time", allowed: "#),
        "{said}"
    );
}

#[test]
fn a_route_with_two_loggers_has_both_be_told() {
    let route = applied(json!({
        "http-logger": { "uri": "http://a" }, "tcp-logger": { "host": "b", "port": 1 },
    }));
    let both = told(&route, "chancery.logs");
    assert_eq!(both.lines().count(), 2, "{both}");
}
