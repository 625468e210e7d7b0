//! What it takes to watch thousands of services of a real Consul with its default limits: connections, Consul's and this
//! process's processor time and memory, and how soon a change is known, however it was made.
//!
//! `cargo bench --bench discovery [-- SERVICES]`. The ways to watch that were weighed are measured beside the one that was
//! chosen: a blocking query per service (refused beyond the limit), short queries in turns. Nothing here asserts a time.

#[path = "support/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chancery::model::{Discovery, ServiceKey};
use chancery::registry::Answer;
use chancery::registry::consul::{self, Settings, WAIT};
use chancery::registry::freshness::Freshness;
use chancery::telemetry::Source;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use support::process::cpu_ms;

/// Instances of each service.
const INSTANCES: usize = 2;
/// Nodes that they are on.
const NODES: usize = 100;
/// How long idle cost is measured.
const IDLE: Duration = Duration::from_secs(15);
/// How often each kind of change is made.
const CHANGES: usize = 10;

struct Consul {
    process: Child,
    url: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Drop for Consul {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Consul {
    async fn start() -> Result<Self> {
        let tools = std::env::var_os("CHANCERY_TOOLS").map_or(".tools/bin".into(), PathBuf::from);
        let folder = tempfile::tempdir()?;
        let address = Ipv4Addr::new(127, 88, fastrand::u8(2..250), fastrand::u8(2..250));
        let process = Command::new(tools.join("consul"))
            .args(["agent", "-dev", "-bind", &address.to_string()])
            .args(["-client", &address.to_string()])
            .args(["-hcl", "performance { raft_multiplier = 1 }"])
            .stdout(Stdio::from(std::fs::File::create(
                folder.path().join("log"),
            )?))
            .stderr(Stdio::null())
            .spawn()
            .context("no consul: scripts/tools consul")?;
        let consul = Self {
            process,
            url: format!("http://{address}:8500"),
            client: Client::builder().no_proxy().build()?,
            _folder: folder,
        };
        let until = Instant::now() + Duration::from_secs(20);
        while !matches!(consul.get("status/leader").await, Ok(leader) if leader.contains(':')) {
            ensure!(Instant::now() < until, "Consul does not start");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(consul)
    }

    async fn get(&self, path: &str) -> Result<String> {
        let answer = self
            .client
            .get(format!("{}/v1/{path}", self.url))
            .send()
            .await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    async fn put(&self, path: &str, body: Value) -> Result<()> {
        let request = self
            .client
            .put(format!("{}/v1/{path}", self.url))
            .json(&body);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// An instance with a check, as most are.
    async fn register(
        &self,
        service: usize,
        instance: usize,
        port: u16,
        status: &str,
    ) -> Result<()> {
        let id = format!("{}-{instance}", name(service));
        let node = (service * INSTANCES + instance) % NODES;
        let body = json!({
            "Node": format!("node-{node}"), "Address": format!("10.0.0.{node}"), "SkipNodeUpdate": false,
            "Service": {"ID": id, "Service": name(service), "Port": port, "Tags": ["v1"]},
            "Check": {"CheckID": id, "Name": "alive", "Status": status, "ServiceID": id},
        });
        self.put("catalog/register", body).await
    }

    fn process_file(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(format!(
            "/proc/{}/{name}",
            self.process.id()
        ))?)
    }

    fn cpu_ms(&self) -> Result<u64> {
        Ok(cpu_ms(&self.process.id().to_string())? as u64)
    }

    fn memory_mib(&self) -> Result<u64> {
        let status = self.process_file("status")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("no VmRSS")?.parse::<u64>()? / 1024)
    }
}

fn own_cpu_ms() -> Result<u64> {
    Ok(cpu_ms("self")? as u64)
}

/// Connections of this process to port 8500.
fn connections() -> Result<usize> {
    let table = std::fs::read_to_string("/proc/self/net/tcp")?;
    let established = table.lines().filter(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(2).is_some_and(|to| to.ends_with(":2134")) && fields.get(3) == Some(&"01")
    });
    Ok(established.count())
}

fn name(service: usize) -> String {
    format!("service-{service:05}")
}

fn settings(url: &str) -> Settings {
    Settings {
        addresses: vec![url.to_owned()],
        token: None,
        token_file: None,
        ca: None,
        cert: None,
        key: None,
        wait: WAIT,
        connections: chancery::registry::consul::CONNECTIONS,
    }
}

/// The answer for the service, and how many others came before it.
async fn answer_of(answers: &mut mpsc::Receiver<Answer>, service: &str) -> Result<usize> {
    let mut others = 0;
    loop {
        let next = tokio::time::timeout(Duration::from_secs(30), answers.recv()).await;
        let answer = next
            .context("nothing was heard")?
            .context("the watch ended")?;
        if &*answer.service.name == service {
            return Ok(others);
        }
        others += 1;
    }
}

fn row(what: &str, value: impl std::fmt::Display) {
    println!("{what:<64} {value:>14}");
}

fn milliseconds(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    format!("{:.0} / {:.0}", at(50), at(99))
}

#[tokio::main]
async fn main() -> Result<()> {
    chancery::tls::install();
    let services = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(5000);
    let consul = Consul::start().await?;
    eprintln!("registering {services} services with {INSTANCES} instances each");
    let all = (0..services).flat_map(|service| (0..INSTANCES).map(move |one| (service, one)));
    let registrations = all.map(|(service, one)| consul.register(service, one, 8000, "passing"));
    stream::iter(registrations)
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "{services} services, {} instances, {NODES} nodes, one Consul with default limits\n",
        services * INSTANCES
    );
    bare(&consul, services).await?;
    chosen(&consul, services).await?;
    refused(&consul, services).await?;
    in_turns(&consul, services).await
}

/// What reading all services once costs a client that does nothing with the answers: as consistently as Chancery does, and
/// with as many queries at a time.
async fn bare(consul: &Consul, services: usize) -> Result<()> {
    let (began, cpu, own) = (Instant::now(), consul.cpu_ms()?, own_cpu_ms()?);
    let ask = async |n: usize| {
        let path = format!("health/service/{}?consistent", name(n));
        anyhow::Ok(consul.get(&path).await?.len())
    };
    let sizes: Vec<usize> = stream::iter((0..services).map(ask))
        .buffer_unordered(20)
        .try_collect()
        .await?;
    row(
        "a bare client reads all services, ms",
        began.elapsed().as_millis(),
    );
    row(
        "  Consul's processor time for it, ms",
        consul.cpu_ms()? - cpu,
    );
    row("  this process's, ms", own_cpu_ms()? - own);
    row("  bytes", sizes.iter().sum::<usize>());
    Ok(())
}

/// What Chancery does.
async fn chosen(consul: &Consul, services: usize) -> Result<()> {
    let wanted: BTreeSet<_> = (0..services)
        .map(|n| ServiceKey::new(Discovery::Consul, name(n)))
        .collect();
    let (_wanted, wants) = watch::channel(Arc::new(wanted));
    let (answers_in, mut answers) = mpsc::channel(1024);
    let (source, shutdown) = (Source::new("consul"), CancellationToken::new());
    let (began, cpu, own) = (Instant::now(), consul.cpu_ms()?, own_cpu_ms()?);
    let watching = consul::watch(
        settings(&consul.url),
        source.clone(),
        Freshness::default(),
        wants,
        answers_in,
        shutdown.clone(),
    );
    let watching = tokio::spawn(watching);
    let mut most = 0;
    for n in 0..services {
        answers.recv().await.context("the watch ended")?;
        // The table of connections takes longer to read than an answer.
        if n % 100 == 0 {
            most = most.max(connections()?);
        }
    }
    row("until all are known, ms", began.elapsed().as_millis());
    row(
        "  Consul's processor time for it, ms",
        consul.cpu_ms()? - cpu,
    );
    row("  this process's, ms", own_cpu_ms()? - own);
    row("  connections at most", most);
    let (cpu, own) = (consul.cpu_ms()?, own_cpu_ms()?);
    tokio::time::sleep(IDLE).await;
    let per_second = |ms: u64| ms as f64 / IDLE.as_secs_f64();
    row(
        "idle: Consul's processor time, ms a second",
        per_second(consul.cpu_ms()? - cpu),
    );
    row(
        "  this process's, ms a second",
        per_second(own_cpu_ms()? - own),
    );
    row("  connections", connections()?);
    row("  Consul's memory, MiB", consul.memory_mib()?);
    for kind in [
        "a check turns critical",
        "an instance changes its port",
        "an instance is registered",
    ] {
        let (mut times, mut others, mut cpu) = (Vec::new(), 0, 0);
        for n in 0..CHANGES {
            // Each finds a feed at rest, and not just after another sweep.
            tokio::time::sleep(Duration::from_millis(1100)).await;
            let service = n * services / CHANGES;
            let (began, before) = (Instant::now(), consul.cpu_ms()?);
            match kind {
                "a check turns critical" => consul.register(service, 0, 8000, "critical").await?,
                "an instance changes its port" => {
                    consul.register(service, 1, 9000, "passing").await?
                }
                _ => consul.register(service, 7, 8000, "passing").await?,
            }
            others += answer_of(&mut answers, &name(service)).await?;
            times.push(began.elapsed());
            cpu += consul.cpu_ms()? - before;
        }
        row(
            &format!("{kind}: known after, ms (median / worst)"),
            milliseconds(times),
        );
        row("  Consul's processor time each, ms", cpu / CHANGES as u64);
        row("  answers of other services", others);
    }
    ensure!(source.report().error.is_none(), "{:?}", source.report());
    shutdown.cancel();
    Ok(watching.await?)
}

/// A blocking query for each service.
async fn refused(consul: &Consul, services: usize) -> Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let ask = |n: usize| {
        let url = format!(
            "{}/v1/health/service/{}?index=1000000&wait=3s",
            consul.url,
            name(n)
        );
        let request = client.get(url).send();
        async move { usize::from(!matches!(request.await, Ok(answer) if answer.status().is_success())) }
    };
    let asked = services.min(600);
    let refused: usize = stream::iter((0..asked).map(ask))
        .buffer_unordered(asked)
        .collect::<Vec<_>>()
        .await
        .iter()
        .sum();
    row(
        &format!("weighed: {asked} blocking queries over HTTP/1.1, refused"),
        refused,
    );
    Ok(())
}

/// A short query for each service, one round in three seconds: what a budget that rotates comes to.
async fn in_turns(consul: &Consul, services: usize) -> Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let cpu = consul.cpu_ms()?;
    let began = Instant::now();
    let ask = async |n: usize| {
        let url = format!("{}/v1/health/service/{}", consul.url, name(n));
        let answer = client.get(url).send().await?.error_for_status()?;
        anyhow::Ok(answer.bytes().await?.len())
    };
    let sizes: Vec<usize> = stream::iter((0..services).map(ask))
        .buffer_unordered(100)
        .try_collect()
        .await?;
    row(
        "weighed: services in turns, one round: Consul's processor time, ms",
        consul.cpu_ms()? - cpu,
    );
    row(
        "  ms a second at a round every three seconds",
        (consul.cpu_ms()? - cpu) / 3,
    );
    row("  bytes of a round", sizes.iter().sum::<usize>());
    row("  ms for it without a pause", began.elapsed().as_millis());
    Ok(())
}
