//! The real Envoy, on the bootstrap files that operators copy: only addresses and the node are replaced.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::certificates::Files;
use super::http::{self, Answer};
use super::process::Process;
use super::tools::{envoy_of, tool};
use super::{eventually, own_address};

/// Where a bootstrap file names Chancery's replicas.
const ENDPOINTS: &str = "/static_resources/clusters/0/load_assignment/endpoints/0/lb_endpoints";

/// Which form of xDS an Envoy speaks; each has its bootstrap file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Delta,
    Sotw,
}

/// An Envoy.
pub struct Envoy {
    pub process: Process,
    admin: SocketAddr,
    listener: SocketAddr,
    client: Client,
}

impl Envoy {
    /// Starts one that belongs to `gateway`, asks the Chancery at `xds`, and will get its traffic at `listener`. It need not
    /// have a configuration yet: scenes wait for answers.
    pub async fn start(
        gateway: &str,
        protocol: Protocol,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        Self::start_with(gateway, protocol, xds, listener, folder, &[]).await
    }

    /// Starts one that is told more on its command line.
    pub async fn start_with(
        gateway: &str,
        protocol: Protocol,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let bootstrap = Bootstrap::for_protocol(protocol);
        let name = format!("envoy-{gateway}");
        Self::run(bootstrap, &name, gateway, xds, listener, folder, more).await
    }

    /// Starts one with a name of its own, which belongs to the gateway `default`.
    pub async fn start_as(
        name: &str,
        protocol: Protocol,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        let bootstrap = Bootstrap::for_protocol(protocol);
        Self::run(bootstrap, name, "default", xds, listener, folder, &[]).await
    }

    /// Starts one with a name of its own that is told more on its command line.
    pub async fn start_as_with(
        name: &str,
        gateway: &str,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let bootstrap = Bootstrap::for_protocol(Protocol::Delta);
        Self::run(bootstrap, name, gateway, xds, listener, folder, more).await
    }

    /// Starts one of another release, which belongs to the gateway `default`.
    pub async fn start_release(
        release: &str,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        Self::start_release_of("default", release, xds, listener, folder).await
    }

    /// Starts one of another release, which belongs to `gateway`.
    pub async fn start_release_of(
        gateway: &str,
        release: &str,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        let mut bootstrap = Bootstrap::for_protocol(Protocol::Delta);
        bootstrap.program = envoy_of(release);
        let name = format!("envoy-{release}");
        Self::run(bootstrap, &name, gateway, xds, listener, folder, &[]).await
    }

    /// Starts one of a release, or else of the newest, that asks whichever of these replicas answers.
    pub async fn start_among(
        name: &str,
        release: Option<&str>,
        protocol: Protocol,
        replicas: &[SocketAddr],
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        let mut bootstrap = Bootstrap::for_protocol(protocol);
        if let Some(release) = release {
            bootstrap.program = envoy_of(release);
        }
        let endpoint = |at: &SocketAddr| json!({ "endpoint": { "address": { "socket_address": socket_address(*at) } } });
        let endpoints = replicas.iter().map(endpoint).collect();
        bootstrap.replace(ENDPOINTS, endpoints);
        let first = replicas[0];
        Self::run(bootstrap, name, "default", first, listener, folder, &[]).await
    }

    /// Starts one that shows a certificate to Chancery.
    pub async fn start_mtls(
        gateway: &str,
        files: &Files,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        let mut bootstrap = Bootstrap::read("envoy/bootstrap-mtls.yaml");
        let context =
            "/static_resources/clusters/0/transport_socket/typed_config/common_tls_context";
        for (pointer, file) in [
            ("tls_certificates/0/certificate_chain/filename", &files.cert),
            ("tls_certificates/0/private_key/filename", &files.key),
            ("validation_context/trusted_ca/filename", &files.ca),
        ] {
            bootstrap.replace(&format!("{context}/{pointer}"), json!(file));
        }
        let name = format!("envoy-{gateway}");
        Self::run(bootstrap, &name, gateway, xds, listener, folder, &[]).await
    }

    async fn run(
        mut bootstrap: Bootstrap,
        name: &str,
        gateway: &str,
        xds: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let admin = SocketAddr::from((own_address(), 9901));
        bootstrap.replace("/node/id", json!(name));
        bootstrap.replace("/node/cluster", json!(gateway));
        bootstrap.replace("/admin/address/socket_address", socket_address(admin));
        let first = format!("{ENDPOINTS}/0/endpoint/address/socket_address");
        bootstrap.replace(&first, socket_address(xds));
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, bootstrap.contents.to_string()).unwrap();
        let program = &bootstrap.program;
        Self::run_on(&path, program, name, admin, listener, folder, more).await
    }

    /// Starts one on a bootstrap that is whole already, and says that its admin interface is there.
    pub async fn start_on(
        bootstrap: &Path,
        name: &str,
        admin: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
    ) -> Self {
        let program = tool("envoy");
        Self::run_on(bootstrap, &program, name, admin, listener, folder, &[]).await
    }

    async fn run_on(
        bootstrap: &Path,
        program: &Path,
        name: &str,
        admin: SocketAddr,
        listener: SocketAddr,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let path = bootstrap.display().to_string();
        let arguments = ["-c", &path, "--concurrency", "1"];
        let arguments = arguments.into_iter().chain(["--disable-hot-restart"]);
        let arguments = arguments.chain(more.iter().copied());
        let mut envoy = Self {
            process: Process::start(name, program, arguments, folder),
            admin,
            listener,
            client: http::client(),
        };
        eventually(async || {
            envoy.process.alive()?;
            envoy.admin("server_info").await
        })
        .await;
        envoy
    }

    /// The URL of a path at its listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener)
    }

    /// Where its listener is.
    pub fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Sends a request through it.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        http::send(&self.client, method, &self.url(path), headers).await
    }

    /// Sends a GET through it.
    pub async fn try_get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends a GET through it; any answer will do.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap()
    }

    /// Waits until `path` is answered with 200 by `instance`.
    pub async fn answers_by(&self, path: &str, instance: &str) {
        eventually(async || {
            let answered = self.try_get(path).await?.instance()?;
            ensure!(answered == instance, "{path} is answered by {answered}");
            Ok(())
        })
        .await;
    }

    /// Waits until `path` is answered with `status`.
    pub async fn answers_with(&self, path: &str, status: u16) -> Answer {
        eventually(async || {
            let answer = self.try_get(path).await?;
            ensure!(answer.status == status, "{path}: {answer:?}");
            Ok(answer)
        })
        .await
    }

    /// Waits until exactly these instances answer `path`, each of them within a few requests.
    pub async fn answers_by_all(&self, path: &str, instances: &[&str]) {
        eventually(async || {
            let mut answered = Vec::new();
            for _ in 0..instances.len() * 4 {
                answered.push(self.try_get(path).await?.instance()?);
            }
            answered.sort();
            answered.dedup();
            ensure!(answered == instances, "{path} is answered by {answered:?}");
            Ok(())
        })
        .await;
    }

    /// One of Envoy's own statistics; 0 while Envoy does not have it.
    pub async fn stat(&self, name: &str) -> u64 {
        let stats = self.admin(&format!("stats?filter=^{name}$")).await.unwrap();
        let value = stats.lines().find_map(|line| line.strip_prefix(name));
        value.map_or(0, |value| {
            value.trim_start_matches(':').trim().parse().unwrap()
        })
    }

    /// How often Envoy took a change of its listeners, its clusters, its route tables: all but endpoints.
    pub async fn configured(&self) -> Configured {
        let stats = self.admin("stats?filter=update_success").await.unwrap();
        let of = |part: &str| -> u64 {
            let values = stats.lines().filter(|line| line.contains(part));
            values
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
                .sum()
        };
        Configured {
            listeners: of("listener_manager.lds."),
            clusters: of("cluster_manager.cds."),
            routes: of(".rds."),
        }
    }

    /// What it has in force of one kind: `dynamic_route_configs`, `dynamic_active_clusters`, …
    pub async fn has(&self, kind: &str) -> anyhow::Result<String> {
        self.admin(&format!("config_dump?resource={kind}")).await
    }

    /// All that it has in force, endpoints included.
    pub async fn dump(&self) -> anyhow::Result<String> {
        self.admin("config_dump?include_eds").await
    }

    async fn admin(&self, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{}/{path}", self.admin);
        let answer = http::send(&self.client, Method::GET, &url, &[]).await?;
        ensure!(answer.status == 200, "{url}: {answer:?}");
        Ok(answer.body)
    }
}

/// How many updates Envoy accepted of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configured {
    pub listeners: u64,
    pub clusters: u64,
    pub routes: u64,
}

/// A bootstrap file that operators copy, and what is started with it.
struct Bootstrap {
    program: PathBuf,
    file: &'static str,
    contents: Value,
}

impl Bootstrap {
    fn for_protocol(protocol: Protocol) -> Self {
        Self::read(match protocol {
            Protocol::Delta => "envoy/bootstrap.yaml",
            Protocol::Sotw => "envoy/bootstrap-sotw.yaml",
        })
    }

    fn read(file: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} must be there", path.display()))
            .unwrap();
        let contents = serde_saphyr::from_str(&text).unwrap();
        let program = tool("envoy");
        Self {
            program,
            file,
            contents,
        }
    }

    fn replace(&mut self, pointer: &str, value: Value) {
        let place = self.contents.pointer_mut(pointer);
        *place.unwrap_or_else(|| panic!("{} has no {pointer}", self.file)) = value;
    }
}

fn socket_address(address: SocketAddr) -> Value {
    let (ip, port): (Ipv4Addr, u16) = match address {
        SocketAddr::V4(address) => (*address.ip(), address.port()),
        SocketAddr::V6(_) => unreachable!("scenes live on 127.0.0.0/8"),
    };
    json!({ "address": ip, "port_value": port })
}
