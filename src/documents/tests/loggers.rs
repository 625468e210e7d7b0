//! Requests that are written down by `chancery logs`, and the gateways that name it.

use super::*;

const LISTENERS: &str = r#""listeners":[{"name":"http","port":80}]"#;
const LOGGED: &str = r#""plugins":{"http-logger":{"uri":"http://a/b"}}"#;

fn gateway(more: &str) -> String {
    format!("{{{LISTENERS}{more}}}")
}

fn said(documents: &Documents) -> Vec<String> {
    let problems = documents.problems();
    problems.map(|problem| problem.to_string()).collect()
}

#[test]
fn a_route_is_in_force_once_its_gateway_names_who_posts() {
    let route = format!(
        r#"{{"uri":"/","gateways":["edge"],{LOGGED},"upstream":{{"nodes":{{"a:80":1}}}}}}"#
    );
    let mut documents = play(&[
        (put("gateways/edge", &gateway("")), "+gateways/edge"),
        (
            put("upstreams/u", r#"{"scheme":"grpc","nodes":{"b:80":1}}"#),
            "",
        ),
        (put("routes/a", &route), "bad /chancery/routes/a"),
    ]);
    assert_eq!(
        said(&documents),
        [
            "/chancery/routes/a: plugins.http-logger: is not served by Envoy itself, and `gateways/edge` names nobody who does it, \
             allowed: with `logs` in the gateway, whose upstream is `chancery logs`"
        ]
    );
    documents.apply(put(
        "gateways/edge",
        &gateway(r#","logs":{"upstream_id":"u"}"#),
    ));
    let changes = documents.settle();
    assert_eq!(changes.mended.len(), 1, "{:?}", changes.mended);
    assert!(changes.routes.iter().all(|(_, route)| route.is_some()));
}

#[test]
fn a_gateway_names_an_upstream_that_speaks_grpc() {
    let logs = gateway(r#","logs":{"upstream_id":"u"}"#);
    let mut documents = play(&[(put("upstreams/u", r#"{"nodes":{"b:80":1}}"#), "")]);
    documents.apply(put("gateways/edge", &logs));
    documents.settle();
    assert_eq!(
        said(&documents),
        [
            "/chancery/gateways/edge: logs.upstream_id: refers to `upstreams/u`, whose `scheme` is neither `grpc` nor `grpcs`: \
             `chancery logs` is told by gRPC"
        ]
    );
}

#[test]
fn a_consumer_has_a_logger_once_every_gateway_names_who_posts() {
    let jack = format!(r#"{{"username":"jack",{LOGGED}}}"#);
    let mut documents = play(&[
        (
            put("upstreams/u", r#"{"scheme":"grpc","nodes":{"b:80":1}}"#),
            "",
        ),
        (put("consumers/jack", &jack), "bad /chancery/consumers/jack"),
    ]);
    assert_eq!(
        said(&documents),
        [
            "/chancery/consumers/jack: plugins.http-logger: is not served by Envoy itself, and `gateways/default` names nobody who does \
             it, allowed: with `logs` in the gateway, whose upstream is `chancery logs`"
        ]
    );
    documents.apply(put(
        "gateways/default",
        &gateway(r#","logs":{"upstream_id":"u"}"#),
    ));
    let changes = documents.settle();
    assert_eq!(changes.mended.len(), 1, "{:?}", changes.mended);
}
