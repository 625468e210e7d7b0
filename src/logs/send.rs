//! How a batch gets to its target, of whatever kind that is.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::kafka::{self, Kafkas, Link};
use super::post::{self, Post, Poster, Unusable};
use super::socket::{self, Sockets};
use crate::model::log_target::{To, Transport};

/// What reaches targets of all kinds.
#[derive(Debug)]
pub struct Sinks {
    posts: Poster,
    sockets: Sockets,
    kafkas: Kafkas,
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Post(#[from] post::Error),
    #[error(transparent)]
    Socket(#[from] socket::Error),
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
}

impl Sinks {
    /// `authorizations` has a line for each URL that is posted to, and for each broker and user of Kafka.
    pub fn new(authorizations: &str) -> Result<Self, Unusable> {
        Ok(Self {
            posts: Poster::new(authorizations)?,
            sockets: Sockets::new()?,
            kafkas: Kafkas::new(authorizations)?,
        })
    }

    /// How many of its entries a target has not taken of a batch, once it has taken the rest, as far as its protocol tells. `link` is this
    /// target's own.
    pub async fn send(&self, link: &mut Link, to: &To, batch: &[Bytes]) -> Result<usize, Error> {
        match to {
            To::Tcp(tcp) | To::Syslog(Transport::Tcp(tcp)) => self.sockets.tcp(tcp, batch).await?,
            To::Udp(udp) | To::Syslog(Transport::Udp(udp)) => socket::udp(udp, batch).await?,
            To::Kafka(kafka) => self.kafkas.send(link, kafka, batch).await?,
            To::Http { .. } | To::Loki(_) | To::Elasticsearch(_) | To::Clickhouse(_) => {
                return self.post(to, batch).await;
            }
        }
        Ok(0)
    }

    async fn post(&self, to: &To, batch: &[Bytes]) -> Result<usize, Error> {
        let Some(post) = post(to) else {
            return Ok(0);
        };
        let mut refused = 0;
        for body in batch {
            let said = self.posts.post(&post, body.clone()).await?;
            if matches!(to, To::Elasticsearch(_)) {
                refused += not_taken(&said);
            }
        }
        Ok(refused)
    }
}

/// How it is posted where that is done.
fn post(to: &To) -> Option<Post<'_>> {
    let json = "application/json";
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let post = Post {
        uri: "",
        query: "",
        timeout: Duration::ZERO,
        verify: true,
        content_type: json,
        headers: Vec::new(),
        instead: Vec::new(),
        refused_from: 400,
    };
    Some(match to {
        To::Http {
            uri,
            timeout,
            verify,
            lines,
        } => Post {
            uri,
            timeout: seconds(*timeout),
            verify: *verify,
            content_type: if *lines { "text/plain" } else { json },
            ..post
        },
        To::Loki(loki) => Post {
            uri: any(&loki.uris)?,
            timeout: Duration::from_millis(loki.millis.into()),
            verify: loki.verify,
            headers: vec![("x-scope-orgid", loki.tenant.as_str())],
            refused_from: 300,
            ..post
        },
        To::Elasticsearch(elasticsearch) => Post {
            uri: any(&elasticsearch.uris)?,
            // Of all that it says, what it has not taken.
            query: "?filter_path=errors,items.*.error.type",
            timeout: seconds(elasticsearch.timeout),
            verify: elasticsearch.verify,
            content_type: "application/x-ndjson",
            refused_from: 201,
            ..post
        },
        To::Clickhouse(clickhouse) => Post {
            uri: any(&clickhouse.uris)?,
            timeout: seconds(clickhouse.timeout),
            verify: clickhouse.verify,
            headers: vec![("x-clickhouse-database", clickhouse.database.as_str())],
            // It refuses these beside an `Authorization`.
            instead: vec![
                ("x-clickhouse-user", clickhouse.user.as_str()),
                ("x-clickhouse-key", ""),
            ],
            ..post
        },
        To::Tcp(_) | To::Udp(_) | To::Syslog(_) | To::Kafka(_) => return None,
    })
}

fn any(uris: &[String]) -> Option<&str> {
    fastrand::choice(uris).map(String::as_str)
}

/// How many entries Elasticsearch says that it has not taken.
fn not_taken(said: &[u8]) -> usize {
    let said: Value = serde_json::from_slice(said).unwrap_or_default();
    if said["errors"] != true {
        return 0;
    }
    said["items"]
        .as_array()
        .map_or(1, |items| items.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_elasticsearch_has_not_taken_is_counted() {
        for (said, count) in [
            (r#"{"errors":false}"#, 0),
            (
                r#"{"errors":true,"items":[{"create":{"error":{"type":"a"}}},{"create":{"error":{"type":"b"}}}]}"#,
                2,
            ),
            (r#"{"errors":true}"#, 1),
            (r#"{"errors":true,"items":[]}"#, 1),
            ("", 0),
            ("[1]", 0),
        ] {
            assert_eq!(not_taken(said.as_bytes()), count, "{said}");
        }
    }
}
