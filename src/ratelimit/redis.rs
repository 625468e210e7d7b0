//! The Redis servers that counts lie in, by the names that documents have for them. One connection to each, made when it is first
//! needed, and again after it was lost.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{Client, ConnectionAddr, IntoConnectionInfo};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::asked::{Asked, Counted, Flight};
use super::script::{self, Call};
use crate::model::shared_limit;

/// How often what does not work is said.
const SAID: Duration = Duration::from_secs(10);

/// Where counts lie.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The URL of a server.
    One(String),
    /// The URLs of some nodes of a cluster, and what documents call it.
    Cluster { name: String, nodes: Vec<String> },
}

/// A place that none can be, without what may be secret of it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Unusable {
    place: String,
    why: String,
}

/// Why a request was not counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no Redis of this name is known here: start `chancery ratelimit` with it (--redis, --redis-cluster)"
    )]
    Unknown,
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis has not answered within {} ms", .0.as_millis())]
    Late(Duration),
}

enum Server {
    One(Box<ConnectionManager>),
    Cluster(Box<ClusterClient>, OnceCell<ClusterConnection>),
}

/// All of them, by name.
pub struct Servers {
    all: BTreeMap<String, Server>,
    patience: Duration,
    said: Mutex<Option<Instant>>,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.keys()).finish()
    }
}

impl Servers {
    /// Connects to nothing yet. An answer takes `patience` at most.
    pub fn new(places: &[Place], patience: Duration) -> Result<Self, Unusable> {
        let mut all = BTreeMap::new();
        for place in places {
            let (name, server) = server(place, patience)?;
            all.insert(name, server);
        }
        Ok(Self {
            all,
            patience,
            said: Mutex::default(),
        })
    }

    /// What documents call them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Counts a request; tells how its end is said, where it is counted until then.
    pub async fn count(&self, asked: &Asked) -> Result<(Counted, Option<Flight>), Error> {
        let own = fastrand::u64(..);
        let call = script::call(asked, own);
        let flight = asked.is_flying().then(|| Flight {
            redis: asked.limit.redis.clone(),
            own,
            key: call.key.clone(),
        });
        let counted = self.call(&asked.limit.redis, call).await?;
        Ok((counted, flight.filter(|_| counted.passes)))
    }

    /// A request has ended.
    pub async fn end(&self, flight: &Flight) -> Result<(), Error> {
        if let Some(call) = script::end(&flight.key, flight.own) {
            self.call(&flight.redis, call).await?;
        }
        Ok(())
    }

    async fn call(&self, redis: &str, call: Call) -> Result<Counted, Error> {
        let server = self.all.get(redis).ok_or(Error::Unknown)?;
        let answered = timeout(self.patience, server.run(call));
        let (passes, left, millis): (u8, u64, u64) =
            answered.await.map_err(|_| Error::Late(self.patience))??;
        Ok(Counted {
            passes: passes == 1,
            left,
            millis,
        })
    }

    /// Whether something that does not work was not said for a while.
    pub fn is_worth_saying(&self) -> bool {
        let Ok(mut said) = self.said.lock() else {
            return false;
        };
        let is_worth = said.is_none_or(|last| last.elapsed() >= SAID);
        if is_worth {
            *said = Some(Instant::now());
        }
        is_worth
    }
}

impl Server {
    async fn run(&self, call: Call) -> redis::RedisResult<(u8, u64, u64)> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(call.script)
            .arg(1)
            .arg(call.key)
            .arg(&call.numbers);
        match self {
            Self::One(connection) => command.query_async(&mut (**connection).clone()).await,
            Self::Cluster(client, connection) => {
                let connected = connection.get_or_try_init(|| client.get_async_connection());
                command.query_async(&mut connected.await?.clone()).await
            }
        }
    }
}

fn server(place: &Place, patience: Duration) -> Result<(String, Server), Unusable> {
    match place {
        Place::One(url) => {
            let unusable = |error: redis::RedisError| Unusable {
                place: "--redis".to_owned(),
                why: why(&error),
            };
            let info = url.as_str().into_connection_info().map_err(unusable)?;
            let name = match info.addr() {
                ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                    shared_limit::server(host, *port, info.redis_settings().db())
                }
                _ => {
                    return Err(Unusable {
                        place: "--redis".to_owned(),
                        why: "allowed: redis://HOST:PORT/DATABASE or rediss://…".to_owned(),
                    });
                }
            };
            let client = Client::open(info).map_err(unusable)?;
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(patience))
                .set_response_timeout(Some(patience))
                .set_max_delay(Duration::from_secs(1));
            let manager =
                ConnectionManager::new_lazy_with_config(client, config).map_err(unusable)?;
            Ok((name, Server::One(Box::new(manager))))
        }
        Place::Cluster { name, nodes } => {
            let builder = ClusterClientBuilder::new(nodes.iter().map(String::as_str))
                .connection_timeout(patience)
                .response_timeout(patience);
            let client = builder.build().map_err(|error| Unusable {
                place: format!("--redis-cluster {name}"),
                why: why(&error),
            })?;
            Ok((
                shared_limit::cluster(name),
                Server::Cluster(Box::new(client), OnceCell::new()),
            ))
        }
    }
}

/// The error without what it may quote of a URL.
fn why(error: &redis::RedisError) -> String {
    format!(
        "{:?}, allowed: redis://[USER:PASSWORD@]HOST:PORT[/DATABASE], rediss:// for TLS",
        error.kind()
    )
}
