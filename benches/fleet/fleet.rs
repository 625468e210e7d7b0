//! The handle on the fleet's process: an [`Order`] to it, a [`Report`] from it, a line each.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::documents::Put;
use crate::servers::Server;
use crate::support::process::Process;

/// How long it may take to answer; its own patience is shorter.
const ANSWER: Duration = Duration::from_secs(90);

/// What it is to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// Put a change, and report once its last stream has it.
    Put(Put),
    /// Drop all connections, connect anew and say what is there already; report once all of that is said.
    Reconnect,
}

/// How it went, the first sync, a change or a reconnect.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// From the first connection, or from the put, until the last stream had it, in milliseconds.
    pub took_ms: f64,
    /// What all streams have read so far, HTTP/2 included.
    pub bytes: u64,
    /// How many responses they were.
    pub responses: u64,
}

/// The fleet's process.
pub struct Fleet {
    /// The process itself.
    pub process: Process,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Fleet {
    /// Starts it against a server; the report is of its first sync.
    pub async fn start(server: &Server, etcd: &Server, streams: usize) -> Result<(Self, Report)> {
        let mut command = Command::new(std::env::current_exe()?);
        let (address, streams) = (server.address.to_string(), streams.to_string());
        command
            .args(["clients", &address, &etcd.url(), &streams])
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let orders = process.child.stdin.take().context("no input")?;
        let reports = process.child.stdout.take().context("no output")?;
        let reports = BufReader::new(reports).lines();
        let mut fleet = Self {
            process,
            orders,
            reports,
        };
        let synced = fleet.report().await?;
        Ok((fleet, synced))
    }

    /// Has it do that, and waits for its report.
    pub async fn measure(&mut self, order: &Order) -> Result<Report> {
        let line = serde_json::to_string(order)? + "\n";
        self.orders.write_all(line.as_bytes()).await?;
        self.report().await
    }

    async fn report(&mut self) -> Result<Report> {
        let line = timeout(ANSWER, self.reports.next_line()).await??;
        let line = line.context("the fleet has ended; its last words are above")?;
        Ok(serde_json::from_str(&line)?)
    }
}
