//! `chancery logs`: hands on what proxies write down of requests.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use tracing::info;

use super::beside::{self, Beside};
use crate::logs::{self, Sinks, Targets};

/// What `logs` takes.
#[derive(Debug, clap::Args)]
pub struct Logs {
    /// Where proxies tell; `/metrics` is there too
    #[arg(
        long,
        default_value = "127.0.0.1:18091",
        value_name = "ADDRESS:PORT",
        env = "CHANCERY_LOGS_LISTEN"
    )]
    listen: SocketAddr,
    /// What servers are shown as `Authorization`: a line for each, with the URL that is posted to, a space, and the value; of Kafka `kafka://USER@HOST:PORT` and the password
    #[arg(long, value_name = "FILE")]
    authorization: Option<PathBuf>,
    /// How many entries may wait for one target, at most 16 MiB of them; what comes then is lost, and counted
    #[arg(long, value_name = "ENTRIES", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    buffer: u32,
    #[command(flatten)]
    beside: Beside,
}

pub async fn run(asked: Logs) -> ExitCode {
    match serve(asked).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chancery logs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(asked: Logs) -> anyhow::Result<()> {
    let _logs = asked.beside.start(asked.listen)?;
    let authorizations = match &asked.authorization {
        Some(file) => String::from_utf8(beside::read(file).await?)
            .map_err(|_| anyhow::anyhow!("--authorization: no text of UTF-8"))?,
        None => String::new(),
    };
    let sinks =
        Sinks::new(&authorizations).map_err(|error| anyhow::anyhow!("--authorization: {error}"))?;
    let targets = Targets::new(sinks, usize::try_from(asked.buffer)?);
    let tls = asked.beside.tls().await?;
    let listener = beside::listen(asked.listen).await?;
    let address = listener.local_addr()?;
    info!(%address, tls = tls.is_some(), "taking logs");
    Ok(logs::serve(listener, tls, targets, beside::shutdown()).await?)
}
