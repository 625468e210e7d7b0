//! Finding the instance that an order is about, and writing down what is to be done.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::control::question::Question;
use crate::model::Discovery;
use crate::model::drain::Drain;
use crate::registry::Answer;
use crate::store::ledger::Claim;

use super::choose::{self, Choice};
use super::{ATTEMPTS, Caller, DrainError, Drainer, Order, agent, entry};

/// How long a lease may have been waiting for its turn, of the time that a claim lasts.
const WAITED: Duration = Duration::from_secs(3);

/// What was decided, and is to be carried out.
pub(super) struct Begun {
    pub(super) drain: Drain,
    pub(super) claim: Claim,
    /// The agent to ask first whether it is to be told at all.
    pub(super) ask: Option<String>,
}

/// A drain of the caller's own, or somebody else's of the same instance.
pub(super) enum Decision {
    Own(Box<Begun>),
    Other(Box<Drain>),
}

impl Drainer {
    /// Finds the instance, and writes down what is to be done.
    pub(super) async fn decide(
        &self,
        order: &Order,
        caller: &Caller,
    ) -> Result<Decision, DrainError> {
        let agents = match &self.agents {
            Some(agents) => Some((agents, agents.own_nodes().await)),
            None => None,
        };
        let there = self.lookup(order.address).await?;
        let granted = Instant::now();
        // Whoever asks for an address that nobody has is refused without a write.
        let mut lease = if there.is_empty() {
            None
        } else {
            Some(self.ledger.lease().await?)
        };
        let services = choose::named(&there, order).map(|answer| answer.service.plain());
        let _turns = self.views.turns(&services.collect()).await;
        let mut now = false;
        lease = lease.filter(|_| granted.elapsed() < WAITED);
        for _ in 0..ATTEMPTS {
            let view = self.view(now).await?;
            view.entries.are_understood()?;
            // As late as can be: who is healthy may have changed while others decided.
            let answers = self.lookup(order.address).await?;
            let (service, instance) = match choose::choose(&answers, &view.entries, order) {
                Ok(Choice::Instance(service, instance)) => (service, instance),
                // What was read a moment ago is good enough to write on, and not to refuse by.
                _ if !now => {
                    now = true;
                    continue;
                }
                Ok(Choice::Drained(drain)) => {
                    return Ok(Decision::Other(Box::new(drain.clone())));
                }
                Err(refusal) => return Err(refusal),
            };
            now = true;
            let agent = match (&agents, service.discovery) {
                (Some((agents, own)), Discovery::Consul) => agent::of(agents, own, instance)?,
                (None, Discovery::Consul) | (_, Discovery::File) => {
                    return Err(DrainError::Unsupported(format!(
                        "{service} is not in Consul: only instances there can be drained"
                    )));
                }
            };
            let (agent_to_tell, ask) = if agent.is_unsure {
                (None, Some(agent.url))
            } else {
                (Some(agent.url), None)
            };
            let drain = Drain {
                id: format!("{:016x}", fastrand::u64(..)).into(),
                service,
                instance: instance.id.clone(),
                address: instance.address,
                port: instance.port,
                node: agent.node,
                agent: agent_to_tell,
                mode: order.mode,
                reason: order.reason.clone(),
                by: caller.name.clone(),
                from: caller.from.clone(),
                created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
                ttl: order.ttl,
            };
            let key = entry::key(&drain);
            let text = entry::text(&drain)?;
            let seen = view.seen(&drain.service);
            let own = match lease {
                Some(lease) => lease,
                None => *lease.insert(self.ledger.lease().await?),
            };
            if let Some(claim) = self.ledger.begin(&key, text, seen, own).await? {
                self.note(&claim, &drain);
                return Ok(Decision::Own(Box::new(Begun { drain, claim, ask })));
            }
        }
        Err(DrainError::Conflict(
            "other replicas drain too much at the same time: try again".to_owned(),
        ))
    }

    async fn lookup(&self, address: IpAddr) -> Result<Vec<Answer>, DrainError> {
        let (answer, answered) = oneshot::channel();
        let asked = self
            .questions
            .send(Question::Instances(address, answer))
            .await;
        let answers = match asked {
            Ok(()) => answered.await.ok(),
            Err(_) => None,
        };
        answers.ok_or_else(|| {
            DrainError::Unavailable(
                "not ready: documents and their services are not known yet".to_owned(),
            )
        })
    }
}
