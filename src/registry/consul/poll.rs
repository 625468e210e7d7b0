//! One service, asked again and again. What follows from an answer is decided in [`Known`], without I/O; [`Poll`] asks,
//! waits and passes on.
//!
//! An error leaves [`Known::answer`] as it is. The rules of the index are those of Consul's blocking queries.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::asker::{Asker, Ended};
use super::budget::Budget;
use super::client::{Client, Response};
use super::error::Error;
use super::health;
use super::query::Query;
use super::written::Written;
use crate::model::ServiceKey;
use crate::registry::Answer;
use crate::registry::freshness::Freshness;

/// Pauses after errors; jitter makes each up to twice as long.
pub const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times()
    .with_jitter();

/// A query that tells nothing new is followed by the next one no sooner than this after it began. Changes elsewhere wake
/// some queries (those for a service that nobody registered yet, for one), and a broken proxy may not block at all.
pub const IDLE: Duration = Duration::from_millis(250);

/// The queries for one service.
#[derive(Debug)]
pub struct Poll {
    /// The pool that all services share.
    pub client: Arc<Client>,
    /// The places that all services share.
    pub budget: Arc<Budget>,
    pub service: ServiceKey,
    /// How long a query blocks.
    pub wait: Duration,
    /// Where it is noted that the service is as it was answered.
    pub freshness: Freshness,
    pub answers: mpsc::Sender<Answer>,
    /// Where the end of each query is told.
    pub ends: mpsc::Sender<Ended>,
}

impl Poll {
    /// Asks until nobody listens any more.
    pub async fn run(self) {
        let mut known = Known::default();
        let mut pauses = PAUSES.build();
        loop {
            let began = Instant::now();
            let index = known.index;
            let response = match self.query(index).await {
                Ok(response) => known.handle_response(&self.service, &response),
                Err(error) => Err(error),
            };
            let (next, result) = match response {
                Ok(news) => {
                    pauses = PAUSES.build();
                    self.freshness.confirm(&self.service);
                    let idle = index.is_some() && news.answer.is_none();
                    if self.tell(news).await.is_err() {
                        return;
                    }
                    (idle.then(|| began + IDLE), Ok(()))
                }
                Err(error) => {
                    known.forget_index();
                    let pause = pauses.next().unwrap_or_default();
                    let pause = pause + error.retry_after().unwrap_or_default();
                    (Some(Instant::now() + pause), Err(error))
                }
            };
            let asker = Asker::Service(self.service.clone());
            let ended = Ended { asker, result };
            if self.ends.send(ended).await.is_err() {
                return;
            }
            if let Some(next) = next {
                sleep_until(next).await;
            }
        }
    }

    async fn query(&self, index: Option<NonZeroU64>) -> Result<Response, Error> {
        let query = Query::Service(&self.service);
        let Some(index) = index else {
            let _place = self.budget.immediate().await;
            return self.client.ask(query).await;
        };
        let _place = self.budget.blocking().await;
        self.client.ask_after(query, index, self.wait).await
    }

    async fn tell(&self, news: News) -> Result<(), mpsc::error::SendError<Answer>> {
        for warning in news.warnings {
            tracing::warn!(service = %self.service, "{warning}");
        }
        match news.answer {
            Some(answer) => self.answers.send(answer).await,
            None => Ok(()),
        }
    }
}

/// What is known of one service.
#[derive(Debug, Default)]
pub struct Known {
    /// What to block on; nothing asks at once.
    index: Option<NonZeroU64>,
    /// The last answer that was believed.
    answer: Option<Answer>,
    /// The index of that answer, whatever failed since.
    answered: Option<NonZeroU64>,
    /// When what it says was written.
    written: Option<Written>,
    /// The warnings that stand.
    warnings: BTreeSet<String>,
}

/// What an answer tells that was not known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Other instances than before.
    pub answer: Option<Answer>,
    /// What is newly wrong with entries.
    pub warnings: Vec<String>,
}

impl Known {
    pub fn handle_response(
        &mut self,
        service: &ServiceKey,
        response: &Response,
    ) -> Result<News, Error> {
        // Consul says 0 by mistake only; a query that names it would not block.
        let answered = NonZeroU64::new(response.index).unwrap_or(NonZeroU64::MIN);
        // The index went back: the server was replaced, wiped, or does not know everything yet. Its content is not
        // believed until it is asked again, without an index and consistently.
        if self.index.is_some_and(|index| answered < index) {
            self.index = None;
            return Ok(News::default());
        }
        let health::Registered {
            instances,
            mut left_out,
            written,
        } = health::read(&response.body).map_err(|error| Error::Answer {
            about: Query::Service(service).to_string(),
            reason: error.to_string(),
        })?;
        if response.filtered {
            if instances.is_empty() {
                return Err(Error::Denied {
                    about: Query::Service(service).to_string(),
                    reason: "it removed instances from the answer".to_owned(),
                });
            }
            let hidden = "Consul hides some instances: the token lacks service:read, or node:read on their nodes";
            left_out.insert(hidden.to_owned());
        }
        self.index = Some(answered);
        let went_back = self.answered.is_some_and(|before| answered < before);
        self.answered = Some(answered);
        self.written = Some(written);
        let is_unusable = instances.is_empty() && !left_out.is_empty();
        let warnings = left_out.difference(&self.warnings).cloned().collect();
        self.warnings = left_out;
        let answer = Answer {
            doubtful: went_back || is_unusable,
            ..Answer::new(service.clone(), instances)
        };
        let before = self.answer.as_ref().map(|before| &before.instances);
        let new = before != Some(&answer.instances);
        if new {
            self.answer = Some(answer.clone());
        }
        Ok(News {
            answer: new.then_some(answer),
            warnings,
        })
    }

    /// After a failure: what is known stays, and the next query does not block on an index that may be no longer.
    pub fn forget_index(&mut self) {
        self.index = None;
    }

    /// When the last answer that was believed was written; nothing before the first.
    pub fn written(&self) -> Option<Written> {
        self.written
    }

    /// Whether an instance is registered on that node.
    pub fn is_on(&self, node: &str) -> bool {
        let known = self
            .answer
            .iter()
            .flat_map(|answer| answer.instances.iter());
        known.into_iter().any(|instance| &*instance.node == node)
    }
}
