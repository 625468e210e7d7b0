//! The real Redis, and `chancery ratelimit` beside it.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::chancery::BINARY;
use super::eventually;
use super::process::Process;
use super::stage::{Stage, gateway};
use super::tools::tool;

/// Redis, somebody who asks it, and a gateway `default` that names these.
pub async fn counting(stage: &Stage) -> (Redis, RateLimit) {
    let redis = Redis::start(stage.address, stage.folder()).await;
    let url = redis.url();
    let limiter = counts(stage, &["--redis", &url]).await;
    (redis, limiter)
}

/// Somebody who asks this Redis, and a gateway `default` that names it.
pub async fn counts(stage: &Stage, redis: &[&str]) -> RateLimit {
    let limiter = RateLimit::start(stage.address, redis, stage.folder()).await;
    stage
        .etcd
        .put("upstreams/limits", &limiter.upstream())
        .await;
    let own = names_who_counts(gateway(stage.envoy.listener()));
    stage.etcd.put("gateways/default", &own).await;
    limiter
}

pub fn names_who_counts(mut gateway: Value) -> Value {
    gateway["rate_limit"] = json!({ "upstream_id": "limits" });
    gateway
}

/// A Redis that keeps nothing on disk.
pub struct Redis {
    pub process: Process,
    address: Ipv4Addr,
}

impl Redis {
    pub async fn start(address: Ipv4Addr, folder: &Path) -> Self {
        let redis = Self::run(address, folder, &[]);
        redis.answers().await;
        redis
    }

    /// A cluster of one node, which has all slots.
    pub async fn start_cluster(address: Ipv4Addr, folder: &Path) -> Self {
        let own = folder.join("nodes.conf").display().to_string();
        let more = ["--cluster-enabled", "yes", "--cluster-config-file", &own];
        let redis = Self::run(address, folder, &more);
        redis.answers().await;
        let mut all = redis::cmd("CLUSTER");
        all.arg("ADDSLOTS").arg((0..16384).collect::<Vec<u32>>());
        let _: String = redis.ask(&all).await.unwrap();
        eventually(async || {
            let state: String = redis.ask(redis::cmd("CLUSTER").arg("INFO")).await?;
            anyhow::ensure!(state.contains("cluster_state:ok"), "{state}");
            Ok(())
        })
        .await;
        redis
    }

    fn run(address: Ipv4Addr, folder: &Path, more: &[&str]) -> Self {
        let (bind, dir) = (address.to_string(), folder.display().to_string());
        let arguments = [
            ["--bind", &bind],
            ["--port", "6379"],
            ["--dir", &dir],
            ["--save", ""],
            ["--appendonly", "no"],
            ["--requirepass", "planted"],
        ];
        let arguments = [&arguments.concat(), more].concat();
        let process = Process::start("redis", &tool("redis-server"), arguments, folder);
        Self { process, address }
    }

    /// Where `chancery ratelimit` finds it.
    pub fn url(&self) -> String {
        format!("redis://:planted@{}:6379", self.address)
    }

    pub async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> anyhow::Result<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        Ok(command.query_async(&mut connection).await?)
    }

    pub async fn answers(&self) {
        eventually(async || {
            let pong: String = self.ask(&redis::cmd("PING")).await?;
            anyhow::ensure!(pong == "PONG", "{pong}");
            Ok(())
        })
        .await;
    }

    /// The fields of a document that count there.
    pub fn policy(&self) -> Value {
        json!({ "policy": "redis", "redis_host": self.address, "redis_password": "planted" })
    }
}

/// A `chancery ratelimit`, on port 18090 of the address.
pub struct RateLimit {
    pub process: Process,
    address: Ipv4Addr,
}

impl RateLimit {
    pub async fn start(address: Ipv4Addr, redis: &[&str], folder: &Path) -> Self {
        let listen = format!("{address}:18090");
        let arguments = [&["ratelimit", "--listen", &listen], redis].concat();
        let process = Process::start("ratelimit", Path::new(BINARY), arguments, folder);
        let limiter = Self { process, address };
        eventually(async || {
            TcpStream::connect((address, 18090)).await?;
            Ok(())
        })
        .await;
        limiter
    }

    /// The upstream that a gateway names.
    pub fn upstream(&self) -> Value {
        json!({ "scheme": "grpc", "nodes": { format!("{}:18090", self.address): 1 } })
    }
}
