//! The real Consul, one agent, on an address of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::ensure;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::process::Process;
use super::tools::tool;
use super::{eventually, http, own_address};

/// What a Consul remembers when it is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Nothing: `-dev`, which starts in a tenth of a second.
    Forgets,
    /// Everything, its index included, even when it was killed.
    Keeps,
}

/// A Consul.
pub struct Consul {
    pub process: Process,
    address: Ipv4Addr,
    client: Client,
}

impl Consul {
    /// Starts one and waits until it has a leader.
    pub async fn start(address: Ipv4Addr, folder: &Path, memory: Memory) -> Self {
        Self::run("consul", address, folder, memory, &[]).await
    }

    /// Starts another one, of another datacenter, that the first one reaches.
    pub async fn start_beside(first: &Self, datacenter: &str, folder: &Path) -> Self {
        let more = ["-datacenter", datacenter, "-node", datacenter];
        let memory = Memory::Forgets;
        let one = Self::run(datacenter, own_address(), folder, memory, &more).await;
        let join = format!("agent/join/{}?wan=1", first.address);
        one.write(&join, &Value::Null).await;
        let nodes = format!("{}/v1/catalog/nodes?dc={datacenter}", first.url());
        eventually(async || {
            let answer = http::send(&first.client, Method::GET, &nodes, &[]).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })
        .await;
        one
    }

    async fn run(
        name: &str,
        address: Ipv4Addr,
        folder: &Path,
        memory: Memory,
        more: &[&str],
    ) -> Self {
        let own = address.to_string();
        let data = folder.join("consul-data").display().to_string();
        let mut arguments = vec!["agent", "-bind", &own, "-client", &own];
        arguments.extend(["-hcl", "performance { raft_multiplier = 1 }"]);
        match memory {
            Memory::Forgets => arguments.push("-dev"),
            Memory::Keeps => {
                arguments.extend(["-server", "-bootstrap-expect=1", "-data-dir", &data]);
            }
        }
        arguments.extend(more);
        let process = Process::start(name, &tool("consul"), arguments, folder);
        let mut consul = Self {
            process,
            address,
            client: http::client(),
        };
        consul.leads().await;
        consul
    }

    /// The URL that Chancery is given.
    pub fn url(&self) -> String {
        format!("http://{}:8500", self.address)
    }

    /// Starts it again and waits until it has a leader.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.leads().await;
    }

    /// Asks it to end.
    pub async fn stop(&mut self) {
        self.process.stop().await;
    }

    async fn leads(&mut self) {
        let leader = format!("{}/v1/status/leader", self.url());
        eventually(async || {
            self.process.alive()?;
            let answer = http::send(&self.client, Method::GET, &leader, &[]).await?;
            ensure!(answer.body.contains(':'), "no leader: {}", answer.body);
            Ok(())
        })
        .await;
    }

    /// Registers an instance that is healthy until something else is said of it.
    pub async fn register(&self, service: &str, id: &str, at: SocketAddr) {
        let registration = json!({
            "Name": service,
            "ID": id,
            "Address": at.ip(),
            "Port": at.port(),
        });
        self.write("agent/service/register", &registration).await;
    }

    /// Registers an instance as `agent/service/register` wants it.
    pub async fn register_as(&self, registration: &Value) {
        self.write("agent/service/register", registration).await;
    }

    /// Registers an instance on a node that has no agent.
    pub async fn register_far(&self, service: &str, id: &str, at: SocketAddr) {
        let registration = json!({
            "Node": "far",
            "Address": at.ip(),
            "Service": { "ID": id, "Service": service, "Address": at.ip(), "Port": at.port() },
        });
        self.write("catalog/register", &registration).await;
    }

    /// Registers an instance whose check passes until [`Consul::fail_check`].
    pub async fn register_checked(&self, service: &str, id: &str, at: SocketAddr) {
        let registration = json!({
            "Name": service,
            "ID": id,
            "Address": at.ip(),
            "Port": at.port(),
            "Check": { "CheckID": format!("check-{id}"), "TTL": "10m", "Status": "passing" },
        });
        self.write("agent/service/register", &registration).await;
    }

    /// The instance's check turns critical.
    pub async fn fail_check(&self, id: &str) {
        self.write(&format!("agent/check/fail/check-{id}"), &Value::Null)
            .await;
    }

    /// The instance's check passes again.
    pub async fn pass_check(&self, id: &str) {
        self.write(&format!("agent/check/pass/check-{id}"), &Value::Null)
            .await;
    }

    /// The instance's check warns.
    pub async fn warn_check(&self, id: &str) {
        self.write(&format!("agent/check/warn/check-{id}"), &Value::Null)
            .await;
    }

    /// Puts the agent's node in maintenance, or takes it out.
    pub async fn node_maintenance(&self, enable: bool) {
        let path = format!("agent/maintenance?enable={enable}");
        self.write(&path, &Value::Null).await;
    }

    /// Puts the instance in maintenance, or takes it out.
    pub async fn maintenance(&self, id: &str, enable: bool) {
        let path = format!("agent/service/maintenance/{id}?enable={enable}");
        self.write(&path, &Value::Null).await;
    }

    /// The ids of a service's instances that pass all checks.
    pub async fn passing(&self, service: &str) -> Vec<String> {
        let url = format!("{}/v1/health/service/{service}?passing", self.url());
        let answer = http::send(&self.client, Method::GET, &url, &[]).await;
        let entries: Vec<Value> = serde_json::from_str(&answer.unwrap().body).unwrap();
        let ids = entries.iter().map(|entry| entry["Service"]["ID"].as_str());
        let mut ids: Vec<_> = ids.map(|id| id.unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    /// Takes the instance out of the catalog.
    pub async fn deregister(&self, id: &str) {
        self.write(&format!("agent/service/deregister/{id}"), &Value::Null)
            .await;
    }

    async fn write(&self, path: &str, body: &Value) {
        let url = format!("{}/v1/{path}", self.url());
        let mut request = self.client.put(url);
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {response:?}");
    }
}
