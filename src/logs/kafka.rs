//! How a batch gets to Kafka. The only file here that names its client.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::Error as ClientError;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::post::Unusable;
use crate::model::log_target::{Kafka, Mechanism};
use crate::telemetry::innermost;

/// What lines of passwords begin with.
pub const SCHEME: &str = "kafka://";
/// Bytes of an answer: brokers tell of all topics at once.
const ANSWER: usize = 16 << 20;
/// Partitions of one target that are connected with at a time; each has a connection of its own.
const PARTITIONS: usize = 16;
/// Pauses between the tries of one message, which end with half of its time.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// What brokers are shown.
pub struct Kafkas {
    /// By `kafka://USER@HOST:PORT`.
    passwords: HashMap<String, String>,
}

impl fmt::Debug for Kafkas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafkas").finish_non_exhaustive()
    }
}

/// What is open with the brokers of one target; nothing after a failure, so that those which its document names are asked again.
#[derive(Default)]
pub struct Link(Option<Open>);

struct Open {
    client: Client,
    partitions: Vec<i32>,
    /// When it was asked which there are.
    asked: Instant,
    /// The place of the one that has the next message without a key.
    next: usize,
    connected: HashMap<i32, PartitionClient>,
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", innermost(.0))]
    Client(#[from] ClientError),
    #[error("no broker is there: {0}")]
    Away(io::Error),
    #[error("no answer in time")]
    Slow,
    #[error("the brokers have no topic of this name, and make none")]
    Topic,
    #[error("no password of this user is known (--authorization)")]
    Password,
}

impl Kafkas {
    /// `authorizations` has a line for each user of a broker.
    pub fn new(authorizations: &str) -> Result<Self, Unusable> {
        let lines = authorizations.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| line.starts_with(SCHEME));
        let read = lines.map(|(at, line)| {
            let (who, password) = line.split_once(' ').ok_or(Unusable::Line(at + 1))?;
            Ok((who.to_owned(), password.trim().to_owned()))
        });
        let passwords: Result<_, Unusable> = read.collect();
        Ok(Self {
            passwords: passwords?,
        })
    }

    /// Once all replicas that are in step have it. After a failure a part of it may be there, and comes again.
    pub async fn send(&self, link: &mut Link, to: &Kafka, batch: &[Bytes]) -> Result<(), Error> {
        let sent = self.send_all(link, to, batch).await;
        if sent.is_err() {
            link.0 = None;
        }
        sent
    }

    async fn send_all(&self, link: &mut Link, to: &Kafka, batch: &[Bytes]) -> Result<(), Error> {
        let limit = Duration::from_secs(to.timeout.into());
        let open = match &mut link.0 {
            Some(open) => open,
            none => none.insert(self.open(to, limit).await?),
        };
        if open.asked.elapsed() >= Duration::from_secs(to.refresh.into()) {
            open.partitions = in_time(limit, partitions(&open.client, &to.topic)).await?;
            open.asked = Instant::now();
        }
        for message in batch {
            in_time(limit, open.produce(to, message)).await?;
        }
        Ok(())
    }

    async fn open(&self, to: &Kafka, limit: Duration) -> Result<Open, Error> {
        let broker = reachable(&to.brokers, limit).await?;
        let mut builder = ClientBuilder::new(vec![broker])
            .client_id("chancery")
            .max_message_size(ANSWER)
            .backoff_config(BackoffConfig {
                init_backoff: PAUSES.0,
                max_backoff: PAUSES.1,
                base: 2.0,
                deadline: Some(limit / 2),
            });
        if let Some(shown) = self.shown(to)? {
            builder = builder.sasl_config(shown);
        }
        let client = in_time(limit, async { Ok(builder.build().await?) }).await?;
        let partitions = in_time(limit, partitions(&client, &to.topic)).await?;
        Ok(Open {
            client,
            next: fastrand::usize(..partitions.len()),
            partitions,
            asked: Instant::now(),
            connected: HashMap::new(),
        })
    }

    fn shown(&self, to: &Kafka) -> Result<Option<SaslConfig>, Error> {
        let Some(sasl) = &to.sasl else {
            return Ok(None);
        };
        let who = |broker: &String| format!("{SCHEME}{}@{broker}", sasl.user);
        let mut found = to.brokers.iter().map(who);
        let password = found.find_map(|who| self.passwords.get(&who));
        let password = password.ok_or(Error::Password)?.clone();
        let credentials = Credentials::new(sasl.user.clone(), password);
        Ok(Some(match sasl.mechanism {
            Mechanism::Plain => SaslConfig::Plain(credentials),
            Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
        }))
    }
}

impl Open {
    async fn produce(&mut self, to: &Kafka, message: &Bytes) -> Result<(), Error> {
        let partition = self.partition(to.key.as_deref());
        if !self.connected.contains_key(&partition) {
            if self.connected.len() >= PARTITIONS {
                self.connected.clear();
            }
            let connected = self
                .client
                .partition_client(&to.topic, partition, UnknownTopicHandling::Retry)
                .await?;
            self.connected.insert(partition, connected);
        }
        let Some(connected) = self.connected.get(&partition) else {
            return Err(Error::Topic);
        };
        let record = Record {
            key: to.key.clone().map(String::into_bytes),
            value: Some(message.to_vec()),
            headers: [].into(),
            timestamp: now(),
        };
        connected
            .produce(vec![record], Compression::NoCompression)
            .await?;
        Ok(())
    }

    /// As APISIX's client has it: by the CRC-32 of a key, else in turn.
    fn partition(&mut self, key: Option<&str>) -> i32 {
        let place = match key {
            Some(key) => usize::try_from(crc32fast::hash(key.as_bytes())).unwrap_or_default(),
            None => {
                self.next = self.next.wrapping_add(1);
                self.next
            }
        };
        // There is at least one.
        let place = place.checked_rem(self.partitions.len());
        place.map_or(0, |place| self.partitions[place])
    }
}

/// One that takes connections: the client tries one after the other, however long that takes.
async fn reachable(brokers: &[String], limit: Duration) -> Result<String, Error> {
    let mut brokers: Vec<_> = brokers.iter().collect();
    fastrand::shuffle(&mut brokers);
    let mut last = Error::Slow;
    for broker in brokers {
        last = match timeout(limit, TcpStream::connect(broker.as_str())).await {
            Ok(Ok(_)) => return Ok(broker.clone()),
            Ok(Err(error)) => Error::Away(error),
            Err(_) => Error::Slow,
        };
    }
    Err(last)
}

/// Those of a topic, at least one, in order. One that is asked for by its name is made where brokers do that.
async fn partitions(client: &Client, topic: &str) -> Result<Vec<i32>, Error> {
    let found = async || {
        let mut all = client.list_topics().await?.into_iter();
        let found = all.find(|one| one.name == topic);
        let found = found.map(|one| Vec::from_iter(one.partitions));
        Ok::<_, Error>(found.filter(|partitions| !partitions.is_empty()))
    };
    if let Some(partitions) = found().await? {
        return Ok(partitions);
    }
    client
        .partition_client(topic, 0, UnknownTopicHandling::Retry)
        .await?;
    found().await?.ok_or(Error::Topic)
}

async fn in_time<T>(
    limit: Duration,
    what: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(limit, what).await.map_err(|_| Error::Slow)?
}

fn now() -> DateTime<rskafka::chrono::Utc> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    let millis = i64::try_from(millis).unwrap_or_default();
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

#[cfg(test)]
mod tests;
