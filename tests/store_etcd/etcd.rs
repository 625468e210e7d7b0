//! A real etcd of one member in a process of its own, ended with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use etcd_client::{Client, ConnectOptions, Txn, TxnOp};

/// How long anything may take that must happen. Minutes: that a machine is busy is no finding.
pub const DEADLINE: Duration = Duration::from_secs(180);

pub struct Etcd {
    pub port: u16,
    peer: u16,
    scheme: &'static str,
    flags: Vec<String>,
    data: tempfile::TempDir,
    child: Option<Child>,
}

impl Etcd {
    pub async fn start(flags: &[&str]) -> Self {
        let mut etcd = Self::prepare(flags);
        etcd.run().await;
        etcd
    }

    /// Has its ports and folder, and does not run yet.
    pub fn prepare(flags: &[&str]) -> Self {
        Self {
            port: free_port(),
            peer: free_port(),
            scheme: "http",
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            data: tempfile::tempdir().unwrap(),
            child: None,
        }
    }

    /// Runs until it answers.
    pub async fn run(&mut self) {
        self.spawn();
        self.client().await;
    }

    /// Runs with certificates, which [`Etcd::client`] has none of: nobody waits for it.
    pub fn run_with_tls(&mut self) {
        self.scheme = "https";
        self.spawn();
    }

    fn spawn(&mut self) {
        let (client, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let child = Command::new(binary())
            .args(["--name", "one", "--log-level", "error", "--data-dir"])
            .arg(self.data().join("etcd"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}")])
            .args(&self.flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    fn data(&self) -> &Path {
        self.data.path()
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn wipe(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.data().join("etcd")).unwrap();
    }

    /// SIGSTOP, SIGCONT.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// A client, once etcd answers.
    pub async fn client(&self) -> Client {
        self.client_of(None).await
    }

    pub async fn client_of(&self, user: Option<(&str, &str)>) -> Client {
        let until = Instant::now() + DEADLINE;
        loop {
            let mut options = ConnectOptions::new().with_timeout(Duration::from_secs(60));
            if let Some((name, password)) = user {
                options = options.with_user(name, password);
            }
            if let Ok(mut client) = Client::connect([self.url()], Some(options)).await
                && client.get("ready", None).await.is_ok()
            {
                return client;
            }
            assert!(Instant::now() < until, "etcd does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn put(&self, path: &str, value: &str) -> i64 {
        self.put_all(&[(path, value)]).await
    }

    /// Writes documents in one transaction; its revision.
    pub async fn put_all(&self, documents: &[(&str, &str)]) -> i64 {
        let put =
            |(path, value): &(&str, &str)| TxnOp::put(format!("/chancery/{path}"), *value, None);
        let puts: Vec<_> = documents.iter().map(put).collect();
        let written = self
            .client()
            .await
            .txn(Txn::new().and_then(puts))
            .await
            .unwrap();
        written.header().unwrap().revision()
    }

    pub async fn delete(&self, path: &str) -> i64 {
        let key = format!("/chancery/{path}");
        let deleted = self.client().await.delete(key, None).await.unwrap();
        deleted.header().unwrap().revision()
    }

    pub async fn compact(&self, revision: i64) {
        self.client().await.compact(revision, None).await.unwrap();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// From `.tools/bin`, else from the PATH.
fn binary() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("etcd"))
        .find(|binary| binary.is_file())
        .expect("etcd is not installed; run: scripts/tools etcd")
}
