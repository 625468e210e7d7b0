//! What became of the requests of consumers, where one of them has loggers of its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::http_logger::stage_with;
use super::with_plugins;
use crate::support::eventually;
use crate::support::logs::{self, Receiver};
use crate::support::stage::settled;

/// Whose requests, and for which path.
fn asked(entries: Vec<Value>) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for entry in entries {
        let request = &entry["request"];
        asked.insert(request["uri"].as_str().unwrap().to_owned());
        let headers = request["headers"].as_object().unwrap();
        let own = headers
            .keys()
            .filter(|name| name.starts_with("x-chancery-"));
        assert_eq!(own.count(), 0, "{headers:?}");
    }
    asked
}

fn all<const N: usize>(paths: [&str; N]) -> BTreeSet<String> {
    paths.map(str::to_owned).into()
}

async fn told_by(release: Option<&str>) {
    let stage = stage_with(release).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let [of_route, of_jack, of_group, lines] = [
        Receiver::start(stage.address).await,
        Receiver::start(stage.address).await,
        Receiver::start(stage.address).await,
        Receiver::start(stage.address).await,
    ];
    let _logs = logs::logging(&stage, &[]).await;
    let logger = |receiver: &Receiver| json!({ "uri": receiver.uri("/log"), "batch_max_size": 100, "inactive_timeout": 1 });
    let consumer = |name: &str, more: Value| {
        let mut plugins = json!({ "key-auth": { "key": name } });
        plugins
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "username": name, "plugins": plugins })
    };
    let group = json!({ "plugins": { "http-logger": logger(&of_group) } });
    etcd.put("consumer_groups/staff", &group).await;
    let mut joan = consumer("joan", json!({}));
    joan["group_id"] = json!("staff");
    etcd.put("consumers/joan", &joan).await;
    let jack = consumer("jack", json!({ "http-logger": logger(&of_jack) }));
    etcd.put("consumers/jack", &jack).await;
    etcd.put("consumers/jill", &consumer("jill", json!({})))
        .await;
    let mut off = logger(&of_jack);
    off["_meta"] = json!({ "disable": true });
    let joe = consumer("joe", json!({ "http-logger": off }));
    etcd.put("consumers/joe", &joe).await;
    let loki =
        json!({ "endpoint_addrs": [lines.uri("")], "batch_max_size": 100, "inactive_timeout": 1 });
    for (name, more) in [
        ("quiet", json!({ "key-auth": {} })),
        (
            "logged",
            json!({ "key-auth": {}, "http-logger": logger(&of_route) }),
        ),
        (
            "both",
            json!({ "key-auth": {}, "http-logger": logger(&of_route), "loki-logger": loki }),
        ),
    ] {
        let route = with_plugins(&format!("/{name}"), &blue, more);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    for name in ["joe", "joan", "jack", "jill"] {
        for path in ["/quiet", "/logged", "/both"] {
            let path = format!("{path}?apikey={name}");
            assert_eq!(envoy.answers_with(&path, 200).await.status, 200);
        }
    }

    let own = all([
        "/quiet?apikey=jack",
        "/logged?apikey=jack",
        "/both?apikey=jack",
    ]);
    assert_eq!(asked(of_jack.has(3).await), own);
    let own = all([
        "/quiet?apikey=joan",
        "/logged?apikey=joan",
        "/both?apikey=joan",
    ]);
    assert_eq!(asked(of_group.has(3).await), own);
    // Each consumer's own is in the place of the route's, also one that is switched off; the route's others stay.
    let rest = all(["/logged?apikey=jill", "/both?apikey=jill"]);
    assert_eq!(asked(of_route.has(2).await), rest);
    eventually(async || {
        let posts = lines.posts();
        let seen = |name: &str| {
            let asked = format!("/both?apikey={name}");
            posts.iter().any(|post| post.body.contains(&asked))
        };
        for name in ["joe", "joan", "jack", "jill"] {
            anyhow::ensure!(seen(name), "not yet of {name}: {posts:?}");
        }
        Ok(())
    })
    .await;
    let entries = [of_jack.entries(), of_group.entries(), of_route.entries()];
    assert_eq!(entries.map(|entries| entries.len()), [3, 3, 2]);
}

#[tokio::test]
async fn requests_of_a_consumer_are_told_where_its_own_loggers_say() {
    told_by(None).await;
}

#[tokio::test]
async fn requests_of_a_consumer_of_the_oldest_envoy_are_told_there_too() {
    told_by(Some("1.36")).await;
}
