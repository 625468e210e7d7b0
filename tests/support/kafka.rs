//! Brokers of Kafka's protocol, as librdkafka has them within (`kafka.py`), and what a consumer of the same library reads of them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::eventually;
use super::process::Process;
use super::tools::{on_path, tool};

/// What a broker has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    pub partition: i32,
    pub key: Option<String>,
    pub value: String,
}

/// Two brokers on loopback, numbered from 1, that know no topic yet, and make those that they are asked for with four partitions.
pub struct Kafka {
    pub process: Process,
    url: String,
    brokers: Vec<SocketAddr>,
}

impl Kafka {
    pub async fn start(address: Ipv4Addr, folder: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kafka.py");
        let port = folder.join("kafka.port");
        let arguments = [
            // Leaves no files of its own beside the script.
            "-B".to_owned(),
            script.display().to_string(),
            tool("librdkafka.so").display().to_string(),
            port.display().to_string(),
            address.to_string(),
        ];
        let python = on_path("python3").expect("python3 is not installed");
        let process = Process::start("kafka", &python, arguments, folder);
        let port = eventually(async || Ok(fs::read_to_string(&port)?)).await;
        let mut kafka = Self {
            process,
            url: format!("http://{address}:{port}"),
            brokers: Vec::new(),
        };
        kafka.brokers = kafka.ask("brokers").await.unwrap();
        kafka
    }

    /// Has everybody come by gates from now on, which let this user in.
    pub async fn gate(&mut self, user: &str, password: &str) {
        let call = format!("gate?user={user}&password={password}");
        self.brokers = self.ask(&call).await.unwrap();
    }

    async fn ask<T: DeserializeOwned>(&self, call: &str) -> anyhow::Result<T> {
        let answer = reqwest::get(format!("{}/{call}", self.url)).await?;
        let status = answer.status();
        let text = answer.text().await?;
        anyhow::ensure!(status.is_success(), "{call}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The brokers as a document has them.
    pub fn brokers(&self) -> Value {
        let all = self.brokers.iter();
        let all = all.map(|broker| json!({ "host": broker.ip(), "port": broker.port() }));
        all.collect()
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.brokers
    }

    /// `create?topic=t&partitions=3`, `delete?topic=t`, `lead?topic=t&partition=0&broker=1`, `down?broker=1`, `up?broker=1`.
    pub async fn tell(&self, call: &str) {
        let _: Value = self.ask(call).await.unwrap();
    }

    /// All messages of a topic, which has so many partitions.
    pub async fn messages(&self, topic: &str, partitions: u32) -> anyhow::Result<Vec<Message>> {
        let call = format!("messages?topic={topic}&partitions={partitions}");
        self.ask(&call).await
    }

    /// Waits for so many messages, and no more.
    pub async fn has(&self, topic: &str, partitions: u32, count: usize) -> Vec<Message> {
        eventually(async || {
            let found = self.messages(topic, partitions).await?;
            anyhow::ensure!(found.len() == count, "not {count}: {found:#?}");
            Ok(found)
        })
        .await
    }
}
