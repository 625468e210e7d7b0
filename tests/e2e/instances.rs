//! S2, instances as Consul sees them: traffic follows, and Envoy is sent endpoints and nothing else.

use futures_util::future::join_all;

use crate::support::chancery::Line;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to_service};

async fn three(stage: &Stage) -> [Instance; 3] {
    let three = [
        stage.instance("a").await,
        stage.instance("b").await,
        stage.instance("c").await,
    ];
    for instance in &three {
        let (name, at) = (&instance.name, instance.address);
        stage.consul.register_checked("echo", name, at).await;
    }
    three
}

#[tokio::test]
async fn traffic_follows_the_healthy_instances() {
    let stage = Stage::set().await;
    let (consul, envoy) = (&stage.consul, &stage.envoy);
    let _instances = three(&stage).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    envoy.answers_by_all("/echo", &["a", "b", "c"]).await;
    let configured = envoy.configured().await;
    let published = stage.chancery.published().len();

    let load = Load::on(&envoy.url("/echo"), 200);
    consul.fail_check("a").await;
    envoy.answers_by_all("/echo", &["b", "c"]).await;
    consul.maintenance("b", true).await;
    envoy.answers_by_all("/echo", &["c"]).await;
    consul.pass_check("a").await;
    envoy.answers_by_all("/echo", &["a", "c"]).await;
    consul.deregister("c").await;
    envoy.answers_by_all("/echo", &["a"]).await;
    load.stop().await.assert_flawless();

    // Nobody left is an answer too, and so is somebody again.
    consul.fail_check("a").await;
    envoy.answers_with("/echo", 503).await;
    consul.maintenance("b", false).await;
    envoy.answers_by_all("/echo", &["b"]).await;

    assert_eq!(envoy.configured().await, configured);
    let published = stage.chancery.published().split_off(published);
    assert!(!published.is_empty());
    for line in published {
        assert!(only_endpoints(&line), "more than endpoints: {line:?}");
    }
}

#[tokio::test]
async fn a_rollout_is_merged() {
    let stage = Stage::set().await;
    let old = stage.instance("old").await;
    stage.consul.register("echo", "old", old.address).await;
    let route = route_to_service("/echo", "echo");
    stage.etcd.put("routes/echo", &route).await;
    stage.envoy.answers_by_all("/echo", &["old"]).await;
    let before = stage.chancery.published().len();

    // Three instances on each of eight machines, all at once.
    let names: Vec<_> = (0..24).map(|number| format!("new-{number:02}")).collect();
    let new = join_all(names.iter().map(|name| stage.instance(name))).await;
    let registrations = new.iter().map(|instance| {
        let (name, at) = (&instance.name, instance.address);
        stage.consul.register("echo", name, at)
    });
    join_all(registrations).await;
    let all: Vec<_> = names.iter().map(String::as_str).chain(["old"]).collect();
    stage.envoy.answers_by_all("/echo", &all).await;
    let published = stage.chancery.published().split_off(before);
    assert!(published.iter().all(only_endpoints), "{published:?}");
    assert!((1..12).contains(&published.len()), "{published:?}");
}

#[tokio::test]
async fn a_service_that_nobody_knows_does_not_hold_the_others() {
    let stage = Stage::set().await;
    let known = stage.instance("known").await;
    stage.consul.register("known", "known", known.address).await;
    let unknown = route_to_service("/unknown", "nobody-registered-this");
    stage.etcd.put("routes/unknown", &unknown).await;
    let route = route_to_service("/known", "known");
    stage.etcd.put("routes/known", &route).await;
    stage.envoy.answers_by("/known", "known").await;
    stage.envoy.answers_with("/unknown", 503).await;

    // It is watched all the same.
    let late = stage.instance("late").await;
    let (service, at) = ("nobody-registered-this", late.address);
    stage.consul.register(service, "late", at).await;
    stage.envoy.answers_by("/unknown", "late").await;
}

fn only_endpoints(published: &Line) -> bool {
    let untouched = |kind| matches!(published.field(kind).as_str(), "" | "+0~0-0");
    !untouched("endpoints")
        && ["listeners", "clusters", "routes"]
            .into_iter()
            .all(untouched)
}
