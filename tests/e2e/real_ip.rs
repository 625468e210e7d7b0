//! `real-ip` in a global rule: a part of the gateways that do not say themselves who their clients are.

use std::net::Ipv4Addr;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::http::raw;
use crate::support::instance::Instance;
use crate::support::stage::{Stage, gateway, route_to, settled};
use crate::support::{eventually, own_address};

/// The scene: routes that tell their instance who the client is, and a proxy in front.
struct Scene {
    stage: Stage,
    proxy: Ipv4Addr,
    _blue: Instance,
}

impl Scene {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let blue = stage.instance("blue").await;
        let proxy = own_address();
        let mut route = route_to("/all", &[&blue]);
        route["plugins"] = json!({ "ip-restriction": { "blacklist": ["6.6.6.6"] } });
        stage.etcd.put("routes/all", &route).await;
        let mut route = route_to("/proxied", &[&blue]);
        route["remote_addrs"] = json!([proxy]);
        stage.etcd.put("routes/proxied", &route).await;
        stage.envoy.answers_by("/all", "blue").await;
        Self {
            stage,
            proxy,
            _blue: blue,
        }
    }

    async fn rule(&self, fields: Value) {
        let rule = json!({ "plugins": { "real-ip": fields } });
        let etcd = &self.stage.etcd;
        etcd.put("global_rules/clients", &rule).await;
        settled(etcd, &self.stage.chancery).await;
    }

    /// Who the client is when `from` says so; or the status, where that is not 200.
    async fn client(&self, from: Ipv4Addr, path: &str, said: &str) -> anyhow::Result<String> {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{said}\r\n\r\n");
        let answer = raw(from, self.stage.envoy.listener(), &request).await?;
        let status = answer.split(' ').nth(1).unwrap_or("none");
        let body = answer.find('{').zip(answer.rfind('}'));
        match (status, body) {
            ("200", Some((first, last))) => {
                let seen: Value = serde_json::from_str(&answer[first..=last])?;
                Ok(seen["headers"]["x-real-ip"]
                    .as_str()
                    .unwrap_or("none")
                    .to_owned())
            }
            _ => Ok(status.to_owned()),
        }
    }

    /// Waits until the client of requests by the proxy is this one.
    async fn becomes(&self, said: &str, expected: &str) {
        eventually(async || {
            let client = self.client(self.proxy, "/all", said).await?;
            ensure!(client == expected, "{client} and not {expected}");
            Ok(())
        })
        .await;
    }

    async fn listeners(&self) -> u64 {
        self.stage.envoy.configured().await.listeners
    }
}

#[tokio::test]
async fn a_global_rule_says_who_the_client_is() {
    let scene = Scene::set().await;
    let (proxy, stranger) = (scene.proxy, scene.stage.address);
    let said = "X-Forwarded-For: 8.8.8.8, 9.9.9.9, 10.1.1.1";
    scene.becomes(said, &proxy.to_string()).await;
    let before = scene.listeners().await;

    let trusted = json!([proxy, "10.0.0.0/8"]);
    let mut rule = json!({ "source": "http_x_forwarded_for", "trusted_addresses": trusted });
    scene.rule(rule.clone()).await;
    scene.becomes(said, "10.1.1.1").await;
    assert_eq!(scene.listeners().await, before + 1);
    // Plugins see the client, and routes who connects, as they are chosen before.
    scene
        .becomes("X-Forwarded-For: 8.8.8.8, 6.6.6.6", "403")
        .await;
    let client = async |from, path| scene.client(from, path, said).await.unwrap();
    assert_eq!(client(proxy, "/proxied").await, "10.1.1.1");
    assert_eq!(client(stranger, "/all").await, stranger.to_string());
    assert_eq!(client(stranger, "/proxied").await, "404");

    rule["recursive"] = json!(true);
    scene.rule(rule.clone()).await;
    scene.becomes(said, "9.9.9.9").await;
    scene
        .becomes("X-Forwarded-For: 10.3.3.3, 10.1.1.1", "10.3.3.3")
        .await;

    // Everybody may say it, as in APISIX.
    scene.rule(json!({ "source": "http_x_client" })).await;
    scene.becomes("X-Client: 8.8.4.4", "8.8.4.4").await;
    let client = async |said| scene.client(stranger, "/all", said).await.unwrap();
    assert_eq!(client("X-Client: 2001:db8::1").await, "2001:db8::1");
    assert_eq!(client("X-Client: nobody").await, stranger.to_string());
    assert_eq!(scene.listeners().await, before + 3);

    scene.stage.etcd.delete("global_rules/clients").await;
    scene.becomes("X-Client: 8.8.4.4", &proxy.to_string()).await;
}

#[tokio::test]
async fn a_gateways_own_word_holds_and_the_rule_is_told() {
    let scene = Scene::set().await;
    let Scene { stage, proxy, .. } = &scene;
    let mut own = gateway(stage.envoy.listener());
    own["real_ip"] = json!({ "header": "X-Own", "trusted_addresses": [proxy] });
    stage.etcd.put("gateways/default", &own).await;
    let both = "X-Own: 1.1.1.1\r\nX-Rule: 2.2.2.2";
    scene.becomes(both, "1.1.1.1").await;
    let before = scene.listeners().await;
    let rule = json!({ "source": "http_x_rule", "trusted_addresses": [proxy] });
    scene.rule(rule).await;
    let told = async || {
        let rejected = stage.chancery.admin("v1/documents?state=rejected").await?;
        anyhow::Ok(rejected.body)
    };
    let said = told().await.unwrap();
    let reason = "is not in force at `gateways/default`, which has another `real_ip`";
    assert!(said.contains(reason), "{said}");
    assert_eq!(scene.client(*proxy, "/all", both).await.unwrap(), "1.1.1.1");
    assert_eq!(scene.listeners().await, before);

    // Without it the rule holds.
    stage
        .etcd
        .put("gateways/default", &gateway(stage.envoy.listener()))
        .await;
    scene.becomes(both, "2.2.2.2").await;
    let said = told().await.unwrap();
    assert!(!said.contains("global_rules/clients"), "{said}");
}
