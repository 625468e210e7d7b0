//! The end: what has to be so when all is quiet again, and the figures.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use anyhow::{Context, ensure};
use etcd_client::{Client, GetOptions};
use serde_json::{Value, json};

use super::asked::Asked;
use super::driver::{World, build};
use super::fleet::{ENVOYS, replica};
use super::instances::in_maintenance;
use super::support::envoy::Envoy;
use super::support::etcd::PREFIX;
use super::support::eventually;

/// What drains leave in etcd while they are in force.
const OF_DRAINS: [&str; 3] = ["drains/", "drain/journal/", "drain/claims/"];

/// Ends all, looks, prints; whether it is as it has to be.
pub async fn end(world: &mut World, asked: &Asked) -> bool {
    let judged = world.figures.judge(asked.length);
    let figures_at_the_end = world.figures.now();
    quiet(world).await;
    world.load.stop().await;
    let left = nothing_is_left(world).await;
    let differing = differing(world).await;
    let came = world.load.came();
    let counts = &world.counts;
    let drains = world.instances.drains();
    let mut behind: Vec<_> = counts
        .behind
        .iter()
        .map(|took| took.as_secs_f64())
        .collect();
    behind.sort_by(f64::total_cmp);
    let median = behind.get(behind.len() / 2).copied().unwrap_or_default();
    let longest = behind.last().copied().unwrap_or_default();

    println!(
        "\nsoak: {:.1} minutes, seed {}, {} build",
        asked.length.as_secs_f64() / 60.0,
        asked.seed,
        build()
    );
    println!(
        "requests             {}, {} failed",
        came.asked, came.failed
    );
    println!(
        "changes              {} of documents, {} of instances",
        counts.documents, counts.instances
    );
    println!(
        "drains               {} confirmed, {} not confirmed, {} refused",
        drains.confirmed, drains.unconfirmed, drains.refused
    );
    println!(
        "faults               {}; up to date again after {median:.1} s (median), {longest:.1} s (longest)",
        behind.len()
    );
    for of in &judged {
        println!(
            "{:<20} {} lives; memory {:.1} MiB in the second third, {:.1} in the last ({}); descriptors {:.1}, {:.1} ({})",
            of.name,
            of.lives,
            of.memory.second,
            of.memory.last,
            word(of.memory.flat),
            of.descriptors.second,
            of.descriptors.last,
            word(of.descriptors.flat),
        );
    }
    println!("at the end           {figures_at_the_end}");
    println!("left behind          {left:?}");
    println!(
        "other than a fresh Chancery gives: {}",
        if differing.is_empty() {
            "nothing".to_owned()
        } else {
            differing.join("; ")
        }
    );

    let flat = judged
        .iter()
        .all(|of| of.memory.flat && of.descriptors.flat);
    let clean = left.values().all(|count| *count == 0);
    let good = came.failed == 0 && flat && clean && differing.is_empty();
    for failure in &came.failures {
        println!("FAILED {failure}");
    }
    println!(
        "soak: {}",
        if good {
            "all is well"
        } else {
            "NOT AS IT HAS TO BE"
        }
    );
    if let Some(path) = &asked.json {
        let replicas = judged.iter().map(|of| {
            json!({
                "replica": of.name, "lives": of.lives,
                "memory_mib": of.memory.json(), "descriptors": of.descriptors.json(),
            })
        });
        let figures = json!({
            "minutes": asked.length.as_secs_f64() / 60.0, "seed": asked.seed, "build": build(), "good": good,
            "requests": came.asked, "failed": came.failed, "failures": came.failures,
            "changes": { "documents": counts.documents, "instances": counts.instances },
            "drains": { "confirmed": drains.confirmed, "unconfirmed": drains.unconfirmed, "refused": drains.refused },
            "faults": behind.len(), "behind_s": { "median": median, "longest": longest },
            "replicas": replicas.collect::<Value>(), "left": left, "differing": differing,
        });
        std::fs::write(path, figures.to_string()).unwrap();
    }
    good
}

fn word(flat: bool) -> &'static str {
    if flat { "flat" } else { "NOT FLAT" }
}

/// Undoes what is in force for a while, and waits until all have all.
async fn quiet(world: &mut World) {
    world.journal.tell("the end: all is put back");
    world.fleet.settles().await;
    world.documents.clean(&world.fleet, &world.journal).await;
    let (fleet, random) = (&world.fleet, &mut world.random);
    world
        .instances
        .put_all_back(fleet, random, &world.journal)
        .await;
    world.fleet.settles().await;
}

/// What is left of drains, by place. What is half-done is repaired within some minutes.
async fn nothing_is_left(world: &World) -> BTreeMap<String, usize> {
    let look = async || {
        let mut left = BTreeMap::new();
        let checks = world.fleet.consul_says("agent/checks").await?;
        left.insert("in maintenance".to_owned(), in_maintenance(&checks));
        let critical = checks.as_object().context("checks")?;
        let critical = critical
            .values()
            .filter(|check| check["Status"] != "passing");
        left.insert("not passing".to_owned(), critical.count());
        let services = world.fleet.consul_says("agent/services").await?;
        let there = services.as_object().map_or(0, serde_json::Map::len);
        left.insert("not registered".to_owned(), world.instances.count() - there);
        let mut etcd = Client::connect([world.fleet.etcd.url()], None).await?;
        for part in OF_DRAINS {
            let key = format!("{PREFIX}/{part}");
            let options = GetOptions::new().with_prefix().with_count_only();
            let count = etcd.get(key, Some(options)).await?.count();
            left.insert(part.to_owned(), count as usize);
        }
        anyhow::Ok(left)
    };
    let deadline = tokio::time::Instant::now() + super::support::PATIENCE;
    loop {
        let left = look().await.unwrap();
        let clean = left.values().all(|count| *count == 0);
        if clean || tokio::time::Instant::now() > deadline {
            return left;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

/// What each Envoy has otherwise than a fresh one of its release, which asks a Chancery that knows nothing of before.
async fn differing(world: &World) -> Vec<String> {
    let fleet = &world.fleet;
    let folder = fleet.folder().join("fresh");
    let mut fresh = replica("fresh", &fleet.etcd, &fleet.consul, &folder);
    fresh.ready().await;
    let mut differing = Vec::new();
    for ((name, release, protocol), envoy) in ENVOYS.into_iter().zip(&fleet.envoys) {
        let other = format!("fresh-{name}");
        let xds = [fresh.xds()];
        let listener = fleet.listener;
        let other = Envoy::start_among(&other, release, protocol, &xds, listener, &folder).await;
        let expected = eventually(async || {
            let has = configuration(&other).await?;
            ensure!(
                has.contains_key("listener default/http"),
                "nothing yet: {has:?}"
            );
            ensure!(
                has.keys().any(|name| name.starts_with("endpoints")),
                "no endpoints yet"
            );
            Ok(has)
        })
        .await;
        // The last of it may be on its way, to either.
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut expected = expected;
        loop {
            let mut has = configuration(envoy).await.unwrap();
            // Listeners that drain may find tables otherwise than those that are.
            has.retain(|name, _| !name.starts_with("routes") || expected.contains_key(name));
            if has == expected {
                break;
            }
            if tokio::time::Instant::now() > deadline {
                for (of, envoy) in [("has", envoy), ("expected", &other)] {
                    let dump = envoy.dump().await.unwrap();
                    std::fs::write(folder.join(format!("{name}-{of}.json")), dump).unwrap();
                }
                let names: std::collections::BTreeSet<_> =
                    has.keys().chain(expected.keys()).collect();
                let unequal = names
                    .into_iter()
                    .filter(|name| has.get(*name) != expected.get(*name));
                differing.extend(unequal.map(|unequal| {
                    format!(
                        "{name}: {unequal}: {:?} rather than {:?}",
                        has.get(unequal),
                        expected.get(unequal)
                    )
                }));
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            expected = configuration(&other).await.unwrap();
        }
    }
    differing
}

fn digest(content: &Value) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    content.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// What an Envoy has of each resource, and the endpoints of each load assignment. Not the versions: over SotW these are of all
/// resources together, and Envoy shows each under the one with which it came.
async fn configuration(envoy: &Envoy) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (kind, of, content, field) in [
        (
            "dynamic_active_clusters",
            "cluster",
            "/cluster",
            "/cluster/name",
        ),
        (
            "dynamic_listeners",
            "listener",
            "/active_state/listener",
            "/name",
        ),
        (
            "dynamic_route_configs",
            "routes",
            "/route_config",
            "/route_config/name",
        ),
        (
            "ecds_filters",
            "extension",
            "/ecds_filter",
            "/ecds_filter/name",
        ),
    ] {
        let dump: Value = serde_json::from_str(&envoy.has(kind).await?)?;
        for one in dump["configs"].as_array().into_iter().flatten() {
            let name = text(one.pointer(field).unwrap_or(&Value::Null));
            // A listener that was removed is there until it is drained.
            if let Some(content) = one.pointer(content) {
                all.insert(format!("{of} {name}"), digest(content));
            }
        }
    }
    let dump = envoy.has("dynamic_endpoint_configs&include_eds").await?;
    let dump: Value = serde_json::from_str(&dump)?;
    for one in dump["configs"].as_array().into_iter().flatten() {
        let assignment = &one["endpoint_config"];
        let name = text(&assignment["cluster_name"]);
        let mut endpoints = Vec::new();
        for locality in assignment["endpoints"].as_array().into_iter().flatten() {
            for endpoint in locality["lb_endpoints"].as_array().into_iter().flatten() {
                endpoints.push(endpoint["endpoint"]["address"].to_string());
            }
        }
        endpoints.sort();
        all.insert(format!("endpoints {name}"), endpoints.join(" "));
    }
    Ok(all)
}
