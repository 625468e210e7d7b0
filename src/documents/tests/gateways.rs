//! Gateways: one is there without being written, and one follows an upstream.

use super::*;

#[test]
fn the_default_gateway_is_there_without_being_written() {
    let gateway = r#"{"listeners":[{"name":"http","port":80}]}"#;
    let other = r#"{"listeners":[{"name":"http","port":9080},{"name":"https","port":9443,"protocol":"https"}]}"#;
    play(&[
        (put("gateways/default", gateway), "+gateways/default"),
        (
            put("gateways/default", "{}"),
            "bad /chancery/gateways/default",
        ),
        (deleted("gateways/default"), "+gateways/default"),
        // As it is built in.
        (put("gateways/default", other), ""),
        (put("gateways/edge", gateway), "+gateways/edge"),
        (deleted("gateways/edge"), "-gateways/edge"),
    ]);
}

#[test]
fn a_gateway_follows_the_upstream_that_its_spans_go_to() {
    let gateway = r#"{"listeners":[{"name":"http","port":80}],"tracing":{"provider":"zipkin","upstream_id":"u"}}"#;
    let service = r#"{"service_name":"zipkin","discovery_type":"consul"}"#;
    let grpc = r#"{"scheme":"grpc","nodes":{"a:80":1}}"#;
    let mut documents = play(&[
        (put("gateways/edge", gateway), "bad /chancery/gateways/edge"),
        (
            put("upstreams/u", service),
            "+gateways/edge, +consul/zipkin, mended /chancery/gateways/edge",
        ),
        (put("upstreams/u", grpc), "bad /chancery/gateways/edge"),
        (deleted("upstreams/u"), "bad /chancery/gateways/edge"),
        (deleted("gateways/edge"), "-gateways/edge, -consul/zipkin"),
        (
            put("gateways/default", gateway),
            "bad /chancery/gateways/default",
        ),
    ]);
    documents.apply(put("upstreams/u", grpc));
    documents.settle();
    let said: Vec<_> = documents
        .problems()
        .map(|problem| problem.to_string())
        .collect();
    assert_eq!(
        said,
        [
            "/chancery/gateways/default: tracing.upstream_id: refers to `upstreams/u`, whose `scheme` is `grpc`: spans are posted over HTTP here"
        ]
    );
}
