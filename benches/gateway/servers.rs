//! The servers of a run beside the Envoys: etcd and Chancery.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use etcd_client::{Client, PutOptions, Txn, TxnOp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::process::Process;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// The operations that etcd takes in one transaction.
const TRANSACTION: usize = 128;

/// Starts etcd on an empty folder.
pub async fn etcd(at: Ipv4Addr, folder: &Path) -> Result<(Process, Client)> {
    let (client, peer) = (format!("http://{at}:2379"), format!("http://{at}:2380"));
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
    let address = SocketAddrV4::new(at, 2379);
    until(&mut process, async || {
        get(address.into(), "/health").await.is_ok()
    })
    .await?;
    Ok((process, Client::connect([client], None).await?))
}

/// Puts all of these.
pub async fn fill(etcd: &mut Client, documents: Vec<(String, String)>) -> Result<()> {
    for part in documents.chunks(TRANSACTION) {
        let puts = part
            .iter()
            .map(|(key, value)| TxnOp::put(key.as_str(), value.as_str(), None::<PutOptions>));
        let puts: Vec<_> = puts.collect();
        etcd.txn(Txn::new().and_then(puts)).await?;
    }
    Ok(())
}

/// Starts Chancery, and waits until it can serve.
pub async fn chancery(at: Ipv4Addr, folder: &Path) -> Result<(Process, SocketAddrV4)> {
    let (xds, admin) = (SocketAddrV4::new(at, 18000), SocketAddrV4::new(at, 9180));
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command
        .args(["serve", "--log-level", "warn"])
        .args(["--etcd", &format!("http://{at}:2379")])
        .args(["--xds", &xds.to_string()])
        .args(["--admin", &admin.to_string()]);
    let mut process = Process::start_logged(&mut command, &folder.join("chancery.log"))?;
    until(&mut process, async || {
        get(admin.into(), "/readyz").await.is_ok()
    })
    .await?;
    Ok((process, xds))
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
