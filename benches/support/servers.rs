//! Servers: where their programs are, how they start, and when they are ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use etcd_client::{Client, PutOptions, Txn, TxnOp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::process::Process;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(120);
/// The operations that etcd takes in one transaction.
const TRANSACTION: usize = 128;

/// Starts etcd on an empty folder, and waits until it can serve.
pub async fn etcd(client: SocketAddr, peer: SocketAddr, folder: &Path) -> Result<Process> {
    let (address, client, peer) = (client, format!("http://{client}"), format!("http://{peer}"));
    let mut command = Command::new(tool("etcd")?);
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args(["--listen-client-urls", &client])
        .args(["--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("default={peer}")]);
    let mut process = Process::start_logged(&mut command, &folder.join("etcd.log"))?;
    until(&mut process, async || get(address, "/health").await.is_ok()).await?;
    Ok(process)
}

/// Starts Consul, and waits until it can serve.
pub async fn consul(at: Ipv4Addr, folder: &Path) -> Result<Process> {
    let mut command = Command::new(tool("consul")?);
    command.args(["agent", "-dev", "-log-level", "warn"]).args([
        "-bind",
        &at.to_string(),
        "-client",
        &at.to_string(),
    ]);
    let mut process = Process::start_logged(&mut command, &folder.join("consul.log"))?;
    let http = SocketAddr::from((at, 8500));
    let leads = |answer: Result<String>| answer.is_ok_and(|answer| answer.contains(":8300"));
    until(&mut process, async || {
        leads(get(http, "/v1/status/leader").await)
    })
    .await?;
    Ok(process)
}

/// Puts all of these into an etcd.
pub async fn fill(
    etcd: &mut Client,
    documents: impl Iterator<Item = (String, String)>,
) -> Result<()> {
    let puts = documents.map(|(key, value)| TxnOp::put(key, value, None::<PutOptions>));
    let puts: Vec<TxnOp> = puts.collect();
    for part in puts.chunks(TRANSACTION) {
        etcd.txn(Txn::new().and_then(part)).await?;
    }
    Ok(())
}

/// Waits until a server that was just started is ready.
pub async fn until(process: &mut Process, ready: impl AsyncFn() -> bool) -> Result<()> {
    let deadline = Instant::now() + START;
    while !ready().await {
        if let Some(status) = process.status()? {
            bail!("a server ended at its start: {status}");
        }
        ensure!(
            Instant::now() < deadline,
            "a server did not start in {START:?}"
        );
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// `$CHANCERY_TOOLS`, else `.tools/bin`, else the PATH.
pub fn tool(name: &str) -> Result<PathBuf> {
    let given = std::env::var_os("CHANCERY_TOOLS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = given.into_iter().chain([own]);
    folders
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("{name} is not installed; `make bench` brings it"))
}

/// What an HTTP server answers with 200.
pub async fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(START, socket.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    Ok(answer)
}
