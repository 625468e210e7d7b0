//! Chancery's own binary, as an operator runs it, and what it says: log lines and metrics.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

use super::process::Process;
use super::{eventually, http};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_chancery");

/// The log level that tells of every response.
const TELLING: &str = "info,chancery::xds=debug";

/// A `chancery serve`.
pub struct Chancery {
    pub process: Process,
    address: Ipv4Addr,
    client: Client,
}

impl Chancery {
    /// Starts `chancery serve` on etcd and Consul. It need not be ready yet, see [`Chancery::ready`].
    pub fn serve(address: Ipv4Addr, etcd: &str, consul: &str, folder: &Path) -> Self {
        let (etcd, prefix) = (["--etcd", etcd], ["--etcd-prefix", super::etcd::PREFIX]);
        let sources = [etcd, prefix, ["--consul", consul]].concat();
        Self::start(address, &sources, folder)
    }

    /// Starts `chancery serve` on etcd and Consul; it tells of every response that it sends.
    pub fn serve_telling(address: Ipv4Addr, etcd: &str, consul: &str, folder: &Path) -> Self {
        let (etcd, prefix) = (["--etcd", etcd], ["--etcd-prefix", super::etcd::PREFIX]);
        let sources = [etcd, prefix, ["--consul", consul]].concat();
        Self::start_with(TELLING, address, &sources, folder)
    }

    /// Starts `chancery serve` on etcd and Consul, with its last good state kept in `state`.
    pub fn serve_keeping(
        state: &Path,
        address: Ipv4Addr,
        etcd: &str,
        consul: &str,
        folder: &Path,
    ) -> Self {
        let state = state.display().to_string();
        let (etcd, prefix) = (["--etcd", etcd], ["--etcd-prefix", super::etcd::PREFIX]);
        let sources = [etcd, prefix, ["--consul", consul], ["--state", &state]].concat();
        Self::start(address, &sources, folder)
    }

    /// Starts `chancery serve` on etcd and Consul, with more settings.
    pub fn serve_with(
        address: Ipv4Addr,
        etcd: &str,
        consul: &str,
        settings: &[&str],
        folder: &Path,
    ) -> Self {
        let (etcd, prefix) = (["--etcd", etcd], ["--etcd-prefix", super::etcd::PREFIX]);
        let sources = [etcd, prefix, ["--consul", consul]].concat();
        Self::start(address, &[&sources, settings].concat(), folder)
    }

    /// Starts a `chancery serve` that is one of the replicas on an etcd; it tells of every response that it sends.
    pub fn replica(id: &str, address: Ipv4Addr, etcd: &str, folder: &Path) -> Self {
        let (etcd, prefix) = (["--etcd", etcd], ["--etcd-prefix", super::etcd::PREFIX]);
        let id = ["--replica-id", id];
        Self::start_with(TELLING, address, &[etcd, prefix, id].concat(), folder)
    }

    /// Starts `chancery serve` on etcd alone.
    pub fn serve_etcd(address: Ipv4Addr, etcd: &str, folder: &Path) -> Self {
        let sources = ["--etcd", etcd, "--etcd-prefix", super::etcd::PREFIX];
        Self::start(address, &sources, folder)
    }

    /// Starts `chancery serve` on etcd alone, with more settings.
    pub fn serve_etcd_with(
        address: Ipv4Addr,
        etcd: &str,
        settings: &[&str],
        folder: &Path,
    ) -> Self {
        let sources = ["--etcd", etcd, "--etcd-prefix", super::etcd::PREFIX];
        Self::start(address, &[&sources, settings].concat(), folder)
    }

    /// Starts `chancery serve` on etcd alone, with a variable, `NAME=value`, and more settings.
    pub fn serve_etcd_within(
        variable: &str,
        address: Ipv4Addr,
        etcd: &str,
        settings: &[&str],
        folder: &Path,
    ) -> Self {
        let (xds, admin) = (xds(address).to_string(), format!("{address}:9180"));
        let arguments = [
            [variable, BINARY],
            ["serve", "--log-format=json"],
            ["--xds", &xds],
            ["--admin", &admin],
            ["--etcd", etcd],
            ["--etcd-prefix", super::etcd::PREFIX],
        ];
        let arguments = [arguments.as_flattened(), settings].concat();
        Self {
            process: Process::start("chancery", Path::new("/usr/bin/env"), arguments, folder),
            address,
            client: http::client(),
        }
    }

    /// Starts `chancery serve` on the files of `documents`.
    pub fn serve_files(address: Ipv4Addr, documents: &Path, folder: &Path) -> Self {
        let documents = documents.display().to_string();
        Self::start(address, &["--files", &documents], folder)
    }

    /// Starts `chancery serve` on the files of `documents`, with more settings.
    pub fn serve_files_with(
        address: Ipv4Addr,
        documents: &Path,
        settings: &[&str],
        folder: &Path,
    ) -> Self {
        let documents = documents.display().to_string();
        let arguments = [&["--files", &documents], settings].concat();
        Self::start(address, &arguments, folder)
    }

    /// Starts `chancery serve` on etcd and Consul, with so many open files at most.
    pub fn serve_within(
        descriptors: usize,
        address: Ipv4Addr,
        etcd: &str,
        consul: &str,
        folder: &Path,
    ) -> Self {
        let (xds, admin) = (xds(address).to_string(), format!("{address}:9180"));
        let limited = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        let arguments = [
            ["-c", &limited],
            [BINARY, "serve"],
            ["--xds", &xds],
            ["--admin", &admin],
            ["--log-format", "json"],
            ["--etcd", etcd],
            ["--etcd-prefix", super::etcd::PREFIX],
            ["--consul", consul],
        ];
        let arguments = arguments.into_iter().flatten();
        Self {
            process: Process::start("chancery", Path::new("/bin/sh"), arguments, folder),
            address,
            client: http::client(),
        }
    }

    fn start(address: Ipv4Addr, sources: &[&str], folder: &Path) -> Self {
        Self::start_with("info", address, sources, folder)
    }

    fn start_with(level: &str, address: Ipv4Addr, sources: &[&str], folder: &Path) -> Self {
        let xds = xds(address).to_string();
        let admin = format!("{address}:9180");
        let mut arguments = vec!["serve", "--xds", &xds, "--admin", &admin];
        arguments.extend(["--log-format", "json", "--log-level", level]);
        arguments.extend(sources);
        Self {
            process: Process::start("chancery", Path::new(BINARY), arguments, folder),
            address,
            client: http::client(),
        }
    }

    /// Runs `chancery` with these arguments to its end.
    pub fn run(arguments: &[&str]) -> Output {
        Command::new(BINARY).args(arguments).output().unwrap()
    }

    /// Where its admin listener is.
    pub fn url(&self) -> String {
        format!("http://{}:9180", self.address)
    }

    /// Runs a command that asks this one.
    pub async fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(BINARY);
        command.args(arguments).args(["--admin", &self.url()]);
        command.output().await.unwrap()
    }

    /// Where Envoys reach it.
    pub fn xds(&self) -> SocketAddr {
        xds(self.address)
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) {
        eventually(async || {
            self.process.alive()?;
            let answer = self.admin("readyz").await?;
            ensure!(answer.status == 200, "not ready: {}", answer.body);
            Ok(())
        })
        .await;
    }

    /// An answer of its admin listener.
    pub async fn admin(&self, path: &str) -> anyhow::Result<http::Answer> {
        let url = format!("{}/{path}", self.url());
        http::send(&self.client, Method::GET, &url, &[]).await
    }

    /// The sum of a metric over all its labels.
    pub async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let metrics = self.admin("metrics").await?.body;
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let values: Vec<f64> = metrics
            .lines()
            .filter(of_name)
            .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
            .collect();
        ensure!(!values.is_empty(), "no metric {name} in:\n{metrics}");
        Ok(values.iter().sum())
    }

    /// Every line that it logged, in all its lives.
    pub fn log(&self) -> Vec<Line> {
        let output = self.process.output();
        output.lines().filter_map(Line::parse).collect()
    }

    /// The lines whose message begins with `message`.
    pub fn log_of(&self, message: &str) -> Vec<Line> {
        let mut lines = self.log();
        lines.retain(|line| line.field("message").starts_with(message));
        lines
    }

    /// The snapshots that it published for gateway `default`.
    pub fn published(&self) -> Vec<Line> {
        let mut lines = self.log_of("snapshot published");
        lines.retain(|line| line.field("gateway") == "default");
        lines
    }

    /// Waits for a log line, after the first `seen`, whose message begins with `message`.
    pub async fn logs(&self, seen: usize, message: &str) -> Line {
        eventually(async || {
            let mut lines = self.log().into_iter().skip(seen);
            let found = lines.find(|line| line.field("message").starts_with(message));
            found.with_context(|| format!("no line says {message:?}"))
        })
        .await
    }
}

fn xds(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::from((address, 18000))
}

/// One line of the log.
#[derive(Debug, Clone)]
pub struct Line(Value);

impl Line {
    fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().map(Self)
    }

    /// One of its fields as text; empty where it has none.
    pub fn field(&self, name: &str) -> String {
        match self.0.get(name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }
}
