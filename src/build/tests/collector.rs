//! The cluster that a gateway's spans go to.

use super::*;
use crate::model::gateway::Tracing;
use crate::model::gateway::tracing::Provider;

/// The gateway, with spans that go to the upstream `u`.
fn traced(members: Members) -> Arc<Gateway> {
    Arc::new(Gateway {
        tracing: Some(Tracing {
            upstream: id("u"),
            provider: Provider::Zipkin { path: "/".into() },
            sampling: 1,
        }),
        collector: sharing("spans", members).cluster.clone(),
        ..Gateway::clone(&gateway())
    })
}

#[test]
fn spans_have_a_cluster_without_any_route_and_are_not_waited_for() {
    let mut scene = Scene::new();
    let discovered = || Members::Service(Discovered::all(service("zipkin")));
    scene.gateway(Some(traced(discovered())));
    assert_eq!(
        scene.changes(),
        "extensions=+68~0-0 listeners=+1~0-0 routes=+1~0-0"
    );
    scene.answer("zipkin", &[1]);
    let whole = "clusters=+1~0-0 endpoints=+1~0-0 listeners=~1";
    assert_eq!(scene.changes(), whole);
    scene.answer("zipkin", &[2]);
    assert_eq!(scene.changes(), "endpoints=~1");
    scene.gateway(Some(traced(discovered())));
    assert_eq!(scene.changes(), "nothing");
    scene.gateway(Some(gateway()));
    let without = "clusters=+0~0-1 endpoints=+0~0-1 listeners=~1";
    assert_eq!(scene.changes(), without);
}

#[test]
fn a_gateway_outlives_a_collector_that_proxies_refuse() {
    let mut scene = Scene::new();
    scene.gateway(Some(traced(nodes(1))));
    let (first, _) = scene.next().unwrap();
    let error = Some("upstream/u is no good");
    said(&mut scene, ResourceType::Cluster, first.sequence, error);
    let without = "clusters=+0~0-1 endpoints=+0~0-1 listeners=~1";
    assert_eq!(scene.changes(), without);
    // What is corrected is tried again.
    let mut better = Gateway::clone(&traced(nodes(1)));
    let mut cluster = Cluster::clone(better.collector.as_ref().unwrap());
    cluster.connect_timeout += SECOND;
    better.collector = Some(Arc::new(cluster));
    scene.gateway(Some(Arc::new(better)));
    let whole = "clusters=+1~0-0 endpoints=+1~0-0 listeners=~1";
    assert_eq!(scene.changes(), whole);
}
