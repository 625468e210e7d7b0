//! The servers of a run: etcd, Chancery, and the floor.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use etcd_client::{Client, PutOptions, Txn, TxnOp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::documents;
use crate::process::{Process, free_address};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);
/// The operations that etcd takes in one transaction.
const TRANSACTION: usize = 128;

/// A server.
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts etcd on an empty folder, and fills it.
    pub async fn etcd(folder: &Path) -> Result<Self> {
        let (address, peer) = (free_address()?, free_address()?);
        let (client, peer) = (format!("http://{address}"), format!("http://{peer}"));
        let mut command = Command::new(etcd_program()?);
        command
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")]);
        let process = Process::start_logged(&mut command, &folder.join("etcd.log"))?;
        let mut server = Self { process, address };
        server.until(|| is_well(address, "/health")).await?;
        server.fill().await?;
        Ok(server)
    }

    /// Starts Chancery, and waits until it can serve.
    pub async fn chancery(program: &Path, etcd: &Self, folder: &Path) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = Command::new(program);
        command
            .args(["serve", "--log-level", "warn", "--etcd", &etcd.url()])
            .args(["--xds", &address.to_string()])
            .args(["--admin", &admin.to_string()])
            // All at once: the floor lets them in as well.
            .args(["--max-connection-rate", "100000"]);
        let process = Process::start_logged(&mut command, &folder.join("chancery.log"))?;
        let mut server = Self { process, address };
        server.until(|| is_well(admin, "/readyz")).await?;
        Ok(server)
    }

    /// Starts the floor, and waits until it listens.
    pub async fn floor(etcd: &Self, lesson: &Path, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["floor", &address.to_string(), &etcd.url()])
            .arg(lesson);
        let process = Process::start_logged(&mut command, &folder.join("floor.log"))?;
        let mut server = Self { process, address };
        let listens = || async move { Ok(TcpStream::connect(address).await.map(|_| true)?) };
        server.until(listens).await?;
        Ok(server)
    }

    /// The URL of an etcd.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn until(&mut self, ready: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + START;
        while !ready().await.unwrap_or(false) {
            if let Some(status) = self.process.status()? {
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

    async fn fill(&self) -> Result<()> {
        let mut client = Client::connect([self.url()], None).await?;
        let puts = documents::all().map(|(key, value)| TxnOp::put(key, value, None::<PutOptions>));
        let puts: Vec<TxnOp> = puts.collect();
        for part in puts.chunks(TRANSACTION) {
            client.txn(Txn::new().and_then(part)).await?;
        }
        Ok(())
    }
}

/// `$CHANCERY_TOOLS`, else `.tools/bin`, else the PATH.
fn etcd_program() -> Result<PathBuf> {
    let given = std::env::var_os("CHANCERY_TOOLS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = given.into_iter().chain([own]);
    folders
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("etcd"))
        .find(|program| program.is_file())
        .context("etcd is not installed; `make bench` brings it")
}

/// Whether an HTTP/1 server answers 200.
async fn is_well(address: SocketAddr, path: &str) -> Result<bool> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(START, socket.read_to_string(&mut answer)).await??;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
