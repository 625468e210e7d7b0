//! The real Envoy, on the bootstrap file that operators copy, and what the machine and itself say of it.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use crate::support::process::Process;
use crate::support::servers::{get, tool};

/// Where the bootstrap file names Chancery.
const XDS: &str = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
/// What its control plane has sent to it.
const RECEIVED: &str = "cluster.chancery.upstream_cx_rx_bytes_total";
/// How the threads that serve requests are called.
const WORKER: &str = "wrk:worker_";
/// A look at whether its main thread has anything to do, and how much of it counts as nothing.
const LOOK: Duration = Duration::from_millis(25);
const NOTHING_MS: f64 = 0.6;
/// How long it may have something to do.
const BUSY: Duration = Duration::from_secs(20);

/// An Envoy.
pub struct Envoy {
    process: Process,
    admin: SocketAddrV4,
}

impl Envoy {
    /// Starts one that is a proxy of the gateway `default`.
    pub async fn start(
        name: &str,
        xds: SocketAddrV4,
        admin: SocketAddrV4,
        folder: &Path,
        workers: usize,
    ) -> Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/bootstrap.yaml");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let mut bootstrap: Value = serde_saphyr::from_str(&text)?;
        for (pointer, value) in [
            ("/node/id", json!(name)),
            (XDS, socket_address(xds)),
            ("/admin/address/socket_address", socket_address(admin)),
        ] {
            *bootstrap
                .pointer_mut(pointer)
                .with_context(|| format!("the bootstrap has no {pointer}"))? = value;
        }
        Self::start_with(name, &bootstrap, admin, folder, workers).await
    }

    /// Starts one with this bootstrap and so many workers.
    pub async fn start_with(
        name: &str,
        bootstrap: &Value,
        admin: SocketAddrV4,
        folder: &Path,
        workers: usize,
    ) -> Result<Self> {
        let file = folder.join(format!("{name}.json"));
        fs::write(&file, bootstrap.to_string())?;
        let mut command = Command::new(tool("envoy")?);
        command.arg("-c").arg(file).args([
            "--concurrency",
            &workers.to_string(),
            "--disable-hot-restart",
            "-l",
            "warn",
        ]);
        let log = folder.join(format!("{name}.log"));
        let process = Process::start_logged(&mut command, &log)?;
        Ok(Self { process, admin })
    }

    /// Processor time of its main thread, in milliseconds.
    pub fn main_ms(&self) -> Result<f64> {
        let pid = self.pid()?;
        run_ms(&format!("/proc/{pid}/task/{pid}/schedstat"))
    }

    /// Processor time of the threads that serve requests, in milliseconds.
    pub fn workers_ms(&self) -> Result<f64> {
        let pid = self.pid()?;
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm"))?.starts_with(WORKER) {
                sum += run_ms(&task.join("schedstat").display().to_string())?;
            }
        }
        ensure!(sum > 0.0, "Envoy has no thread {WORKER}0");
        Ok(sum)
    }

    /// Waits until its main thread has nothing to do.
    pub async fn quiet(&self) -> Result<()> {
        let start = Instant::now();
        let mut before = self.main_ms()?;
        while start.elapsed() < BUSY {
            sleep(LOOK).await;
            let now = self.main_ms()?;
            if now - before < NOTHING_MS {
                break;
            }
            before = now;
        }
        Ok(())
    }

    /// Its memory, in MB.
    pub fn memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        let kib: f64 = kib.context("no VmRSS in /proc/<pid>/status")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    }

    /// The bytes that its control plane has sent to it.
    pub async fn received(&self) -> Result<f64> {
        let stats = get(self.admin.into(), &format!("/stats?filter=^{RECEIVED}$")).await?;
        let line = stats.lines().find_map(|line| line.strip_prefix(RECEIVED));
        let value = line.context("Envoy does not count what it receives")?;
        Ok(value.trim_start_matches(':').trim().parse()?)
    }

    /// Fails when it has ended.
    pub fn alive(&mut self) -> Result<()> {
        let status = self.process.status()?;
        ensure!(status.is_none(), "Envoy has ended: {status:?}");
        Ok(())
    }

    fn pid(&self) -> Result<u32> {
        self.process.child.id().context("Envoy has ended")
    }
}

/// The processor time in a file of the kernel's, in milliseconds.
fn run_ms(file: &str) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    let run = text
        .split_whitespace()
        .next()
        .context("an empty schedstat")?;
    Ok(run.parse::<f64>()? / 1e6)
}

/// The processor time of all threads of a process, in milliseconds.
pub fn all_ms(process: &Process) -> Result<f64> {
    let pid = process.child.id().context("a server has ended")?;
    let mut sum = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += run_ms(&task?.path().join("schedstat").display().to_string())?;
    }
    Ok(sum)
}

pub fn socket_address(address: SocketAddrV4) -> Value {
    json!({ "address": address.ip(), "port_value": address.port() })
}
