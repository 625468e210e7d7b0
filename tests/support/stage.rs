//! The stage of a scene: an etcd, a Consul, a Chancery and an Envoy that know each other and nobody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::chancery::Chancery;
use super::consul::{Consul, Memory};
use super::envoy::{Envoy, Protocol};
use super::etcd::Etcd;
use super::instance::Instance;
use super::{eventually, own_address};

/// Everything that a scene needs, on one loopback address.
pub struct Stage {
    // In the order in which they are ended.
    pub envoy: Envoy,
    pub chancery: Chancery,
    pub consul: Consul,
    pub etcd: Etcd,
    pub address: Ipv4Addr,
    folder: TempDir,
}

impl Stage {
    /// With an Envoy that speaks delta, and a Consul that forgets.
    pub async fn set() -> Self {
        Self::set_with(Protocol::Delta, Memory::Forgets).await
    }

    /// Sets the stage; its Envoy belongs to the gateway `default`, which listens on the stage's own address.
    pub async fn set_with(protocol: Protocol, memory: Memory) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let (etcd, consul) = tokio::join!(
            Etcd::start(address, folder.path()),
            Consul::start(address, folder.path(), memory),
        );
        let listener = SocketAddr::from((address, 9080));
        etcd.put("gateways/default", &gateway(listener)).await;
        let mut chancery = Chancery::serve(address, &etcd.url(), &consul.url(), folder.path());
        chancery.ready().await;
        let xds = chancery.xds();
        let envoy = Envoy::start("default", protocol, xds, listener, folder.path()).await;
        Self {
            envoy,
            chancery,
            consul,
            etcd,
            address,
            folder,
        }
    }

    /// Puts a Chancery that keeps its state in the place of the one that does not.
    pub async fn keep_state(&mut self) {
        self.chancery.process.stop().await;
        self.chancery = Chancery::serve_keeping(
            &self.folder.path().join("state"),
            self.address,
            &self.etcd.url(),
            &self.consul.url(),
            self.folder.path(),
        );
        self.chancery.ready().await;
    }

    /// An instance that answers.
    pub async fn instance(&self, name: &str) -> Instance {
        Instance::echo(name, self.address).await
    }

    /// The folder of the stage, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A gateway with one HTTP listener.
pub fn gateway(listener: SocketAddr) -> Value {
    json!({ "listeners": [{
        "name": "http", "address": listener.ip(), "port": listener.port(), "protocol": "http",
    }] })
}

/// A route from `uri` to `nodes`, all of the same weight.
pub fn route_to(uri: &str, nodes: &[&Instance]) -> Value {
    json!({ "uri": uri, "upstream": { "type": "roundrobin", "nodes": weights(nodes) } })
}

/// A route from `uri` to whoever Consul has for `service`.
pub fn route_to_service(uri: &str, service: &str) -> Value {
    json!({ "uri": uri, "upstream": {
        "type": "roundrobin", "discovery_type": "consul", "service_name": service,
    } })
}

/// The `nodes` of an upstream.
pub fn weights(nodes: &[&Instance]) -> Value {
    nodes.iter().map(|node| (node.node(), 1)).collect()
}

/// Waits until the proxies have everything that was written.
pub async fn settled(etcd: &Etcd, chancery: &Chancery) {
    let revision = etcd.write("upstreams/last", &json!({ "nodes": {} })).await;
    let wait = format!("v1/wait?timeout=20s&revision={revision}");
    eventually(async || {
        let answer = chancery.admin(&wait).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.body);
        Ok(())
    })
    .await;
}
