use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::{Struct, value::Kind};
use prost::Message;
use serde_json::json;

use crate::plugin::tests::{branched, refusal, warned};

#[test]
fn it_does_what_it_says() {
    assert!(warned("cors", json!({})).is_empty());
    let form = json!({"allow_credential": true, "allow_origins": "**", "allow_methods": "**", "allow_headers": "**"});
    assert!(warned("cors", form).is_empty());
}

fn context(route: &Route) -> Struct {
    let config = &route.typed_per_filter_config["chancery.cors"];
    let script = LuaPerRoute::decode(config.value.as_slice()).unwrap();
    script.filter_context.unwrap()
}

#[test]
fn patterns_are_told_apart_by_routes_each_by_itself() {
    let form = json!({"cors": {
        "allow_origins_by_regex": ["a", "b"], "timing_allow_origins_by_regex": ["c"], "allow_headers": "",
    }});
    let routes = branched(form);
    let of = |route: &Route| {
        let fields = context(route).fields;
        let fits = |name: &str| fields[name].kind == Some(Kind::StringValue("**".to_owned()));
        // Without a list the script would tell whatever is asked for.
        assert!(fields.contains_key("headers"));
        let asked = route.r#match.as_ref().unwrap().headers.len();
        (asked, fits("origins"), fits("timing"))
    };
    let parts: Vec<_> = routes.iter().map(of).collect();
    assert_eq!(
        parts,
        [
            (2, true, true),
            (1, true, false),
            (1, false, true),
            (0, false, false)
        ]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"allow_credential":true}"#,
            "allow_origins: is \"*\" beside `allow_credential`, allowed: names, or \"**\" for all",
        ),
        (
            r#"{"allow_credential":true,"allow_origins_by_regex":["a"],"allow_methods":"GET"}"#,
            "allow_headers: is \"*\" beside `allow_credential`, allowed: names, or \"**\" for all",
        ),
        (
            r#"{"allow_origins":"www.example.com"}"#,
            "allow_origins: found \"www.example.com\", allowed: origins such as \"https://www.example.com\" with commas between them, \"*\", \"**\"",
        ),
        (
            r#"{"allow_origins_by_regex":["(a"]}"#,
            r#"allow_origins_by_regex[0]: found "(a": unclosed group"#,
        ),
        (
            r#"{"allow_origins_by_regex":[]}"#,
            "allow_origins_by_regex: found an empty list, allowed: at least one pattern",
        ),
        (
            r#"{"timing_allow_origins":"a"}"#,
            "timing_allow_origins: found \"a\", allowed: origins such as \"https://www.example.com\" with commas between them, \"*\", \"**\"",
        ),
        (
            r#"{"allow_origins_by_metadata":[]}"#,
            "allow_origins_by_metadata: found an empty list, allowed: at least one name",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("cors", configuration), said, "of {configuration}");
    }
}
