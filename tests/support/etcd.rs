//! The real etcd, one member, on an address of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use etcd_client::{Client, GetOptions};
use serde_json::Value;

use super::process::Process;
use super::tools::tool;
use super::{eventually, http};

/// The prefix that Chancery reads.
pub const PREFIX: &str = "/chancery";

/// An etcd. Keys are given without the prefix: `routes/hello`.
pub struct Etcd {
    pub process: Process,
    address: Ipv4Addr,
    data: PathBuf,
}

impl Etcd {
    /// Starts one and waits until it answers.
    pub async fn start(address: Ipv4Addr, folder: &Path) -> Self {
        let client = format!("http://{address}:2379");
        let peer = format!("http://{address}:2380");
        let data = folder.join("etcd-data");
        let data_dir = data.display().to_string();
        let member = format!("default={peer}");
        let arguments = [
            ["--data-dir", &data_dir],
            ["--listen-client-urls", &client],
            ["--advertise-client-urls", &client],
            ["--listen-peer-urls", &peer],
            ["--initial-advertise-peer-urls", &peer],
            ["--initial-cluster", &member],
            ["--heartbeat-interval", "20"],
            ["--election-timeout", "200"],
        ];
        let process = Process::start("etcd", &tool("etcd"), arguments.concat(), folder);
        let mut etcd = Self {
            process,
            address,
            data,
        };
        etcd.answers().await;
        etcd
    }

    /// The URL that Chancery is given.
    pub fn url(&self) -> String {
        format!("http://{}:2379", self.address)
    }

    /// Starts it again, with the data that it had, and waits until it answers.
    pub async fn start_again(&mut self) {
        self.process.start_again();
        self.answers().await;
    }

    /// Kills it, throws all its data away and starts it again: another cluster, at revision 1.
    pub async fn start_empty(&mut self) {
        self.process.kill();
        fs::remove_dir_all(&self.data).unwrap();
        self.start_again().await;
    }

    /// Asks it to end.
    pub async fn stop(&mut self) {
        self.process.stop().await;
    }

    async fn answers(&mut self) {
        let health = format!("{}/health", self.url());
        let client = http::client();
        eventually(async || {
            self.process.alive()?;
            let answer = http::send(&client, reqwest::Method::GET, &health, &[]).await?;
            ensure!(answer.body.contains("true"), "{}", answer.body);
            Ok(())
        })
        .await;
    }

    /// Writes a document.
    pub async fn put(&self, key: &str, document: &Value) {
        self.put_text(key, &document.to_string()).await;
    }

    /// Writes whatever `text` is.
    pub async fn put_text(&self, key: &str, text: &str) {
        let key = format!("{PREFIX}/{key}");
        self.client().await.put(key, text, None).await.unwrap();
    }

    /// Writes a document under a whole key, of whatever prefix.
    pub async fn put_at(&self, key: &str, document: &Value) {
        let mut client = self.client().await;
        client.put(key, document.to_string(), None).await.unwrap();
    }

    /// Writes a document, and tells the revision.
    pub async fn write(&self, key: &str, document: &Value) -> i64 {
        let key = format!("{PREFIX}/{key}");
        let put = self
            .client()
            .await
            .put(key, document.to_string(), None)
            .await;
        put.unwrap().header().unwrap().revision()
    }

    /// Deletes a document.
    pub async fn delete(&self, key: &str) {
        let key = format!("{PREFIX}/{key}");
        self.client().await.delete(key, None).await.unwrap();
    }

    /// Whether there is such a key.
    pub async fn has(&self, key: &str) -> bool {
        let key = format!("{PREFIX}/{key}");
        self.client().await.get(key, None).await.unwrap().count() > 0
    }

    /// What lies below a folder: `routes/`.
    pub async fn texts(&self, folder: &str) -> Vec<String> {
        let key = format!("{PREFIX}/{folder}");
        let all = GetOptions::new().with_prefix();
        let found = self.client().await.get(key, Some(all)).await.unwrap();
        let values = found.kvs().iter();
        values
            .map(|value| String::from_utf8_lossy(value.value()).into_owned())
            .collect()
    }

    /// Forgets all revisions but the newest.
    pub async fn compact(&self) {
        let mut client = self.client().await;
        let now = client.get("none", None).await.unwrap();
        let newest = now.header().unwrap().revision();
        client.compact(newest, None).await.unwrap();
    }

    /// What lies under a key.
    pub async fn text(&self, key: &str) -> String {
        let key = format!("{PREFIX}/{key}");
        let found = self.client().await.get(key, None).await.unwrap();
        found.kvs()[0].value_str().unwrap().to_owned()
    }

    async fn client(&self) -> Client {
        Client::connect([self.url()], None).await.unwrap()
    }
}
