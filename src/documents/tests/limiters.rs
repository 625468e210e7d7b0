//! Limits whose counts lie in Redis, and the gateways that name who asks it.

use super::*;

const LISTENERS: &str = r#""listeners":[{"name":"http","port":80}]"#;
const COUNTED: &str =
    r#""plugins":{"limit-count":{"count":1,"time_window":1,"policy":"redis","redis_host":"a"}}"#;

fn gateway(more: &str) -> String {
    format!("{{{LISTENERS}{more}}}")
}

#[test]
fn a_route_is_in_force_once_each_of_its_gateways_names_who_counts() {
    let route = format!(
        r#"{{"uri":"/","gateways":["edge","inner","later"],{COUNTED},"upstream":{{"nodes":{{"a:80":1}}}}}}"#
    );
    let counts = gateway(r#","rate_limit":{"upstream_id":"u"}"#);
    let upstream = r#"{"scheme":"grpc","nodes":{"b:80":1}}"#;
    let mut documents = play(&[
        (put("gateways/edge", &gateway("")), "+gateways/edge"),
        (put("gateways/inner", &gateway("")), "+gateways/inner"),
        (put("upstreams/u", upstream), ""),
        (put("routes/a", &route), "bad /chancery/routes/a"),
        (
            put("gateways/edge", &counts),
            "+gateways/edge, bad /chancery/routes/a",
        ),
    ]);
    let said: Vec<_> = documents
        .problems()
        .map(|problem| problem.to_string())
        .collect();
    assert_eq!(
        said,
        [
            "/chancery/routes/a: plugins.limit-count.policy: counts in Redis, and `gateways/inner` names nobody who asks it, allowed: \
             `policy: local`, or `rate_limit` in the gateway, whose upstream is `chancery ratelimit`"
        ]
    );
    documents.apply(put("gateways/inner", &counts));
    let changes = documents.settle();
    assert_eq!(changes.mended.len(), 1, "{:?}", changes.mended);
    assert!(changes.routes.iter().all(|(_, route)| route.is_some()));
    // A gateway that names nobody any more leaves the route as it was, and it is said.
    documents.apply(put("gateways/inner", &gateway("")));
    let changes = documents.settle();
    assert!(changes.routes.is_empty(), "{:?}", changes.routes);
    assert_eq!(changes.problems.len(), 1, "{:?}", changes.problems);
}

#[test]
fn a_global_rule_wants_it_of_all_gateways() {
    let counts = gateway(r#","rate_limit":{"upstream_id":"u"}"#);
    let rule = format!("{{{COUNTED}}}");
    let mut documents = play(&[
        (
            put("upstreams/u", r#"{"scheme":"grpc","nodes":{"b:80":1}}"#),
            "",
        ),
        (put("gateways/edge", &counts), "+gateways/edge"),
        (put("global_rules/1", &rule), "bad /chancery/global_rules/1"),
    ]);
    documents.apply(put("gateways/default", &counts));
    let changes = documents.settle();
    assert_eq!(changes.mended.len(), 1, "{:?}", changes.mended);
}

#[test]
fn only_who_speaks_grpc_can_be_asked() {
    let counts = gateway(r#","rate_limit":{"upstream_id":"u","timeout":61}"#);
    let bad = "bad /chancery/gateways/edge, wanted gateways/edge@1";
    let mut documents = play(&[(put("gateways/edge", &counts), bad)]);
    let said = |documents: &Documents| {
        let problems = documents.problems();
        problems
            .map(|problem| problem.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said(&documents),
        ["/chancery/gateways/edge: rate_limit.timeout: found 61, allowed: 0.001–60"]
    );
    documents.apply(put("upstreams/u", r#"{"nodes":{"b:80":1}}"#));
    documents.apply(put(
        "gateways/edge",
        &gateway(r#","rate_limit":{"upstream_id":"u"}"#),
    ));
    documents.settle();
    assert_eq!(
        said(&documents),
        [
            "/chancery/gateways/edge: rate_limit.upstream_id: refers to `upstreams/u`, whose `scheme` is neither `grpc` nor `grpcs`: \
             `chancery ratelimit` is asked by gRPC"
        ]
    );
}
