//! Everything that runs: the servers, and what is asked of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::chancery::Chancery;
use super::support::consul::{Consul, Memory};
use super::support::envoy::{Envoy, Protocol};
use super::support::etcd::Etcd;
use super::support::{eventually, http, own_address};

/// Names and releases, of which nothing is the newest, and what they speak.
pub const ENVOYS: [(&str, Option<&str>, Protocol); 4] = [
    ("new-1", None, Protocol::Delta),
    ("new-2", None, Protocol::Sotw),
    ("old-1", Some("1.38"), Protocol::Delta),
    ("old-2", Some("1.38"), Protocol::Sotw),
];
pub const REPLICAS: [&str; 2] = ["replica-a", "replica-b"];

/// The servers. What is away is for [`super::faults`] to say.
pub struct Fleet {
    // In the order in which they are ended.
    pub envoys: Vec<Envoy>,
    pub replicas: Vec<Chancery>,
    pub consul: Consul,
    pub etcd: Etcd,
    pub address: Ipv4Addr,
    pub listener: SocketAddr,
    pub away: Away,
    client: Client,
    folder: TempDir,
}

/// Which servers do not answer now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Away {
    pub etcd: bool,
    pub consul: bool,
    pub replicas: [bool; 2],
    pub envoy: bool,
}

impl Away {
    pub fn nobody(self) -> bool {
        self == Self::default()
    }
}

impl Fleet {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let (etcd, consul) = tokio::join!(
            Etcd::start(address, folder.path()),
            Consul::start(address, folder.path(), Memory::Keeps),
        );
        let listener = SocketAddr::from((address, 9080));
        etcd.put("gateways/default", &gateway(listener, 3600, "one"))
            .await;
        let mut replicas = Vec::new();
        for name in REPLICAS {
            let folder = folder.path().join(name);
            let mut replica = replica(name, &etcd, &consul, &folder);
            replica.ready().await;
            replicas.push(replica);
        }
        let mut envoys = Vec::new();
        for (number, (name, release, protocol)) in ENVOYS.into_iter().enumerate() {
            let mut xds: Vec<_> = replicas.iter().map(Chancery::xds).collect();
            xds.rotate_left(number % 2);
            let folder = folder.path();
            let envoy = Envoy::start_among(name, release, protocol, &xds, listener, folder);
            envoys.push(envoy.await);
        }
        Self {
            envoys,
            replicas,
            consul,
            etcd,
            address,
            listener,
            away: Away::default(),
            client: http::client(),
            folder,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the logs where they are.
    pub fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// One of the replicas that are not away.
    pub fn some_replica(&self, random: &mut fastrand::Rng) -> Option<usize> {
        let there: Vec<_> = (0..self.replicas.len())
            .filter(|number| !self.away.replicas[*number])
            .collect();
        random.choice(there)
    }

    /// Calls the control API of a replica.
    pub async fn call(
        &self,
        replica: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let url = format!("{}/{path}", self.replicas[replica].url());
        let mut request = self.client.request(method, url);
        request = request.timeout(Duration::from_secs(120));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await.unwrap_or_default()))
    }

    /// What an agent or the catalog of Consul says.
    pub async fn consul_says(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/v1/{path}", self.consul.url());
        let answer = http::send(&self.client, Method::GET, &url, &[]).await?;
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// Waits until both replicas serve, and every Envoy has accepted the newest of the replica that it asks.
    pub async fn settles(&mut self) {
        for replica in &mut self.replicas {
            replica.ready().await;
        }
        eventually(async || {
            let mut nodes = Vec::new();
            for replica in 0..self.replicas.len() {
                let (_, answer) = self.call(replica, Method::GET, "v1/nodes", None).await?;
                let of = answer["nodes"].as_array().context("no nodes")?;
                nodes.extend(of.iter().cloned());
            }
            for (name, ..) in ENVOYS {
                let synced = |node: &Value| node["id"] == name && node["synced"] == true;
                ensure!(nodes.iter().any(synced), "{name} is behind: {nodes:?}");
            }
            Ok(())
        })
        .await;
    }

    /// How many Envoys ask each replica.
    pub async fn connected(&self) -> anyhow::Result<Vec<usize>> {
        let mut counts = Vec::new();
        for replica in 0..self.replicas.len() {
            let (_, answer) = self.call(replica, Method::GET, "v1/nodes", None).await?;
            counts.push(answer["nodes"].as_array().map_or(0, Vec::len));
        }
        Ok(counts)
    }
}

/// A replica with a state of its own.
pub fn replica(name: &str, etcd: &Etcd, consul: &Consul, folder: &Path) -> Chancery {
    let state = folder.join("state");
    std::fs::create_dir_all(&state).unwrap();
    let state = state.display().to_string();
    let settings = ["--replica-id", name, "--state", &state];
    Chancery::serve_with(own_address(), &etcd.url(), &consul.url(), &settings, folder)
}

/// The gateway of all Envoys, whose route tables are of that mode.
pub fn gateway(listener: SocketAddr, idle_timeout: u32, tables: &str) -> Value {
    json!({
        "listeners": [
            { "name": "http", "address": listener.ip(), "port": listener.port(), "protocol": "http" },
            { "name": "https", "address": listener.ip(), "port": 9443, "protocol": "https" },
        ],
        "http": { "idle_timeout": idle_timeout, "route_tables": { "mode": tables } },
    })
}
