use serde_json::json;

use crate::plugin::shared::span;
use crate::plugin::tests::{applied, refusal, warned};

#[test]
fn a_share_of_the_requests_becomes_spans() {
    let tracing = applied(
        json!({"zipkin": {"endpoint": "http://zipkin:9411/api/v2/spans", "sample_ratio": 0.25}}),
    )
    .tracing
    .unwrap();
    assert_eq!(tracing.random_sampling.unwrap().numerator, 250_000);
    assert_eq!(tracing.client_sampling.unwrap().numerator, 0);
    assert_eq!(tracing.overall_sampling.unwrap().numerator, 1_000_000);
}

#[test]
fn beside_opentelemetry_the_larger_share_holds() {
    let zipkin = json!({"endpoint": "http://zipkin", "sample_ratio": 0.25});
    for (fraction, sampled) in [(0.5, 500_000), (0.1, 250_000)] {
        let sampler = json!({"name": "trace_id_ratio", "options": {"fraction": fraction}});
        let both = json!({"zipkin": zipkin.clone(), "opentelemetry": {"sampler": sampler}});
        let tracing = applied(both).tracing.unwrap();
        assert_eq!(tracing.random_sampling.unwrap().numerator, sampled);
    }
}

#[test]
fn what_the_gateway_says_instead_is_told() {
    let full = json!({
        "endpoint": "http://zipkin", "sample_ratio": 1, "service_name": "a", "server_addr": "10.0.0.1", "span_version": 1,
    });
    let said = warned("zipkin", full);
    assert_eq!(said[0], format!("endpoint: {}", span::WHERE));
    let fields: Vec<_> = said
        .iter()
        .filter_map(|said| said.split(':').next())
        .collect();
    assert_eq!(
        fields,
        ["endpoint", "service_name", "server_addr", "span_version"]
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"sample_ratio":1}"#, "`endpoint` is missing"),
        (
            r#"{"endpoint":"http://a","sample_ratio":0}"#,
            "sample_ratio: found 0, allowed: 0.00001–1",
        ),
        (
            r#"{"endpoint":"http://a","sample_ratio":1,"span_version":3}"#,
            "span_version: found 3, allowed: 1, 2",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("zipkin", configuration), said, "of {configuration}");
    }
}
