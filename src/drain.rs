//! Draining: an instance is taken out before it dies. The registry is told first, then all replicas by a document in etcd;
//! who confirms it is the API's business.
//!
//! Every drain has an entry in the journal (`store::ledger`) before the registry is touched, and until it has been told the
//! opposite. So whatever a crash leaves behind is found by the entry: with its document it is in force, and without one, and
//! without a claim of somebody who works at it, it is to be undone ([`repair`]).

mod agent;
pub mod audit;
mod choose;
mod decide;
mod entry;
pub mod forgotten;
mod prolong;
pub mod repair;
mod undo;
mod untold;
mod view;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::control::question::Question;
use crate::model::drain::{Drain, Mode};
use crate::registry::Agents;
use crate::store::Ledger;
use crate::store::ledger::{Away, Claim, Enforced};

use audit::{Deed, Trail};
use decide::{Begun, Decision};
use untold::{Untold, refusal};
use view::Views;

/// How often a decision is made anew when another replica decides at the same time.
const ATTEMPTS: usize = 20;
/// How long to wait for another caller's drain of the same instance, and how often to look.
const OTHERS: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(100);

/// What a caller wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub address: IpAddr,
    /// Its port, where one address has several.
    pub port: Option<u16>,
    /// Its service, where only that is meant of all that name the address and port.
    pub service: Option<String>,
    /// When it is put back by itself, in seconds.
    pub ttl: u32,
    pub reason: String,
    /// Also when it is the last healthy one.
    pub force: bool,
    /// What becomes of the endpoint.
    pub mode: Mode,
}

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The name of the key; empty without keys.
    pub name: String,
    /// The address.
    pub from: String,
    /// Whether it may take instances out.
    pub drains: bool,
    /// Whether it may settle what only a person can decide, and see what only operators do.
    pub operates: bool,
    /// Whether it may write documents, and see what is secret in them.
    pub writes: bool,
    /// Its `traceparent`, where it has one.
    pub trace: String,
}

/// A drain in force.
#[derive(Debug, Clone)]
pub struct Standing {
    pub drain: Drain,
    /// The revision that it is in force with.
    pub revision: i64,
    /// Whether it was there, or on its way, before the call.
    pub existed: bool,
}

/// Drains that were ended.
#[derive(Debug, Clone)]
pub struct Lifted {
    /// The one that was asked for, and those that one call took out together with it.
    pub drains: Vec<Drain>,
    /// Why the registry has still to be told.
    pub pending: Option<String>,
}

/// Why a call changed nothing, or not all that it was to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrainError {
    /// There is no such instance, or no such drain.
    #[error("{0}")]
    Unknown(String),
    /// It could be one or another instance.
    #[error("{0}")]
    Unclear(String),
    /// It may be had otherwise, or later.
    #[error("{0}")]
    Conflict(String),
    /// It cannot be had with these settings.
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Registry(String),
    /// etcd, or what is known here, is not enough to decide.
    #[error("{0}")]
    Unavailable(String),
    /// Chancery itself failed.
    #[error("{0}")]
    Internal(String),
}

impl From<Away> for DrainError {
    fn from(away: Away) -> Self {
        Self::Unavailable(away.to_string())
    }
}

/// Takes instances out, and puts them back.
#[derive(Debug)]
pub struct Drainer {
    /// The journal and the documents.
    pub ledger: Arc<Ledger>,
    /// The registry's agents, where there is a registry that has such.
    pub agents: Option<Agents>,
    /// Asks the loop who is at an address.
    pub questions: mpsc::Sender<Question>,
    pub trail: Trail,
    /// What this process is called: who acts when nobody called.
    pub replica: Arc<str>,
    /// What decisions rest on, and whose turn it is. A turn is held while the journal is read and written, and never while an
    /// agent is asked or told.
    views: Views,
    /// The entries of the journal that were said to be passed over.
    said: Mutex<BTreeSet<Arc<str>>>,
}

/// Notes a step that drains took together.
fn note(deeds: &[Deed<'_>], step: &'static str, began: Instant, error: Option<&DrainError>) {
    for deed in deeds {
        deed.step(step, began, error);
    }
}

/// Works in a task of its own, which goes on when the caller does not wait for it.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, DrainError>> + Send + 'static,
) -> Result<T, DrainError> {
    tokio::spawn(work).await.unwrap_or_else(|ended| {
        if !ended.is_panic() {
            return Err(DrainError::Unavailable(
                "chancery is shutting down".to_owned(),
            ));
        }
        // The claim ends by itself, and the entry is undone then.
        tracing::error!(%ended, "a step of a drain has panicked: this is a fault of Chancery");
        Err(DrainError::Internal(
            "a fault of Chancery, which its log tells of; what may have changed is undone, \
             or the drain stands: GET /v1/drains tells"
                .to_owned(),
        ))
    })
}

impl Drainer {
    /// On these, with nothing under way.
    pub fn new(
        ledger: Arc<Ledger>,
        agents: Option<Agents>,
        questions: mpsc::Sender<Question>,
        trail: Trail,
        replica: Arc<str>,
    ) -> Self {
        Self {
            ledger,
            agents,
            questions,
            trail,
            replica,
            views: Views::default(),
            said: Mutex::default(),
        }
    }

    /// Takes out whoever is at a place: of every service that has it, and of documents. Never empty. Goes on when the caller does
    /// not wait for it.
    pub async fn drain(
        self: &Arc<Self>,
        order: Order,
        caller: Caller,
    ) -> Result<Vec<Standing>, DrainError> {
        let drainer = self.clone();
        apart(async move { drainer.try_drain(&order, &caller).await }).await
    }

    async fn try_drain(&self, order: &Order, caller: &Caller) -> Result<Vec<Standing>, DrainError> {
        let began = Instant::now();
        let new = || Deed::new(&self.trail, "drain", &caller.name, &caller.from);
        let Decision { own, others } = self.decide(order, caller).await.inspect_err(|refusal| {
            let mut deed = new();
            deed.what = match order.port {
                Some(port) => SocketAddr::new(order.address, port).to_string(),
                None => order.address.to_string(),
            };
            deed.refused("request", began, refusal);
        })?;
        let about = |drain: &Drain| {
            let mut deed = new();
            deed.is_about(drain);
            deed
        };
        let mut standing = Vec::new();
        if !own.is_empty() {
            let deeds: Vec<_> = own.iter().map(|one| about(&one.drain)).collect();
            note(&deeds, "request", began, None);
            standing = self.carry_out(own, order.ttl, &deeds).await?;
        }
        for drain in others {
            let deed = about(&drain);
            let followed = self.follow(drain).await;
            deed.step("request", began, followed.as_ref().err());
            standing.push(followed?);
        }
        standing.sort_by_key(|it| (it.drain.of.clone(), it.drain.instance.clone()));
        Ok(standing)
    }

    /// Learns whether the agent is to be told, where that was not known when the entry was written: until then the entry says
    /// that it was not.
    async fn resolve(&self, begun: Begun) -> Result<(Drain, Claim), Untold> {
        let Begun {
            mut drain,
            claim,
            ask,
        } = begun;
        let (Some(url), Some(agents)) = (ask, &self.agents) else {
            return Ok((drain, claim));
        };
        match agents
            .is_in_maintenance(&url, agent::service_id(&drain))
            .await
        {
            Ok(true) => Ok((drain, claim)),
            Ok(false) => {
                drain.agent = Some(url);
                let text = entry::text(&drain).map_err(Untold::etcd)?;
                let amended = self.ledger.amend(claim, text).await.map_err(Untold::etcd)?;
                let claim =
                    amended.ok_or_else(|| Untold::etcd("it took too long to ask the registry"))?;
                self.note(&claim, &drain);
                Ok((drain, claim))
            }
            Err(failure) => {
                // What is left of the entry says that nobody has been told.
                let struck = self.undo(&drain, &claim, false).await;
                if let Err(reason) = struck {
                    tracing::debug!(reason, drain = %drain.id, "an entry is left to be struck later");
                }
                Err(Untold::registry(failure))
            }
        }
    }

    /// Tells the registry, if it is to be told. What fails is undone as far as it can be now.
    async fn tell(&self, begun: Begun) -> Result<(Drain, Claim), Untold> {
        let (drain, claim) = self.resolve(begun).await?;
        let Err(failure) = self.tell_registry(&drain, true).await else {
            return Ok((drain, claim));
        };
        let undone = self.undo(&drain, &claim, failure.reached).await;
        Err(Untold {
            left: undone.err(),
            ..Untold::registry(failure)
        })
    }

    /// Tells the registry, then puts the drains in force: all, or none.
    async fn carry_out(
        &self,
        begun: Vec<Begun>,
        ttl: u32,
        deeds: &[Deed<'_>],
    ) -> Result<Vec<Standing>, DrainError> {
        let began = Instant::now();
        let (mut told, mut untold) = (Vec::new(), Vec::new());
        for outcome in join_all(begun.into_iter().map(|one| self.tell(one))).await {
            match outcome {
                Ok(one) => told.push(one),
                Err(one) => untold.push(one),
            }
        }
        if !untold.is_empty() {
            let back = told.iter();
            let back = join_all(back.map(|(drain, claim)| self.undo(drain, claim, true))).await;
            let refusal = refusal(untold, back.into_iter().filter_map(Result::err));
            note(deeds, "registry", began, Some(&refusal));
            return Err(refusal);
        }
        note(deeds, "registry", began, None);
        let began = Instant::now();
        let mut documents = Vec::new();
        for (drain, claim) in &told {
            documents.push(Enforced {
                claim,
                id: &drain.id,
                text: entry::text(drain)?,
            });
        }
        let reason = match self.ledger.enforce(documents, ttl).await {
            Ok(Some(revision)) => {
                note(deeds, "document", began, None);
                let standing = told.into_iter().map(|(drain, _)| Standing {
                    drain,
                    revision,
                    existed: false,
                });
                return Ok(standing.collect());
            }
            Ok(None) => {
                let back = join_all(told.iter().map(|(drain, _)| self.put_back(drain))).await;
                let left: Vec<_> = back.into_iter().filter_map(Result::err).collect();
                if left.is_empty() {
                    "it took too long to tell the registry; it is undone".to_owned()
                } else {
                    format!(
                        "it took too long to tell the registry; what may have changed is undone later: {}",
                        left.join("; ")
                    )
                }
            }
            Err(away) => {
                let ids: Vec<_> = told.iter().map(|(drain, _)| &*drain.id).collect();
                let ids = ids.join(", ");
                format!(
                    "{away}; drain {ids} is half done: it is completed or undone when etcd answers"
                )
            }
        };
        let refusal = DrainError::Unavailable(reason);
        note(deeds, "document", began, Some(&refusal));
        Err(refusal)
    }

    /// Waits until somebody else's drain is in force.
    async fn follow(&self, drain: Drain) -> Result<Standing, DrainError> {
        let deadline = Instant::now() + OTHERS;
        while Instant::now() < deadline {
            let journal = self.ledger.journal().await?;
            if let Some(revision) = journal.in_force.get(&drain.id) {
                return Ok(Standing {
                    revision: *revision,
                    drain,
                    existed: true,
                });
            }
            let entries = self.entries(&journal);
            let found = entries.find(&drain.id);
            if found.is_none_or(|(key, _)| !journal.claimed.contains(key)) {
                break;
            }
            sleep(LOOK).await;
        }
        Err(DrainError::Conflict(format!(
            "drain {} of this instance was begun by another call and did not come into force, or is being undone: \
             try again in a moment",
            drain.id
        )))
    }

    /// The drains in force.
    pub async fn standing(&self) -> Result<Vec<Standing>, DrainError> {
        let journal = self.ledger.journal().await?;
        let entries = self.entries(&journal);
        entries.are_understood()?;
        let in_force = entries.drains().filter_map(|drain| {
            Some(Standing {
                revision: *journal.in_force.get(&drain.id)?,
                drain: drain.clone(),
                existed: true,
            })
        });
        let mut standing: Vec<_> = in_force.collect();
        let place = |it: &Standing| (it.drain.of.clone(), it.drain.address, it.drain.port);
        standing.sort_by_key(place);
        Ok(standing)
    }
}

#[cfg(test)]
mod tests;
