//! What the processes beside Chancery have in common, which proxies speak with: `ratelimit` and `logs`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tracing::info;

use crate::telemetry::logs::{self, Destinations, LogFormat};

/// Who may speak with it, and what it says of itself.
#[derive(Debug, clap::Args)]
pub struct Beside {
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

impl Beside {
    /// Begins to log, unless anybody at all could speak with what listens there.
    pub fn start(&self, listen: SocketAddr) -> anyhow::Result<logs::Logs> {
        let is_exposed = !listen.ip().is_loopback() && !self.insecure;
        anyhow::ensure!(
            !is_exposed || self.client_ca.is_some(),
            "--listen: {listen} can be reached by others, and nobody would have to say who they are: listen on a loopback address, \
             demand certificates (--cert, --key, --client-ca), or add --insecure if the network itself is trusted"
        );
        Ok(logs::init(&Destinations {
            level: &self.log_level,
            format: self.log_format,
            output: logs::LogOutput::default(),
            folder: None,
            otlp: None,
        })?)
    }

    pub async fn tls(&self) -> anyhow::Result<Option<ServerTlsConfig>> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(None);
        };
        let identity = Identity::from_pem(read(cert).await?, read(key).await?);
        let mut tls = ServerTlsConfig::new().identity(identity);
        if let Some(ca) = &self.client_ca {
            tls = tls.client_ca_root(Certificate::from_pem(read(ca).await?));
        }
        Ok(Some(tls))
    }
}

pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| anyhow::anyhow!("cannot listen on {address}: {error}"))
}

/// Cancelled once the process is told to end.
pub fn shutdown() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let told = shutdown.clone();
    tokio::spawn(async move {
        let signal = super::terminated().await;
        info!(signal, "stopping");
        told.cancel();
    });
    shutdown
}

pub async fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let read = tokio::fs::read(file).await;
    read.map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))
}
