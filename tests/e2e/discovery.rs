//! Which instances of a service a route gets: by tag and meta, by checks and weights, by maintenance, by datacenter, and
//! at which address.

mod shown;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::consul::Consul;
use crate::support::eventually;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::Stage;

/// A route from `uri` to instances of `echo`.
fn route(uri: &str, arguments: Value) -> Value {
    json!({ "uri": uri, "upstream": upstream(arguments) })
}

fn upstream(arguments: Value) -> Value {
    json!({ "discovery_type": "consul", "service_name": "echo", "discovery_args": arguments })
}

/// What Consul is told of an instance with a check, and `more`.
fn registration(instance: &Instance, more: Value) -> Value {
    let (name, at) = (&instance.name, instance.address);
    let mut registration = json!({
        "Name": "echo", "ID": name, "Address": at.ip(), "Port": at.port(),
        "Check": { "CheckID": format!("check-{name}"), "TTL": "10m", "Status": "passing" },
    });
    let own = registration.as_object_mut().unwrap();
    own.extend(more.as_object().unwrap().clone());
    registration
}

/// An instance of `echo`, registered with `more`.
async fn instance(stage: &Stage, name: &str, more: Value) -> Instance {
    let instance = stage.instance(name).await;
    let registration = registration(&instance, more);
    stage.consul.register_as(&registration).await;
    instance
}

async fn read(stage: &Stage, path: &str) -> Value {
    let answer = stage.chancery.admin(path).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// The load assignment's endpoints: priority, address and weight.
async fn endpoints(stage: &Stage, name: &str) -> Vec<(u64, String, u64)> {
    let snapshot = read(stage, "v1/snapshots/default?type=endpoints").await;
    let resources = snapshot["sets"][0]["resources"].as_array().unwrap();
    let named = |it: &&Value| it["resource"]["clusterName"] == name;
    let assignment = resources.iter().find(named).unwrap();
    let groups = assignment["resource"]["endpoints"].as_array().unwrap();
    let of = |group: &Value| {
        let priority = group["priority"].as_u64().unwrap_or_default();
        let endpoints = group["lbEndpoints"].as_array().unwrap().clone();
        endpoints.into_iter().map(move |one| {
            let address = &one["endpoint"]["address"]["socketAddress"]["address"];
            let address = address.as_str().unwrap().to_owned();
            (
                priority,
                address,
                one["loadBalancingWeight"].as_u64().unwrap(),
            )
        })
    };
    groups.iter().flat_map(of).collect()
}

#[tokio::test]
async fn gray_release_by_tag_is_two_clusters_and_one_watch() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let _old = instance(&stage, "old", json!({ "Tags": ["v1"] })).await;
    let _new = instance(&stage, "new", json!({ "Tags": ["v2", "green"] })).await;
    etcd.put("routes/v1", &route("/v1", json!({ "tag": "v1" })))
        .await;
    etcd.put(
        "routes/v2",
        &route("/v2", json!({ "tags": ["v2", "green"] })),
    )
    .await;
    envoy.answers_by_all("/v1", &["old"]).await;
    envoy.answers_by_all("/v2", &["new"]).await;

    let shown = read(&stage, "v1/services").await;
    let services = shown["services"].as_array().unwrap();
    assert_eq!(services.len(), 1, "one watch: {shown}");
    assert_eq!(services[0]["service"], "consul/echo");
    let uses = services[0]["uses"].as_array().unwrap();
    let uses = uses
        .iter()
        .map(|of| (&of["loadAssignment"], &of["routes"][0]));
    let expected = [
        (json!("consul/echo?tag=green&tag=v2"), json!("v2")),
        (json!("consul/echo?tag=v1"), json!("v1")),
    ];
    assert!(
        uses.eq(expected.iter().map(|(name, route)| (name, route))),
        "{shown}"
    );

    // A release moves on by what is registered, and nothing but endpoints is sent.
    let configured = envoy.configured().await;
    let _next = instance(&stage, "next", json!({ "Tags": ["v2", "green"] })).await;
    envoy.answers_by_all("/v2", &["new", "next"]).await;
    envoy.answers_by_all("/v1", &["old"]).await;
    assert_eq!(envoy.configured().await, configured);
}

#[tokio::test]
async fn gray_release_within_traffic_split_shares_the_watch_too() {
    let stage = Stage::set().await;
    let _old = instance(&stage, "old", json!({ "Tags": ["v1"] })).await;
    let _new = instance(&stage, "new", json!({ "Tags": ["v2"] })).await;
    let canary = |weight: u32| {
        let mut canary = route("/split", json!({ "tag": "v1" }));
        canary["plugins"] = json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [
            { "upstream": upstream(json!({ "tag": "v2" })), "weight": weight },
            { "weight": 10 - weight },
        ] }] } });
        canary
    };
    stage.etcd.put("routes/split", &canary(5)).await;
    stage.envoy.answers_by_all("/split", &["new", "old"]).await;
    let shown = read(&stage, "v1/services").await;
    assert_eq!(shown["services"].as_array().unwrap().len(), 1, "{shown}");
    let uses = shown["services"][0]["uses"].as_array().unwrap();
    assert!(
        uses.len() == 2 && uses.iter().all(|of| of["selected"] == 1),
        "{shown}"
    );

    let load = Load::on(&stage.envoy.url("/split"), 200);
    stage.etcd.put("routes/split", &canary(10)).await;
    stage.envoy.answers_by_all("/split", &["new"]).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn meta_selects_and_what_is_registered_anew_is_selected_anew() {
    let stage = Stage::set().await;
    let canary = json!({ "Meta": { "canary": "yes" } });
    let _a = instance(&stage, "a", canary.clone()).await;
    let b = instance(&stage, "b", json!({ "Meta": { "canary": "no" } })).await;
    let by_meta = route("/canary", json!({ "meta": { "canary": "yes" } }));
    stage.etcd.put("routes/canary", &by_meta).await;
    stage.envoy.answers_by_all("/canary", &["a"]).await;
    stage.consul.register_as(&registration(&b, canary)).await;
    stage.envoy.answers_by_all("/canary", &["a", "b"]).await;
}

#[tokio::test]
async fn a_warning_weighs_what_consul_says_and_only_for_who_wants_it() {
    let stage = Stage::set().await;
    let (consul, envoy) = (&stage.consul, &stage.envoy);
    let a = json!({ "Weights": { "Passing": 9, "Warning": 2 } });
    let b = json!({ "Weights": { "Passing": 1, "Warning": 1 } });
    let (_a, _b) = (
        instance(&stage, "a", a).await,
        instance(&stage, "b", b).await,
    );
    let every = route("/every", json!({ "passing_only": false }));
    stage.etcd.put("routes/every", &every).await;
    stage
        .etcd
        .put("routes/passing", &route("/passing", json!({})))
        .await;
    envoy.answers_by_all("/passing", &["a"]).await;
    let weights = async |name: &str| {
        let endpoints = endpoints(&stage, name).await;
        let mut weights: Vec<_> = endpoints.into_iter().map(|(.., weight)| weight).collect();
        weights.sort_unstable();
        weights
    };
    eventually(async || {
        let found = (
            weights("consul/echo").await,
            weights("consul/echo?passing_only=false").await,
        );
        ensure!(found == (vec![1, 9], vec![1, 9]), "{found:?}");
        Ok(())
    })
    .await;
    let mut by_a = 0;
    for _ in 0..100 {
        by_a += u32::from(envoy.get("/every").await.instance().unwrap() == "a");
    }
    assert!(
        (80..=98).contains(&by_a),
        "{by_a} of 100 by a, which has 9 of 10"
    );

    consul.warn_check("a").await;
    envoy.answers_by_all("/passing", &["b"]).await;
    eventually(async || {
        let found = (
            weights("consul/echo").await,
            weights("consul/echo?passing_only=false").await,
        );
        ensure!(found == (vec![1], vec![1, 2]), "{found:?}");
        Ok(())
    })
    .await;
    envoy.answers_by_all("/every", &["a", "b"]).await;
    consul.fail_check("a").await;
    envoy.answers_by_all("/every", &["b"]).await;
    consul.pass_check("a").await;
    envoy.answers_by("/passing", "a").await;
}

#[tokio::test]
async fn maintenance_of_a_service_and_of_a_node_takes_instances_out() {
    let stage = Stage::set().await;
    let (consul, envoy) = (&stage.consul, &stage.envoy);
    let _a = instance(&stage, "a", json!({})).await;
    let _b = instance(&stage, "b", json!({})).await;
    let far = stage.instance("far").await;
    consul.register_far("echo", "far", far.address).await;
    stage
        .etcd
        .put("routes/echo", &route("/echo", json!({})))
        .await;
    envoy.answers_by_all("/echo", &["a", "b", "far"]).await;
    let load = Load::on(&envoy.url("/echo"), 200);
    consul.maintenance("a", true).await;
    envoy.answers_by_all("/echo", &["b", "far"]).await;
    consul.node_maintenance(true).await;
    envoy.answers_by_all("/echo", &["far"]).await;
    // The node's end is not the service's.
    consul.node_maintenance(false).await;
    envoy.answers_by_all("/echo", &["b", "far"]).await;
    consul.maintenance("a", false).await;
    envoy.answers_by_all("/echo", &["a", "b", "far"]).await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn another_datacenter_takes_over_and_gives_back() {
    let stage = Stage::set().await;
    let (consul, envoy) = (&stage.consul, &stage.envoy);
    let mut second = Consul::start_beside(consul, "dc2", stage.folder()).await;
    let _near = instance(&stage, "near", json!({})).await;
    let away = stage.instance("away").await;
    second.register("echo", "away", away.address).await;
    let over = route("/echo", json!({ "failover": ["dc2"] }));
    stage.etcd.put("routes/echo", &over).await;
    let there = route("/there", json!({ "datacenter": "dc2" }));
    stage.etcd.put("routes/there", &there).await;
    envoy.answers_by_all("/there", &["away"]).await;
    envoy.answers_by_all("/echo", &["near"]).await;
    let found = endpoints(&stage, "consul/echo?failover=dc2").await;
    let priorities: Vec<_> = found.iter().map(|(priority, ..)| *priority).collect();
    assert_eq!(priorities, [0, 1], "{found:?}");

    let load = Load::on(&envoy.url("/echo"), 200);
    consul.fail_check("near").await;
    envoy.answers_by_all("/echo", &["away"]).await;
    consul.pass_check("near").await;
    envoy.answers_by_all("/echo", &["near"]).await;
    // A datacenter that is cut off takes nothing away, and holds up nothing.
    second.process.kill();
    let late = instance(&stage, "late", json!({})).await;
    envoy.answers_by_all("/echo", &["late", "near"]).await;
    envoy.answers_by_all("/there", &["away"]).await;
    load.stop().await.assert_flawless();
    drop(late);
}

#[tokio::test]
async fn an_instance_is_reached_at_ipv6_and_at_its_tagged_address() {
    let stage = Stage::set().await;
    let six = Instance::echo("six", std::net::Ipv6Addr::LOCALHOST).await;
    let registered = registration(&six, json!({ "Tags": ["six"] }));
    stage.consul.register_as(&registered).await;
    stage
        .etcd
        .put("routes/six", &route("/six", json!({ "tag": "six" })))
        .await;
    stage.envoy.answers_by_all("/six", &["six"]).await;

    // Nobody is at its own address.
    let wan = stage.instance("wan").await;
    let at = json!({ "address": wan.address.ip(), "port": wan.address.port() });
    let mut tagged = registration(
        &wan,
        json!({ "Tags": ["w"], "TaggedAddresses": { "wan": at } }),
    );
    tagged["Port"] = json!(1);
    stage.consul.register_as(&tagged).await;
    let arguments = json!({ "tag": "w", "tagged_address": "wan" });
    stage
        .etcd
        .put("routes/wan", &route("/wan", arguments))
        .await;
    stage.envoy.answers_by_all("/wan", &["wan"]).await;
    stage
        .etcd
        .put("routes/own", &route("/own", json!({ "tag": "w" })))
        .await;
    stage.envoy.answers_with("/own", 502).await;
}

#[tokio::test]
async fn a_load_assignment_with_a_long_name_goes_by_its_digest_and_cuts_nobody_off() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let tags: Vec<String> = ["a", "b", "c"].map(|letter| letter.repeat(500)).into();
    let _tagged = instance(&stage, "tagged", json!({ "Tags": tags })).await;
    let _other = instance(&stage, "other", json!({ "Tags": tags[1..] })).await;
    etcd.put("routes/all", &route("/all", json!({}))).await;
    envoy.answers_by_all("/all", &["other", "tagged"]).await;
    etcd.put("routes/long", &route("/long", json!({ "tags": tags })))
        .await;
    envoy.answers_by_all("/long", &["tagged"]).await;
    // Its stream goes on: it hears of the next change too.
    etcd.put("routes/next", &route("/next", json!({ "tag": tags[1] })))
        .await;
    envoy.answers_by_all("/next", &["other", "tagged"]).await;

    let full = format!(
        "consul/echo?tag={}&tag={}&tag={}",
        tags[0], tags[1], tags[2]
    );
    let snapshot = read(&stage, "v1/snapshots/default?type=endpoints").await;
    let resources = snapshot["sets"][0]["resources"].as_array().unwrap();
    let long = resources
        .iter()
        .find(|one| one["fullName"] == *full)
        .unwrap();
    let name = long["name"].as_str().unwrap();
    assert!(name.len() <= 256, "{name}");
    assert!(name.starts_with("consul/echo?tag=aaaa"), "{name}");
}
