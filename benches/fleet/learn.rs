//! What Chancery sends, learned from one stream, for the floor to send as much.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use etcd_client::Client;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::delta::{self, Proxy};
use crate::documents::{self, Kind, LEARNED};
use crate::wire::{self, Stream};

const PATIENCE: Duration = Duration::from_secs(60);

/// Responses, as they were on the wire.
#[derive(Default, Serialize, Deserialize)]
pub struct Lesson {
    /// The first of each type, in order.
    pub sync: Vec<Vec<u8>>,
    /// One for each kind of change.
    pub changes: HashMap<String, Vec<u8>>,
}

impl Lesson {
    /// Listens to one stream of Chancery's while one change of each kind is put.
    pub async fn take(server: SocketAddr, etcd: &mut Client) -> Result<Self> {
        let mut learner = Learner {
            stream: Stream::open(server).await?,
            proxy: Proxy::default(),
            heard: Vec::new(),
        };
        learner.stream.send(&delta::first_request(0)).await?;
        learner.until(|learner| learner.proxy.is_synced()).await?;
        let mut lesson = Self {
            sync: std::mem::take(&mut learner.heard),
            ..Self::default()
        };
        for kind in Kind::ALL {
            let put = documents::change(kind, LEARNED);
            etcd.put(put.key, put.value, None).await?;
            let marker = put.marker.as_bytes();
            let told = |response: &Vec<u8>| find(response, marker).is_some();
            learner
                .until(|learner| learner.heard.iter().any(told))
                .await?;
            let change = learner.heard.drain(..).find(told);
            let change = change.context("the change was heard")?;
            lesson.changes.insert(kind.as_str().to_owned(), change);
        }
        Ok(lesson)
    }

    /// Writes it down for the floor's process.
    pub fn write(&self, file: &Path) -> Result<()> {
        Ok(std::fs::write(file, serde_json::to_vec(self)?)?)
    }

    /// Reads what was written down.
    pub fn read(file: &Path) -> Result<Self> {
        let lesson = std::fs::read(file).with_context(|| file.display().to_string())?;
        Ok(serde_json::from_slice(&lesson)?)
    }
}

struct Learner {
    stream: Stream,
    proxy: Proxy,
    heard: Vec<Vec<u8>>,
}

impl Learner {
    async fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let buffer = wire::buffer();
        let listen = async {
            while !done(self) {
                let (proxy, heard) = (&mut self.proxy, &mut self.heard);
                let handle = |response: &[u8]| {
                    heard.push(response.to_vec());
                    Ok(proxy.handle(response)?.1)
                };
                self.stream.receive(&buffer, handle).await?;
            }
            Ok(())
        };
        timeout(PATIENCE, listen)
            .await
            .context("Chancery has not sent what was put")?
    }
}

/// Where `part` is in `whole`.
pub fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}
