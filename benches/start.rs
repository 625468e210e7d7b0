//! How long a start takes, from the process to the first response of a stream, beside bare clients that read the same.
//!
//! `cargo bench --bench start [-- --routes N --services N --instances N]`. Chancery is started on a real etcd and a real Consul,
//! and a delta stream asks for clusters until it is answered. Beside it, in turns, a *floor*: the same documents are listed in as many
//! pages, and then the same services read with as many queries at a time, by clients that do nothing with what they read.
//! Each is done some times, and the best counts. Nothing here asserts a time; machines differ, so read the ratios.

#[path = "support/support.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use etcd_client::{Client as Etcd, GetOptions};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;

use support::process::{Process, cpu_ms};
use support::servers;

/// What Consul takes in one transaction.
const CONSUL_TRANSACTION: usize = 64;
/// How Chancery reads: keys of a page, and queries at a time.
const PAGE: i64 = 1_000;
const QUERIES: usize = 20;
/// Nodes that instances are on.
const NODES: usize = 100;
/// How long a server may take to start.
const START: Duration = Duration::from_secs(120);

/// Measures starts.
#[derive(Parser)]
struct Arguments {
    /// Documents, a route each.
    #[arg(long, default_value_t = 10_000)]
    routes: usize,
    /// Services that they name in turns; none: each route has a node of its own.
    #[arg(long, default_value_t = 5_000)]
    services: usize,
    /// Instances of each service.
    #[arg(long, default_value_t = 15)]
    instances: usize,
    /// How often each is done.
    #[arg(long, default_value_t = 3)]
    times: usize,
    /// Another build of Chancery, to be started in turns.
    #[arg(long)]
    beside: Vec<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The servers of a run.
struct Stage {
    http: Client,
    address: Ipv4Addr,
    etcd: Process,
    consul: Process,
    folder: tempfile::TempDir,
}

/// What was done once.
#[derive(Clone, Copy)]
struct Measured {
    took: Duration,
    /// Processor time of who reads, of etcd, and of Consul.
    cpu_ms: [f64; 3],
}

impl Stage {
    async fn set() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = Ipv4Addr::new(127, 90, fastrand::u8(2..250), fastrand::u8(2..250));
        let [client, peer] = [2379, 2380].map(|port| SocketAddrV4::new(address, port));
        let etcd = servers::etcd(client.into(), peer.into(), folder.path()).await?;
        let consul = servers::consul(address, folder.path()).await?;
        Ok(Self {
            http: Client::builder().no_proxy().build()?,
            address,
            etcd,
            consul,
            folder,
        })
    }

    fn url(&self, port: u16) -> String {
        format!("http://{}:{port}", self.address)
    }

    async fn etcd(&self) -> Result<Etcd> {
        Ok(Etcd::connect([self.url(2379)], None).await?)
    }

    async fn consul(&self, path: &str) -> Result<String> {
        let url = format!("{}/v1/{path}", self.url(8500));
        let answer = self.http.get(url).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    async fn fill(&self, arguments: &Arguments) -> Result<()> {
        let mut etcd = self.etcd().await?;
        let routes = (0..arguments.routes).map(|number| {
            let (key, value) = route(number, arguments.services);
            (key, value.to_string())
        });
        servers::fill(&mut etcd, routes).await?;
        let all = arguments.services * arguments.instances;
        let operations = (0..NODES).map(node).chain(
            (0..all)
                .flat_map(|at| instance(at / arguments.instances, at, at % arguments.instances)),
        );
        let operations: Vec<Value> = operations.collect();
        let url = format!("{}/v1/txn", self.url(8500));
        let write = async |part: &[Value]| {
            let answer = self.http.put(&url).json(part).send().await?;
            answer.error_for_status()?.bytes().await?;
            anyhow::Ok(())
        };
        // Nodes come first.
        let (first, rest) = operations.split_at(NODES.min(operations.len()));
        for part in first.chunks(CONSUL_TRANSACTION) {
            write(part).await?;
        }
        stream::iter(rest.chunks(CONSUL_TRANSACTION))
            .map(write)
            .buffer_unordered(4)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    fn servers_ms(&self) -> Result<[f64; 2]> {
        Ok([self.etcd.cpu_ms()?, self.consul.cpu_ms()?])
    }

    /// Bare clients read the same.
    async fn floor(&self, services: usize) -> Result<Measured> {
        let (began, own, before) = (Instant::now(), cpu_ms("self")?, self.servers_ms()?);
        let mut etcd = self.etcd().await?.kv_client();
        let (mut from, mut revision) = ("/chancery/".to_owned(), 0);
        loop {
            let options = GetOptions::new().with_range("/chancery0").with_limit(PAGE);
            let page = etcd
                .get(from, Some(options.with_revision(revision)))
                .await?;
            revision = page.header().map_or(0, |header| header.revision());
            let last = page
                .kvs()
                .last()
                .map(|last| last.key_str().map(str::to_owned));
            match last {
                Some(last) if page.more() => from = format!("{}\0", last?),
                _ => break,
            }
        }
        let read = async |number: usize| {
            let path = format!("health/service/{}?consistent", name(number));
            anyhow::Ok(self.consul(&path).await?.len())
        };
        let reads = stream::iter((0..services).map(read)).buffer_unordered(QUERIES);
        let sizes: Vec<usize> = reads.try_collect().await?;
        ensure!(
            sizes.iter().all(|size| *size > 2),
            "a service has no instance"
        );
        let took = began.elapsed();
        let [etcd, consul] = self.servers_ms()?;
        let cpu_ms = [cpu_ms("self")? - own, etcd - before[0], consul - before[1]];
        Ok(Measured { took, cpu_ms })
    }

    /// Chancery starts, and answers a stream.
    async fn chancery(&self, program: &Path) -> Result<Measured> {
        let (xds, admin) = (self.address, self.address);
        let (xds, admin) = (format!("{xds}:18000"), format!("{admin}:9180"));
        let (etcd, consul) = (self.url(2379), self.url(8500));
        let mut command = Command::new(program);
        command
            .args(["serve", "--insecure", "--log-level", "warn"])
            .args(["--etcd", &etcd, "--consul", &consul])
            .args(["--xds", &xds, "--admin", &admin]);
        let log = self.folder.path().join("chancery.log");
        let before = self.servers_ms()?;
        let began = Instant::now();
        let server = Process::start_logged(&mut command, &log)?;
        let first = async || first_response(&self.url(18000)).await;
        until(first).await.context("Chancery does not answer")?;
        let took = began.elapsed();
        let [etcd, consul] = self.servers_ms()?;
        let cpu_ms = [server.cpu_ms()?, etcd - before[0], consul - before[1]];
        Ok(Measured { took, cpu_ms })
    }
}

/// Waits for the first response of a stream that asks for all clusters.
async fn first_response(url: &str) -> Result<bool> {
    let client = AggregatedDiscoveryServiceClient::connect(url.to_owned()).await?;
    let mut client = client.max_decoding_message_size(usize::MAX);
    let request = DeltaDiscoveryRequest {
        node: Some(Node {
            id: "start".to_owned(),
            ..Node::default()
        }),
        type_url: "type.googleapis.com/envoy.config.cluster.v3.Cluster".to_owned(),
        resource_names_subscribe: vec!["*".to_owned()],
        ..DeltaDiscoveryRequest::default()
    };
    let requests = stream::iter([request]).chain(stream::pending());
    let mut responses = client
        .delta_aggregated_resources(requests)
        .await?
        .into_inner();
    let response = tokio::time::timeout(START, responses.message()).await??;
    ensure!(
        response.is_some_and(|response| !response.resources.is_empty()),
        "nothing came"
    );
    Ok(true)
}

async fn until(ready: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + START;
    loop {
        match ready().await {
            Ok(true) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn name(service: usize) -> String {
    format!("service-{service:05}")
}

fn route(number: usize, services: usize) -> (String, Value) {
    let upstream = match number.checked_rem(services) {
        Some(service) => {
            json!({"discovery_type": "consul", "service_name": name(service), "type": "roundrobin"})
        }
        None => {
            let node = format!("10.1.{}.{}:80", number / 250, number % 250);
            json!({"type": "roundrobin", "nodes": {node: 1}})
        }
    };
    let document = json!({
        "name": format!("route {number}"),
        "uri": format!("/api/r{number:05}/*"),
        "methods": ["GET", "POST"],
        "plugins": {"proxy-rewrite": {"regex_uri": ["^/api/[^/]+/(.*)", "/$1"]}},
        "upstream": upstream,
        "status": 1,
    });
    (format!("/chancery/routes/r{number:05}"), document)
}

fn node(number: usize) -> Value {
    let node = json!({"Node": format!("node-{number}"), "Address": format!("10.0.0.{number}")});
    json!({"Node": {"Verb": "set", "Node": node}})
}

/// An instance with a check, as most are.
fn instance(service: usize, number: usize, of: usize) -> [Value; 2] {
    let (node, service) = (format!("node-{}", number % NODES), name(service));
    let id = format!("{service}-{of}");
    let check = json!({
        "Node": node, "CheckID": id, "Name": "alive", "Status": "passing", "ServiceID": id,
    });
    let instance = json!({
        "ID": id, "Service": service, "Port": 8000 + of, "Tags": ["v1", "http"],
        "Meta": {"version": "1.2.3"},
    });
    [
        json!({"Service": {"Verb": "set", "Node": node, "Service": instance}}),
        json!({"Check": {"Verb": "set", "Check": check}}),
    ]
}

fn tell(what: &str, best: Measured, floor: Measured) {
    let ratio = best.took.as_secs_f64() / floor.took.as_secs_f64();
    let [own, etcd, consul] = best.cpu_ms;
    println!(
        "{what:<40} {:>8} {ratio:>6.2} {own:>8.0} {etcd:>8.0} {consul:>8.0}",
        best.took.as_millis()
    );
}

#[tokio::main]
async fn main() -> Result<()> {
    chancery::tls::install();
    let arguments = Arguments::parse();
    let (routes, services) = (arguments.routes, arguments.services);
    let instances = services * arguments.instances;
    let stage = Stage::set().await?;
    eprintln!("writing {routes} routes, {services} services with {instances} instances");
    stage.fill(&arguments).await?;
    let mut programs = vec![PathBuf::from(env!("CARGO_BIN_EXE_chancery"))];
    programs.extend(arguments.beside.iter().cloned());
    let mut best: Vec<Option<Measured>> = vec![None; programs.len() + 1];
    for _ in 0..arguments.times {
        let mut all = vec![stage.floor(services).await?];
        for program in &programs {
            all.push(stage.chancery(program).await?);
        }
        for (best, now) in best.iter_mut().zip(all) {
            if best.is_none_or(|best| now.took < best.took) {
                *best = Some(now);
            }
        }
    }
    let mut best = best.into_iter().flatten();
    let floor = best.next().context("nothing was done")?;
    println!("{routes} routes, {services} services, {instances} instances, {NODES} nodes\n");
    println!(
        "{:<40} {:>8} {:>6} {:>8} {:>8} {:>8}",
        "", "ms", "ratio", "own CPU", "etcd's", "Consul's"
    );
    tell("bare clients read all", floor, floor);
    for (program, best) in programs.iter().zip(best) {
        let what = program.file_name().unwrap_or_default();
        tell(&format!("{}: first response", what.display()), best, floor);
    }
    Ok(())
}
