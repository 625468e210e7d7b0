//! `chancery ratelimit`: counts requests in Redis, for all proxies of a gateway together.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tracing::info;

use crate::ratelimit::{self, Place, Servers};
use crate::telemetry::logs::{self, Destinations, LogFormat};

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
    /// The certificate that this service shows (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authority that proxies' certificates come from (PEM); without it none is asked for
    #[arg(long, value_name = "FILE", requires = "cert")]
    client_ca: Option<PathBuf>,
    /// Listen on other addresses than loopback without certificates of proxies, because the network itself is trusted
    #[arg(long)]
    insecure: bool,
    /// What is logged: error, warn, info, debug, or targets with levels
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
    /// How lines are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
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
    let is_exposed = !asked.listen.ip().is_loopback() && !asked.insecure;
    anyhow::ensure!(
        !is_exposed || asked.client_ca.is_some(),
        "--listen: {} can be reached by others, and nobody would have to say who they are: listen on a loopback address, demand \
         certificates (--cert, --key, --client-ca), or add --insecure if the network itself is trusted",
        asked.listen
    );
    let _logs = logs::init(&Destinations {
        level: &asked.log_level,
        format: asked.log_format,
        output: logs::LogOutput::default(),
        folder: None,
        otlp: None,
    })?;
    let servers = Servers::new(&places(&asked), asked.timeout)?;
    let tls = tls(&asked).await?;
    let listener = TcpListener::bind(asked.listen)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {}: {error}", asked.listen))?;
    let address = listener.local_addr()?;
    let redis: Vec<_> = servers.names().collect();
    info!(%address, tls = tls.is_some(), redis = redis.join(" "), "counting");
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    tokio::spawn(async move {
        let signal = super::terminated().await;
        info!(signal, "stopping");
        told.cancel();
    });
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

async fn tls(asked: &RateLimit) -> anyhow::Result<Option<ServerTlsConfig>> {
    let (Some(cert), Some(key)) = (&asked.cert, &asked.key) else {
        return Ok(None);
    };
    let identity = Identity::from_pem(read(cert).await?, read(key).await?);
    let mut tls = ServerTlsConfig::new().identity(identity);
    if let Some(ca) = &asked.client_ca {
        tls = tls.client_ca_root(Certificate::from_pem(read(ca).await?));
    }
    Ok(Some(tls))
}

async fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let read = tokio::fs::read(file).await;
    read.map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}
