//! The demo's folder: the documents of the quickstart, Envoy's bootstrap, logs; and the ports, all on loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const BOOTSTRAP: &str = include_str!("../../../envoy/bootstrap.yaml");

/// The documents of the quickstart.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "routes/echo.yaml",
        include_str!("../../../examples/files/routes/echo.yaml"),
    ),
    (
        "routes/hello.yaml",
        include_str!("../../../examples/files/routes/hello.yaml"),
    ),
    (
        "gateways/default.yaml",
        include_str!("../../../examples/files/gateways/default.yaml"),
    ),
    (
        "instances/echo.yaml",
        include_str!("../../../examples/files/instances/echo.yaml"),
    ),
];

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
}

#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    pub ports: Ports,
}

impl Stage {
    /// Makes the folder anew and writes what is in it.
    pub fn set(folder: &Path) -> Result<Self> {
        let ports = Ports {
            http: free(9080)?,
            envoy_admin: free(9901)?,
            xds: free(18000)?,
            admin: free(9180)?,
            echo_1: free(8081)?,
            echo_2: free(8082)?,
        };
        let stage = Self {
            folder: folder.to_owned(),
            ports,
        };
        if stage.documents().exists() {
            fs::remove_dir_all(stage.documents())
                .with_context(|| format!("cannot make {} anew", folder.display()))?;
        }
        for (name, text) in EXAMPLES {
            stage.write(&stage.documents().join(name), &stage.localized(text))?;
        }
        stage.write(&stage.bootstrap(), &stage.localized(BOOTSTRAP))?;
        Ok(stage)
    }

    /// Where the documents are.
    pub fn documents(&self) -> PathBuf {
        self.folder.join("documents")
    }

    pub fn bootstrap(&self) -> PathBuf {
        self.folder.join("bootstrap.yaml")
    }

    pub fn envoy_log(&self) -> PathBuf {
        self.folder.join("envoy.log")
    }

    /// The URL of a path on Envoy.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.http)
    }

    /// What to try.
    pub fn guide(&self) -> String {
        let folder = self.documents();
        let documents = folder.display();
        format!(
            "
Envoy answers. Try:

  curl {echo}      # echo-1 and echo-2 in turn
  curl {hello}               # answered by Envoy itself

Then edit, and try again; an edit is live in milliseconds:

  {documents}/routes/hello.yaml       # change the answer, or delete the file: 404
  {documents}/routes/echo.yaml        # `status: 0` takes the route out
  {documents}/instances/echo.yaml     # `healthy: false` takes an instance out
  cp a new route to {documents}/routes/<id>.yaml

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

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
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
