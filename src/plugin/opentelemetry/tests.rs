use envoy_types::pb::envoy::r#type::tracing::v3::custom_tag::Type;
use serde_json::json;

use crate::plugin::shared::span;
use crate::plugin::tests::{applied, refusal, warned};

#[test]
fn samplers_say_how_many_requests_become_spans() {
    let table = [
        (json!({}), 0),
        (json!({"sampler": {"name": "always_on"}}), 1_000_000),
        (
            json!({"sampler": {"name": "trace_id_ratio", "options": {"fraction": 0.5}}}),
            500_000,
        ),
        (
            json!({"sampler": {"name": "trace_id_ratio", "options": {"fraction": 0.000_000_1}}}),
            1,
        ),
        (json!({"sampler": {"name": "parent_base"}}), 0),
        (
            json!({"sampler": {"name": "parent_base", "options": {"root": {"name": "always_on"}}}}),
            1_000_000,
        ),
        (
            json!({"sampler": {"name": "parent_base", "options": {"root": {
                "name": "trace_id_ratio", "options": {"fraction": 0.1},
            }}}}),
            100_000,
        ),
    ];
    for (configuration, sampled) in table {
        let tracing = applied(json!({"opentelemetry": configuration.clone()})).tracing;
        let sampling = tracing.unwrap().random_sampling.unwrap();
        assert_eq!(sampling.numerator, sampled, "of {configuration}");
    }
}

#[test]
fn spans_carry_what_is_asked_for() {
    let tracing = applied(json!({"opentelemetry": {
        "additional_attributes": ["http_x_user", "uri"],
        "additional_header_prefix_attributes": ["X-Team"],
    }}));
    let custom = tracing.tracing.unwrap().custom_tags.into_iter();
    let tags: Vec<_> = custom.map(|tag| (tag.tag, tag.r#type.unwrap())).collect();
    let value = |value: &str| Type::Value(value.to_owned());
    assert_eq!(
        tags,
        [
            ("http_x_user".to_owned(), value("%REQ(x-user)%")),
            ("uri".to_owned(), value("%PATH(NQ)%")),
            ("X-Team".to_owned(), value("%REQ(x-team)%")),
        ]
    );
}

#[test]
fn what_envoy_does_otherwise_is_told() {
    let on = warned("opentelemetry", json!({"sampler": {"name": "always_on"}}));
    assert_eq!(
        on,
        [
            format!(": {}", span::WHERE),
            "sampler: holds where the request has no `traceparent`: else Envoy does as that says, as with `parent_base`"
                .to_owned(),
        ]
    );
    let by_parent = json!({"sampler": {"name": "parent_base"}});
    assert_eq!(warned("opentelemetry", by_parent).len(), 1);
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"sampler":{"name":"sometimes"}}"#,
            r#"sampler.name: found "sometimes", allowed: always_on, always_off, trace_id_ratio, parent_base"#,
        ),
        (
            r#"{"sampler":{"options":{"fraction":2}}}"#,
            "sampler.options.fraction: found 2, allowed: 0–1",
        ),
        (
            r#"{"additional_attributes":["request_time"]}"#,
            "additional_attributes[0]: found the variable \"$request_time\", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, \
             $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri",
        ),
        (
            r#"{"additional_header_prefix_attributes":["x-team-*"]}"#,
            "additional_header_prefix_attributes[0]: found \"x-team-*\", allowed: the whole name of a header, as Envoy does \
             not look for headers by a prefix",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("opentelemetry", configuration),
            said,
            "of {configuration}"
        );
    }
}
