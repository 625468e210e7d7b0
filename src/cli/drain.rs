//! `chancery drain`: takes an instance out, and returns when no proxy sends it a new request.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Result;

use super::remote::{self, Output, Remote};
use super::wait::behind;
use crate::api::{json, pb};

/// What `drain` takes.
#[derive(Debug, clap::Args)]
pub struct Drain {
    /// The instance's address, with its port where the address has several: 10.0.0.7:8080, [fd00::7]:8080
    #[arg(value_name = "IP[:PORT]")]
    instance: Place,
    /// Only of this service in the registry, where several services, or documents, name the address and port
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// When it is put back by itself [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<String>,
    /// Why, for whoever reads it later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait for the proxies [default: 10s]
    #[arg(long, value_name = "TIME")]
    wait: Option<String>,
    /// What becomes of its endpoint: it leaves the load assignment, or stays there with health DRAINING [default: leave]
    #[arg(long, value_name = "MODE", value_parser = ["leave", "draining"])]
    mode: Option<String>,
    /// Also when it is the last healthy instance of its service, or the last node of a document
    #[arg(long)]
    force: bool,
    /// Succeed also where no proxy is expected at all
    #[arg(long)]
    allow_none: bool,
    #[command(flatten)]
    remote: Remote,
}

/// An address, with or without a port.
#[derive(Debug, Clone, Copy)]
struct Place(IpAddr, u16);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().map(|address| Self(address, 0));
        let place = text.parse().map(|at: SocketAddr| Self(at.ip(), at.port()));
        address
            .or(place)
            .map_err(|_| "allowed is an IP address, or one with a port".to_owned())
    }
}

pub async fn run(drain: Drain) -> Result<ExitCode> {
    let mut client = drain.remote.connect().await?;
    let Place(address, port) = drain.instance;
    let request = pb::DrainRequest {
        address: address.to_string(),
        port: port.into(),
        service: drain.service.unwrap_or_default(),
        ttl: drain.ttl.unwrap_or_default(),
        reason: drain.reason.unwrap_or_default(),
        wait: drain.wait.unwrap_or_default(),
        force: drain.force,
        allow_none: drain.allow_none,
        mode: drain.mode.unwrap_or_default(),
    };
    let answer = client.drain(request).await?.into_inner();
    match drain.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer),
    }
    Ok(if answer.confirmed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(answer: &pb::DrainResponse) {
    let drain = answer.drain.clone().unwrap_or_default();
    let nodes: u32 = answer
        .replicas
        .iter()
        .flat_map(|it| it.nodes.values())
        .sum();
    let services: Vec<_> = answer.drains.iter().map(|it| it.service.as_str()).collect();
    let place = remote::place(&drain.address, drain.port);
    let what = format!("{} {place}", services.join(", "));
    let until = remote::time(drain.expires);
    let replicas = answer.replicas.len();
    if answer.confirmed {
        say!(
            "{what} is drained until {until}: no proxy sends it a new request (nodes: {nodes}, replicas: {replicas})"
        )
    } else {
        say!("{what} is drained until {until}, and these have not confirmed it:\n");
        behind(&answer.behind);
    }
    say!("\nchancery undrain {}", drain.id);
}
