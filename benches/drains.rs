//! What it takes to drain a thousand instances on a real etcd and a real Consul, each with the settings that it comes with.
//!
//! `cargo bench --bench drains [-- INSTANCES]`. Beside Chancery stands a *floor*, in the same run: what no drain can do without, by
//! bare clients with as many calls at a time. These are two leases and two transactions of etcd's, and one call that sets
//! Consul's maintenance mode. No proxy is connected: how fast proxies take changes is measured by `fleet`. Nothing here asserts a
//! time; machines differ, so read the ratios.

#[path = "support/support.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use etcd_client::{Client as Etcd, PutOptions, Txn, TxnOp};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::process::Command;

use support::process::Process;
use support::servers;

/// How many calls are under way at a time.
const AT_ONCE: usize = 64;

/// Services, and instances of each that are drained; one more stays.
struct Shape {
    services: usize,
    drained: usize,
}

/// The servers of a run.
struct Stage {
    http: Client,
    etcd: String,
    consul: String,
    admin: String,
    refused: AtomicUsize,
    _servers: [Process; 3],
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set(shape: &Shape) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = Ipv4Addr::new(127, 89, fastrand::u8(2..250), fastrand::u8(2..250));
        let at = |port: u16| format!("{address}:{port}");
        let url = |port: u16| format!("http://{}", at(port));
        let (etcd, consul, admin) = (url(2379), url(8500), url(9180));
        let [client, peer] = [2379, 2380].map(|port| SocketAddrV4::new(address, port));
        let store = servers::etcd(client.into(), peer.into(), folder.path()).await?;
        let registry = servers::consul(address, folder.path()).await?;
        let http = Client::builder().no_proxy().build()?;
        fill(&http, &etcd, &consul, shape).await?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
        command
            .args(["serve", "--log-level", "warn"])
            .args(["--etcd", &etcd, "--consul", &consul])
            .args(["--xds", &at(18000), "--admin", &at(9180)]);
        let log = folder.path().join("chancery.log");
        let mut chancery = Process::start_logged(&mut command, &log)?;
        let port = SocketAddrV4::new(address, 9180);
        let is_ready = async || servers::get(port.into(), "/readyz").await.is_ok();
        servers::until(&mut chancery, is_ready).await?;
        Ok(Self {
            http,
            etcd,
            consul,
            admin,
            refused: AtomicUsize::new(0),
            _servers: [chancery, registry, store],
            _folder: folder,
        })
    }

    async fn maintain(&self, id: &str, enable: bool) -> Result<()> {
        let url = format!("{}/v1/agent/service/maintenance/{id}", self.consul);
        let asked = self.http.put(url).query(&[("enable", enable)]);
        asked.send().await?.error_for_status()?;
        Ok(())
    }

    /// What a drain cannot do without.
    async fn bare(&self, mut etcd: Etcd, id: &str) -> Result<()> {
        for step in ["journal", "drains"] {
            let lease = etcd.lease_grant(3600, None).await?.id();
            let options = PutOptions::new().with_lease(lease);
            let put = TxnOp::put(format!("/floor/{step}/{id}"), [b'x'; 400], Some(options));
            etcd.txn(Txn::new().and_then([put])).await?;
            if step == "journal" {
                self.maintain(id, true).await?;
            }
        }
        Ok(())
    }

    /// Calls until it is not refused because etcd or Consul takes too long; counts how often it was.
    async fn call(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let url = format!("{}/v1/drains{path}", self.admin);
        loop {
            let request = self.http.request(method.clone(), &url).json(&body);
            let answer = request.send().await?;
            let status = answer.status();
            let text = answer.text().await?;
            if [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE].contains(&status) {
                self.refused.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            ensure!(status.is_success(), "{status}: {text}");
            return Ok(serde_json::from_str(&text)?);
        }
    }
}

fn id(service: usize, instance: usize) -> String {
    format!("service-{service:05}-{instance}")
}

fn address(service: usize, instance: usize) -> Ipv4Addr {
    let [_, high, low] = [0, instance / 100, instance % 100].map(|part| part as u8);
    Ipv4Addr::new(
        10 + (service / 250) as u8,
        (service % 250) as u8,
        high,
        low + 1,
    )
}

async fn fill(http: &Client, etcd: &str, consul: &str, shape: &Shape) -> Result<()> {
    let client = Etcd::connect([etcd], None).await?;
    let each = (0..shape.services)
        .flat_map(|service| (0..=shape.drained).map(move |instance| (service, instance)));
    let register = each.map(async |(service, instance)| {
        let name = format!("service-{service:05}");
        let body = json!({
            "ID": id(service, instance), "Name": name,
            "Address": address(service, instance), "Port": 8080,
        });
        let url = format!("{consul}/v1/agent/service/register");
        let registered = http.put(url).json(&body).send().await?;
        registered.error_for_status()?;
        if instance == 0 {
            let route = json!({ "uri": format!("/{name}"), "upstream": {
                "type": "roundrobin", "discovery_type": "consul", "service_name": name,
            } });
            let key = format!("/chancery/routes/{name}");
            client.clone().put(key, route.to_string(), None).await?;
        }
        anyhow::Ok(())
    });
    let all = stream::iter(register).buffer_unordered(AT_ONCE);
    all.try_collect().await
}

fn row(what: &str, value: impl std::fmt::Display) {
    println!("{what:<64} {value:>14}");
}

#[tokio::main]
async fn main() -> Result<()> {
    chancery::tls::install();
    let drains = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1000);
    let shapes = [
        Shape {
            services: drains,
            drained: 1,
        },
        Shape {
            services: 10,
            drained: drains / 10,
        },
    ];
    for shape in shapes {
        measure(&shape).await?;
    }
    Ok(())
}

async fn measure(shape: &Shape) -> Result<()> {
    let Shape { services, drained } = *shape;
    println!(
        "{drained} of {} instances of {services} services each, {AT_ONCE} calls at a time",
        drained + 1
    );
    let stage = Stage::set(shape).await?;
    let all: Vec<_> = (0..services)
        .flat_map(|service| (1..=drained).map(move |instance| (service, instance)))
        .collect();
    let etcd = Etcd::connect([&stage.etcd], None).await?;
    let began = Instant::now();
    stream::iter(&all)
        .map(|(service, instance)| {
            let (stage, etcd, id) = (&stage, etcd.clone(), id(*service, *instance));
            async move { stage.bare(etcd, &id).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let floor = began.elapsed();
    row("  the floor, s", format!("{:.2}", floor.as_secs_f64()));
    stream::iter(&all)
        .map(async |(service, instance)| stage.maintain(&id(*service, *instance), false).await)
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    // What Consul says of that has arrived by then.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    let drains: Vec<(String, Duration)> = stream::iter(&all)
        .map(async |(service, instance)| {
            let began = Instant::now();
            let wish = json!({
                "address": address(*service, *instance), "port": 8080, "allow_none": true, "wait": "60s",
            });
            let answer = stage.call(Method::POST, "", wish).await?;
            let id = answer["drain"]["id"].as_str().context("no id")?;
            anyhow::Ok((id.to_owned(), began.elapsed()))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let took = began.elapsed();
    let mut times: Vec<_> = drains.iter().map(|(_, took)| took.as_secs_f64()).collect();
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    row("  drains, s", format!("{:.2}", took.as_secs_f64()));
    row(
        "  drains / floor",
        format!("{:.2}", took.as_secs_f64() / floor.as_secs_f64()),
    );
    row(
        "  one of them, s (median / worst)",
        format!("{:.2} / {:.2}", at(50), at(100)),
    );
    let refused = stage.refused.swap(0, Ordering::Relaxed);
    row("  refused as too slow, and called again", refused);
    let began = Instant::now();
    stream::iter(&drains)
        .map(async |(id, _)| {
            stage
                .call(Method::DELETE, &format!("/{id}"), json!({}))
                .await
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    row(
        "  undrains, s",
        format!("{:.2}", began.elapsed().as_secs_f64()),
    );
    Ok(())
}
