//! How a batch gets to its target, of whatever kind that is.

use std::time::Duration;

use bytes::Bytes;

use super::post::{self, Post, Poster, Unusable};
use super::socket::{self, Sockets};
use crate::model::log_target::{To, Transport};

/// What reaches targets of all kinds.
#[derive(Debug)]
pub struct Sinks {
    posts: Poster,
    sockets: Sockets,
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Post(#[from] post::Error),
    #[error(transparent)]
    Socket(#[from] socket::Error),
}

impl Sinks {
    /// `authorizations` has a line for each URL that is posted to.
    pub fn new(authorizations: &str) -> Result<Self, Unusable> {
        Ok(Self {
            posts: Poster::new(authorizations)?,
            sockets: Sockets::new()?,
        })
    }

    /// Once the target has taken it, as far as its protocol tells.
    pub async fn send(&self, to: &To, batch: &[Bytes]) -> Result<(), Error> {
        match to {
            To::Http {
                uri,
                timeout,
                verify,
                lines,
            } => {
                let post = Post {
                    uri,
                    timeout: Duration::from_secs((*timeout).into()),
                    verify: *verify,
                    content_type: if *lines {
                        "text/plain"
                    } else {
                        "application/json"
                    },
                    tenant: None,
                    refused_from: 400,
                };
                self.post(&post, batch).await
            }
            To::Loki(loki) => {
                let uri = fastrand::choice(&loki.uris).map_or("", String::as_str);
                let post = Post {
                    uri,
                    timeout: Duration::from_millis(loki.millis.into()),
                    verify: loki.verify,
                    content_type: "application/json",
                    tenant: Some(&loki.tenant),
                    refused_from: 300,
                };
                self.post(&post, batch).await
            }
            To::Tcp(tcp) | To::Syslog(Transport::Tcp(tcp)) => {
                Ok(self.sockets.tcp(tcp, batch).await?)
            }
            To::Udp(udp) | To::Syslog(Transport::Udp(udp)) => Ok(socket::udp(udp, batch).await?),
        }
    }

    async fn post(&self, post: &Post<'_>, batch: &[Bytes]) -> Result<(), Error> {
        for body in batch {
            self.posts.post(post, body.clone()).await?;
        }
        Ok(())
    }
}
