//! `chancery bootstrap`: the file that an Envoy is started with. What it says stands in `envoy/` of the repository; here are
//! only the values that are filled in.

mod page;
#[cfg(test)]
mod tests;

use std::net::{Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::remote;
use crate::model::Id;
use page::{Filling, Page};

const DELTA: &str = include_str!("../../envoy/bootstrap.yaml");
const SOTW: &str = include_str!("../../envoy/bootstrap-sotw.yaml");
const MTLS: &str = include_str!("../../envoy/bootstrap-mtls.yaml");

/// What `bootstrap` takes.
#[derive(Debug, clap::Args)]
pub struct Bootstrap {
    /// Speak state-of-the-world ADS rather than delta: a change of one cluster sends all of them again
    #[arg(long)]
    sotw: bool,
    /// Where Chancery's xDS port is: each replica, or one name that resolves to all of them [default: 127.0.0.1:18000]
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    xds: Vec<Place>,
    /// The name that Chancery reports this Envoy under, unique for each; `envoy --service-node` wins over it [default: envoy-1]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    node: Option<String>,
    /// The gateway that this Envoy serves; `envoy --service-cluster` wins over it [default: default]
    #[arg(long, value_name = "NAME")]
    gateway: Option<Id>,
    /// The certificate that this Envoy shows to Chancery (PEM), for a Chancery that runs with --xds-client-ca
    #[arg(long, value_name = "FILE", requires_all = ["key", "ca"], value_parser = NonEmptyStringValueParser::new())]
    cert: Option<String>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", value_parser = NonEmptyStringValueParser::new())]
    key: Option<String>,
    /// The authority that Chancery's certificate comes from (PEM)
    #[arg(long, value_name = "FILE", requires = "cert", value_parser = NonEmptyStringValueParser::new())]
    ca: Option<String>,
    /// The DNS name in Chancery's certificate [default: chancery]
    #[arg(long, value_name = "NAME", requires = "cert", value_parser = NonEmptyStringValueParser::new())]
    server_name: Option<String>,
    /// Where this Envoy's own admin interface is; only loopback, as it can stop Envoy [default: 127.0.0.1:9901]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    envoy_admin: Option<SocketAddr>,
    /// How much memory this Envoy may take: near to it, it frees some, then refuses requests [default: 2GiB]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    max_heap: Option<u64>,
    /// How many connections of clients it may have, below half of `ulimit -n` [default: 50000]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// How to print it
    #[arg(short, long, value_enum, default_value = "yaml", value_name = "FORMAT")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// With comments that say why.
    Yaml,
    Json,
}

/// A host, by name or address, and a port of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: u16,
}

pub fn run(asked: &Bootstrap) -> ExitCode {
    let printed = asked.printed().map(|text| {
        say!("{}", text.trim_end());
        ExitCode::SUCCESS
    });
    remote::exit("bootstrap", printed)
}

impl Bootstrap {
    fn printed(&self) -> Result<String> {
        let mut page = Page::read(if self.sotw { SOTW } else { DELTA });
        self.fill(&mut page)?;
        if let Some(block) = self.transport_socket()? {
            page.append_to("static_resources:", block)?;
        }
        let text = page.text();
        Ok(match self.output {
            Output::Yaml => format!("{}\n{text}", self.heading()),
            Output::Json => {
                let value: Value = serde_saphyr::from_str(&text)?;
                serde_json::to_string_pretty(&value)?
            }
        })
    }

    /// Puts what is given in the place of what stands there.
    fn fill(&self, page: &mut Page) -> Result<()> {
        if let Some(id) = &self.node {
            page.fill("id:", &[vec![("id", json!(id))]])?;
        }
        if let Some(gateway) = &self.gateway {
            page.fill("cluster:", &[vec![("cluster", json!(gateway.as_str()))]])?;
        }
        if !self.xds.is_empty() {
            let all: Vec<_> = self.xds.iter().map(Place::filling).collect();
            page.fill("endpoint:", &all)?;
        }
        if let Some(at) = self.envoy_admin {
            let (host, port) = (at.ip().to_string(), at.port());
            page.fill("address:", &[Place { host, port }.filling()])?;
        }
        if let Some(bytes) = self.max_heap {
            let field = "max_heap_size_bytes";
            page.fill(field, &[vec![(field, json!(bytes))]])?;
        }
        if let Some(connections) = self.max_connections {
            let field = "max_active_downstream_connections";
            page.fill(field, &[vec![(field, json!(connections))]])?;
        }
        Ok(())
    }

    /// How Chancery is spoken to over mutual TLS, where that is asked for.
    fn transport_socket(&self) -> Result<Option<Page>> {
        let (Some(cert), Some(key), Some(ca)) = (&self.cert, &self.key, &self.ca) else {
            return Ok(None);
        };
        let mut block = Page::read(MTLS).block("transport_socket:")?;
        for (begins, file) in [
            ("certificate_chain:", cert),
            ("private_key:", key),
            ("trusted_ca:", ca),
        ] {
            block.fill(begins, &[vec![("filename", json!(file))]])?;
        }
        if let Some(name) = &self.server_name {
            block.fill("{ san_type: DNS", &[vec![("exact", json!(name))]])?;
        }
        // The files' names are its own now; the name in the certificate is the usual one.
        block.settle();
        Ok(Some(block))
    }

    fn heading(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let protocol = if self.sotw {
            "state-of-the-world"
        } else {
            "delta"
        };
        let socket = if self.cert.is_some() {
            " over mutual TLS"
        } else {
            ""
        };
        let node = if self.node.is_some() {
            ""
        } else {
            " --service-node \"$(hostname)\""
        };
        format!(
            "# Envoy's bootstrap for Chancery, printed by chancery {version}: {protocol} ADS{socket}.
#
#   envoy -c bootstrap.yaml{node}
#
# Listeners, routes, clusters and endpoints all come from Chancery; nothing of them stands here. What is marked EDIT was
# not given, and is a default.
"
        )
    }
}

impl Place {
    fn filling(&self) -> Filling {
        vec![
            ("address", json!(self.host)),
            ("port_value", json!(self.port)),
        ]
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "allowed is a host and a port, as 10.0.0.5:18000, chancery:18000 or [::1]:18000"
                .to_owned()
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let within = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_name = |host: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (1..=253).contains(&host.len()) && host.bytes().all(allowed)
        };
        let host = match within {
            Some(address) => address.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string()),
            None => is_name(host).then(|| host.to_owned()),
        };
        host.zip(port)
            .map(|(host, port)| Self { host, port })
            .ok_or_else(wrong)
    }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let at = text.parse::<SocketAddr>().ok();
    at.filter(|at| at.ip().is_loopback()).ok_or_else(|| {
        "allowed is an address of loopback with a port, as 127.0.0.1:9901: whoever reaches this interface can stop Envoy and \
         reads all of its configuration"
            .to_owned()
    })
}

/// So many bytes, as people write them.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" => Some(0),
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok();
    let size = number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(1 << unit));
    size.filter(|size| *size > 0).ok_or_else(|| {
        "allowed is a number above 0 of bytes, or of KiB, MiB or GiB, as 512MiB".to_owned()
    })
}
