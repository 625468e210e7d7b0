//! A real Consul of the test's own: its process, on a loopback address that nobody else has, and what is registered
//! there.

use std::env;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rs_consul::types::{CreateOrUpdateKeyRequest, RegisterEntityPayload, RegisterEntityService};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Minutes: that a machine is busy is no finding, and whatever takes longer does not come.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// A running Consul; dropping it ends the process and removes what it kept.
pub struct Consul {
    process: Option<Child>,
    arguments: Vec<String>,
    folder: TempDir,
    http: reqwest::Client,
    /// Its IP address; HTTP is on port 8500.
    pub address: Ipv4Addr,
}

impl Consul {
    /// A Consul that forgets everything when it ends.
    pub async fn dev() -> Self {
        Self::configured(own_address(), "").await
    }

    /// A server that keeps its state over restarts.
    pub async fn persistent() -> Self {
        Self::start(own_address(), &["-server", "-bootstrap-expect=1"], "").await
    }

    /// Two servers, of which neither leads without the other.
    pub async fn pair() -> (Self, Self) {
        let (one, other) = (own_address(), own_address());
        let start = async |own: Ipv4Addr, join: Ipv4Addr, node: &str| {
            let (node, join) = (format!("-node={node}"), format!("-retry-join={join}"));
            let mode = [
                "-server",
                "-bootstrap-expect=2",
                "-retry-interval=1s",
                &node,
                &join,
            ];
            Self::start(own, &mode, "").await
        };
        tokio::join!(start(one, other, "node-1"), start(other, one, "node-3"))
    }

    /// A Consul like [`Consul::dev`] at `address`, with more `settings` in HCL.
    pub async fn configured(address: Ipv4Addr, settings: &str) -> Self {
        Self::start(address, &["-dev"], settings).await
    }

    async fn start(address: Ipv4Addr, mode: &[&str], settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = vec!["agent".to_owned()];
        if !mode.iter().any(|argument| argument.starts_with("-node=")) {
            arguments.push("-node=node-1".to_owned());
        }
        arguments.extend([format!("-bind={address}"), format!("-client={address}")]);
        arguments.extend(mode.iter().map(ToString::to_string));
        arguments.extend([
            "-hcl".to_owned(),
            format!("performance {{ raft_multiplier = 1 }} {settings}"),
        ]);
        if !mode.contains(&"-dev") {
            arguments.push(format!("-data-dir={}", folder.path().display()));
        }
        chancery::tls::install();
        let mut consul = Self {
            process: None,
            arguments,
            folder,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            address,
        };
        consul.start_again().await;
        consul
    }

    pub fn url(&self) -> String {
        format!("http://{}:8500", self.address)
    }

    /// Starts the process and waits until it has a leader.
    pub async fn start_again(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new(program())
            .args(&self.arguments)
            .stdout(Stdio::from(log))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(process);
        let until = Instant::now() + DEADLINE;
        while !self.is_ready().await {
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "Consul does not start:\n{}", log());
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let leader = self
            .http
            .get(format!("{}/v1/status/leader", self.url()))
            .send();
        match leader.await {
            Ok(answer) => answer
                .json::<String>()
                .await
                .is_ok_and(|leader| !leader.is_empty()),
            Err(_) => false,
        }
    }

    /// Ends the process at once, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Makes it hang: connections stay, and nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Ends [`Consul::pause`].
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Registers an instance of `service` at this agent, with a check that its owner keeps alive.
    pub async fn register(&self, service: &str, port: u16) {
        let registration = json!({
            "Name": service,
            "ID": format!("{service}-{port}"),
            "Address": "127.0.0.1",
            "Port": port,
            "Check": {"CheckID": format!("alive-{port}"), "TTL": "10m", "Status": "passing"},
        });
        self.put("agent/service/register", registration).await;
    }

    /// Registers an instance without any check, with a tag and weights.
    pub async fn register_unchecked(&self, service: &str, port: u16, tag: &str, weight: u32) {
        let registration = json!({
            "Name": service,
            "ID": format!("{service}-{port}"),
            "Address": "127.0.0.1",
            "Port": port,
            "Tags": [tag],
            "Weights": {"Passing": weight, "Warning": 1},
        });
        self.put("agent/service/register", registration).await;
    }

    pub async fn deregister(&self, service: &str, port: u16) {
        self.put(
            &format!("agent/service/deregister/{service}-{port}"),
            Value::Null,
        )
        .await;
    }

    /// What the instance's own check says: `passing` or `critical`, and a text beside it.
    pub async fn check(&self, port: u16, status: &str, output: &str) {
        let update = json!({"Status": status, "Output": output});
        self.put(&format!("agent/check/update/alive-{port}"), update)
            .await;
    }

    pub async fn maintain(&self, service: &str, port: u16, enable: bool) {
        self.put(
            &format!("agent/service/maintenance/{service}-{port}?enable={enable}"),
            Value::Null,
        )
        .await;
    }

    pub async fn maintain_node(&self, enable: bool) {
        self.put(&format!("agent/maintenance?enable={enable}"), Value::Null)
            .await;
    }

    /// Writes to Consul's API.
    pub async fn put(&self, path: &str, body: Value) {
        let request = self
            .http
            .put(format!("{}/v1/{path}", self.url()))
            .json(&body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{path}: {status} {}",
            answer.text().await.unwrap()
        );
    }

    /// Registers an instance in the catalog, on a node (10.0.0.2) that has no agent. Unlike an agent, which pushes what it
    /// knows when it thinks it is time, this is in force at once, also just after a restart.
    pub async fn register_in_catalog(&self, service: &str, port: u16) {
        let instance = RegisterEntityService::builder()
            .ID(format!("{service}-{port}"))
            .Service(service.to_owned())
            .Port(port)
            .build();
        let node = RegisterEntityPayload::builder()
            .Node("node-2".to_owned())
            .Address("10.0.0.2".to_owned())
            .Service(instance)
            .build();
        self.catalog().register_entity(&node).await.unwrap();
    }

    /// Writes a key.
    pub async fn write(&self, key: &str, value: &str) {
        let key = CreateOrUpdateKeyRequest::builder().key(key).build();
        let catalog = self.catalog();
        catalog
            .create_or_update_key(key, value.into())
            .await
            .unwrap();
    }

    fn catalog(&self) -> rs_consul::Consul {
        rs_consul::Consul::new(rs_consul::Config {
            address: self.url(),
            ..rs_consul::Config::default()
        })
    }
}

impl Drop for Consul {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback address that nobody else has, so that Consul keeps its usual ports.
pub fn own_address() -> Ipv4Addr {
    let part = || fastrand::u8(2..=254);
    Ipv4Addr::new(127, part(), part(), part())
}

/// The Consul in `$CHANCERY_TOOLS`, else in `.tools/bin`, else on the PATH.
pub fn program() -> PathBuf {
    let given = env::var_os("CHANCERY_TOOLS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    given
        .into_iter()
        .chain([own])
        .chain(env::split_paths(&env::var_os("PATH").unwrap_or_default()))
        .map(|folder| folder.join("consul"))
        .find(|program| program.is_file())
        .expect("consul is not installed; run: make test")
}
