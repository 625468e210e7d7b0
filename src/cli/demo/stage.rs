//! The demo's folder: the documents of the quickstart, Envoy's bootstrap, logs; and the ports, all on loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::documents::{Documents, Taken, write};

const BOOTSTRAP: &str = include_str!("../../../envoy/bootstrap.yaml");
pub const HELLO: &str = include_str!("../../../examples/files/routes/hello.yaml");

/// The documents of the quickstart.
const EXAMPLES: [(&str, &str); 3] = [
    (
        "gateways/default",
        include_str!("../../../examples/files/gateways/default.yaml"),
    ),
    (
        "routes/echo",
        include_str!("../../../examples/files/routes/echo.yaml"),
    ),
    ("routes/hello", HELLO),
];
const INSTANCES: &str = include_str!("../../../examples/files/instances/echo.yaml");

/// The ports in use: the usual ones where they are free.
#[derive(Debug)]
pub struct Ports {
    /// Envoy's HTTP listener.
    pub http: u16,
    pub envoy_admin: u16,
    /// Chancery's xDS listener.
    pub xds: u16,
    /// Chancery's admin listener.
    pub admin: u16,
    pub echo_1: u16,
    pub echo_2: u16,
    /// Of the second Envoy.
    envoy_2_admin: u16,
    etcd: u16,
    etcd_peer: u16,
    consul: u16,
    /// What Consul's agents speak among each other.
    consul_own: [u16; 3],
}

#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    pub documents: Documents,
    pub ports: Ports,
}

impl Stage {
    /// Makes the folder anew and writes what is in it.
    pub fn set(folder: &Path, servers: bool) -> Result<Self> {
        let ports = Ports {
            http: free(9080)?,
            envoy_admin: free(9901)?,
            xds: free(18000)?,
            admin: free(9180)?,
            echo_1: free(8081)?,
            echo_2: free(8082)?,
            envoy_2_admin: free(9902)?,
            etcd: free(2379)?,
            etcd_peer: free(2380)?,
            consul: free(8500)?,
            consul_own: [free(8300)?, free(8301)?, free(8302)?],
        };
        for gone in ["documents", "etcd"].map(|name| folder.join(name)) {
            if gone.exists() {
                fs::remove_dir_all(&gone)
                    .with_context(|| format!("cannot make {} anew", folder.display()))?;
            }
        }
        let documents = if servers {
            Documents::Etcd(format!("http://127.0.0.1:{}", ports.admin))
        } else {
            Documents::Files(folder.join("documents"))
        };
        let stage = Self {
            folder: folder.to_owned(),
            documents,
            ports,
        };
        if let Documents::Files(documents) = &stage.documents {
            write(
                &documents.join("instances/echo.yaml"),
                &stage.localized(INSTANCES),
            )?;
        }
        for (at, (_, bootstrap, _)) in stage.envoys().iter().enumerate() {
            let text = stage.localized(BOOTSTRAP);
            let (first, own) = (stage.ports.envoy_admin, stage.ports.envoy_2_admin);
            let text = if at == 0 {
                text
            } else {
                text.replace(
                    &format!("port_value: {first} }}"),
                    &format!("port_value: {own} }}"),
                )
            };
            write(bootstrap, &text)?;
        }
        Ok(stage)
    }

    /// Writes the documents, and registers the instances.
    pub async fn furnish(&self, within: Duration) -> Result<()> {
        let servers = matches!(self.documents, Documents::Etcd(_));
        let end = Instant::now() + within;
        if servers {
            for (name, port) in [("echo-1", self.ports.echo_1), ("echo-2", self.ports.echo_2)] {
                until(end, async || self.register(name, port).await).await?;
            }
        }
        for (path, text) in EXAMPLES {
            let text = self.localized(text);
            let text = if servers {
                text.replace("discovery_type: file", "discovery_type: consul")
            } else {
                text
            };
            until(end, async || {
                let taken = self.documents.put(path, &text).await?;
                ensure!(taken == Taken::Yes, "{path}: {taken:?}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn register(&self, name: &str, port: u16) -> Result<()> {
        let url = format!(
            "http://127.0.0.1:{}/v1/agent/service/register",
            self.ports.consul
        );
        let service = json!({ "ID": name, "Name": "echo", "Address": "127.0.0.1", "Port": port });
        let request = Client::new().put(url).json(&service);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// What `serve` is told of where documents and instances are.
    pub fn sources(&self) -> Vec<String> {
        match &self.documents {
            Documents::Files(folder) => vec!["--files".to_owned(), folder.display().to_string()],
            Documents::Etcd(_) => {
                let url = |port| format!("http://127.0.0.1:{port}");
                let (etcd, consul) = (url(self.ports.etcd), url(self.ports.consul));
                vec!["--etcd".to_owned(), etcd, "--consul".to_owned(), consul]
            }
        }
    }

    /// What etcd is told.
    pub fn etcd(&self) -> Vec<String> {
        let url = |port| format!("http://127.0.0.1:{port}");
        let (client, peer) = (url(self.ports.etcd), url(self.ports.etcd_peer));
        let arguments = [
            ("data-dir", self.folder.join("etcd").display().to_string()),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("listen-peer-urls", peer.clone()),
            ("initial-advertise-peer-urls", peer.clone()),
            ("initial-cluster", format!("default={peer}")),
        ];
        let arguments = arguments.iter();
        arguments
            .map(|(name, value)| format!("--{name}={value}"))
            .collect()
    }

    /// What Consul is told.
    pub fn consul(&self) -> Vec<String> {
        let [server, lan, wan] = self.ports.consul_own;
        let arguments = [
            "agent".to_owned(),
            "-dev".to_owned(),
            "-bind=127.0.0.1".to_owned(),
            "-client=127.0.0.1".to_owned(),
            format!("-http-port={}", self.ports.consul),
            format!("-server-port={server}"),
            format!("-serf-lan-port={lan}"),
            format!("-serf-wan-port={wan}"),
            "-dns-port=-1".to_owned(),
            "-grpc-port=-1".to_owned(),
        ];
        arguments.to_vec()
    }

    /// The Envoys: name, bootstrap and log. Where there is a page to see them on, there are two.
    pub fn envoys(&self) -> Vec<(&'static str, PathBuf, PathBuf)> {
        let first = ("demo", self.folder.join("bootstrap.yaml"), self.envoy_log());
        let second = (
            "demo-2",
            self.folder.join("bootstrap-2.yaml"),
            self.folder.join("envoy-2.log"),
        );
        match self.documents {
            Documents::Files(_) => vec![first],
            Documents::Etcd(_) => vec![first, second],
        }
    }

    /// Where the output of a program goes.
    pub fn log_of(&self, program: &Path) -> PathBuf {
        let name = program.file_name().unwrap_or_default();
        self.folder.join(name).with_extension("log")
    }

    pub fn envoy_log(&self) -> PathBuf {
        self.folder.join("envoy.log")
    }

    /// The URL of a path on Envoy.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.http)
    }

    /// What to try; with this program, which need not be on the PATH.
    pub fn guide(&self, program: &Path) -> String {
        let program = program.display();
        let edit = match &self.documents {
            Documents::Files(folder) => {
                let documents = folder.display();
                format!(
                    "Then edit, and try again; an edit is live in milliseconds:

  {documents}/routes/hello.yaml       # change the answer, or delete the file: 404
  {documents}/routes/echo.yaml        # `status: 0` takes the route out
  {documents}/instances/echo.yaml     # `healthy: false` takes an instance out
  cp a new route to {documents}/routes/<id>.yaml"
                )
            }
            Documents::Etcd(admin) => format!(
                "Then change it on the page: add a route, see both Envoys confirm it, drain an instance, roll all of it back. Or:

  curl -X PATCH '{admin}/apisix/admin/routes/echo?wait=10s' -d '{{\"status\": 0}}'     # takes the route out
  {program} drain 127.0.0.1:{} --admin {admin}     # takes an instance out
  {program} rollback --change REVISION --admin {admin}",
                self.ports.echo_1
            ),
        };
        format!(
            "
Envoy answers. Open the dashboard:

  http://127.0.0.1:{admin}/

Try:

  curl {echo}      # echo-1 and echo-2 in turn
  curl {hello}               # answered by Envoy itself

{edit}

Look at:

  curl http://127.0.0.1:{admin}/readyz
  curl http://127.0.0.1:{admin}/metrics
  curl http://127.0.0.1:{envoy}/config_dump      # what Envoy has
  {log}

Ctrl-C ends all of it.
",
            echo = self.url("/testecho/hello"),
            hello = self.url("/hello"),
            admin = self.ports.admin,
            envoy = self.ports.envoy_admin,
            log = self.envoy_log().display(),
        )
    }

    /// The text with this stage's ports in place of the usual ones.
    fn localized(&self, text: &str) -> String {
        let ports = &self.ports;
        [
            (9080, ports.http),
            (9901, ports.envoy_admin),
            (18000, ports.xds),
            (8081, ports.echo_1),
            (8082, ports.echo_2),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (usual, ours)| {
            text.replace(&format!("port: {usual}"), &format!("port: {ours}"))
                .replace(
                    &format!("port_value: {usual}"),
                    &format!("port_value: {ours}"),
                )
        })
    }
}

/// Tries again until it works, or the time is over.
async fn until(end: Instant, run: impl AsyncFn() -> Result<()>) -> Result<()> {
    loop {
        match run().await {
            Err(_) if Instant::now() < end => sleep(Duration::from_millis(200)).await,
            over => return over,
        }
    }
}

/// The usual port if it is free, else another one.
fn free(usual: u16) -> Result<u16> {
    let listener =
        TcpListener::bind(("127.0.0.1", usual)).or_else(|_| TcpListener::bind(("127.0.0.1", 0)));
    let port = listener
        .and_then(|listener| listener.local_addr())
        .context("no free port on 127.0.0.1")?;
    Ok(port.port())
}
