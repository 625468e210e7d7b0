//! The servers of a run: etcd, Chancery, and the floor.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use etcd_client::Client;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::documents;
use crate::machine::free_address;
use crate::support::process::Process;
use crate::support::servers;

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
        let process = servers::etcd(address, peer, folder).await?;
        let server = Self { process, address };
        let mut client = Client::connect([server.url()], None).await?;
        servers::fill(&mut client, documents::all()).await?;
        Ok(server)
    }

    /// Starts a Chancery that sends traces, and waits until it can serve.
    pub async fn tracing(
        program: &Path,
        etcd: &Self,
        collector: SocketAddr,
        folder: &Path,
    ) -> Result<Self> {
        let mut client = Client::connect([etcd.url()], None).await?;
        servers::fill(&mut client, documents::all_traced()).await?;
        let collector = format!("http://{collector}");
        let traces = [
            ["--etcd-prefix", documents::TRACED],
            ["--otlp-traces", &collector],
            ["--otlp-traces-protocol", "http"],
        ];
        Self::chancery_with(program, etcd, traces.as_flattened(), folder).await
    }

    /// Starts Chancery, and waits until it can serve.
    pub async fn chancery(program: &Path, etcd: &Self, folder: &Path) -> Result<Self> {
        Self::chancery_with(program, etcd, &[], folder).await
    }

    async fn chancery_with(
        program: &Path,
        etcd: &Self,
        settings: &[&str],
        folder: &Path,
    ) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let mut command = Command::new(program);
        command
            .args(["serve", "--log-level", "warn", "--etcd", &etcd.url()])
            .args(["--xds", &address.to_string()])
            .args(["--admin", &admin.to_string()])
            .args(settings)
            // All at once: the floor lets them in as well.
            .args(["--max-connection-rate", "100000"]);
        let mut process = Process::start_logged(
            &mut command,
            &folder.join(format!("chancery-{}.log", address.port())),
        )?;
        let is_ready = async || servers::get(admin, "/readyz").await.is_ok();
        servers::until(&mut process, is_ready).await?;
        Ok(Self { process, address })
    }

    /// Starts the floor, and waits until it listens.
    pub async fn floor(etcd: &Self, lesson: &Path, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["floor", &address.to_string(), &etcd.url()])
            .arg(lesson);
        let mut process = Process::start_logged(&mut command, &folder.join("floor.log"))?;
        let listens = async || TcpStream::connect(address).await.is_ok();
        servers::until(&mut process, listens).await?;
        Ok(Self { process, address })
    }

    /// The URL of an etcd.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
