//! `chancery ratelimit`: counts requests in Redis, for all proxies of a gateway together.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use tracing::info;

use super::beside::{self, Beside};
use crate::ratelimit::{self, Place, Servers};

/// What `ratelimit` takes.
#[derive(Debug, clap::Args)]
pub struct RateLimit {
    /// Where proxies ask
    #[arg(
        long,
        default_value = "127.0.0.1:18090",
        value_name = "ADDRESS:PORT",
        env = "CHANCERY_RATELIMIT_LISTEN"
    )]
    listen: SocketAddr,
    /// Redis servers, as documents name them: redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS
    #[arg(
        long,
        value_name = "URL,…",
        value_delimiter = ',',
        env = "CHANCERY_REDIS",
        hide_env_values = true,
        required_unless_present = "redis_cluster"
    )]
    redis: Vec<Secret>,
    /// A cluster of Redis, by its `redis_cluster_name`, and the URLs of some of its nodes
    #[arg(long, value_name = "NAME=URL,URL", hide_env_values = true)]
    redis_cluster: Vec<Cluster>,
    /// How long Redis may take for an answer; behind it nobody knows whether a request is over its limit
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    beside: Beside,
}

/// A URL that may hold a password.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, Clone)]
struct Cluster {
    name: String,
    nodes: Vec<Secret>,
}

impl FromStr for Cluster {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, nodes) = text.split_once('=').ok_or("allowed: NAME=URL,URL")?;
        if name.is_empty() || nodes.is_empty() {
            return Err("allowed: NAME=URL,URL");
        }
        let nodes = nodes.split(',').map(|url| Secret(url.to_owned()));
        Ok(Self {
            name: name.to_owned(),
            nodes: nodes.collect(),
        })
    }
}

pub async fn run(asked: RateLimit) -> ExitCode {
    match serve(asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery ratelimit: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(asked: RateLimit) -> anyhow::Result<()> {
    let _logs = asked.beside.start(asked.listen)?;
    let servers = Servers::new(&places(&asked), asked.timeout)?;
    let tls = asked.beside.tls().await?;
    let listener = beside::listen(asked.listen).await?;
    let address = listener.local_addr()?;
    let redis: Vec<_> = servers.names().collect();
    info!(%address, tls = tls.is_some(), redis = redis.join(" "), "counting");
    let shutdown = beside::shutdown();
    Ok(ratelimit::serve(listener, tls, servers, shutdown).await?)
}

fn places(asked: &RateLimit) -> Vec<Place> {
    let ones = asked.redis.iter().map(|url| Place::One(url.0.clone()));
    let clusters = asked.redis_cluster.iter().map(|cluster| Place::Cluster {
        name: cluster.name.clone(),
        nodes: cluster.nodes.iter().map(|url| url.0.clone()).collect(),
    });
    ones.chain(clusters).collect()
}
