//! Finding whom an order is about, and writing down what is to be done.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::control::question::{Question, There};
use crate::model::Discovery;
use crate::model::drain::{Drain, Of};
use crate::registry::Agents;
use crate::store::ledger::{self, Claim};

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

/// What an order comes to: drains of the caller's own, and somebody else's of the same place. There is one of either at least.
#[derive(Default)]
pub(super) struct Decision {
    pub(super) own: Vec<Begun>,
    pub(super) others: Vec<Drain>,
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
        let concerned = choose::concerned(&there, order);
        // Whoever asks for an address that nobody has is refused without a write.
        let mut lease = if concerned.is_empty() {
            None
        } else {
            Some(self.ledger.lease().await?)
        };
        let _turns = self.views.turns(&concerned).await;
        let mut now = false;
        lease = lease.filter(|_| granted.elapsed() < WAITED);
        for _ in 0..ATTEMPTS {
            let view = self.view(now).await?;
            view.entries.are_understood()?;
            // As late as can be: who is healthy may have changed while others decided.
            let there = self.lookup(order.address).await?;
            let choices = match choose::choose(&there, &view.entries, order) {
                Ok(choices) if choices.iter().any(Choice::is_new) => choices,
                // What was read a moment ago is good enough to write on, and not to refuse by.
                _ if !now => {
                    now = true;
                    continue;
                }
                Ok(choices) => choices,
                Err(refusal) => return Err(refusal),
            };
            now = true;
            let (new, others): (Vec<_>, Vec<_>) = choices.iter().partition(|it| it.is_new());
            let others: Vec<_> = others.into_iter().filter_map(Choice::drained).collect();
            let mut with = others.first().map(|drain| drain.order().clone());
            let mut own = Vec::new();
            for choice in new {
                let mut one = wanted(choice, agents.as_ref(), order, caller)?;
                one.0.with = with.clone();
                with.get_or_insert_with(|| one.0.id.clone());
                own.push(one);
            }
            let others = others.into_iter().cloned().collect();
            if own.is_empty() {
                return Ok(Decision {
                    own: Vec::new(),
                    others,
                });
            }
            let entry = |(drain, _): &(Drain, _)| {
                Ok(ledger::Entry {
                    key: entry::key(drain),
                    text: entry::text(drain)?,
                    seen: view.seen(&drain.of),
                })
            };
            let entries = own.iter().map(entry).collect::<Result<_, DrainError>>()?;
            let claimed_for = match lease {
                Some(lease) => lease,
                None => *lease.insert(self.ledger.lease().await?),
            };
            if let Some(claims) = self.ledger.begin(entries, claimed_for).await? {
                let own = own.into_iter().zip(claims);
                let own = own.map(|((drain, ask), claim)| {
                    self.note(&claim, &drain);
                    Begun { drain, claim, ask }
                });
                let own = own.collect();
                return Ok(Decision { own, others });
            }
        }
        Err(DrainError::Conflict(
            "other replicas drain too much at the same time: try again".to_owned(),
        ))
    }

    async fn lookup(&self, address: IpAddr) -> Result<There, DrainError> {
        let (answer, answered) = oneshot::channel();
        let asked = self.questions.send(Question::At(address, answer)).await;
        let there = match asked {
            Ok(()) => answered.await.ok(),
            Err(_) => None,
        };
        there.ok_or_else(|| {
            DrainError::Unavailable(
                "not ready: documents and their services are not known yet".to_owned(),
            )
        })
    }
}

/// The drain that a choice asks for, and the agent to ask first whether it is to be told at all.
fn wanted(
    choice: &Choice<'_>,
    agents: Option<&(&Agents, HashMap<String, String>)>,
    order: &Order,
    caller: &Caller,
) -> Result<(Drain, Option<String>), DrainError> {
    let mut drain = Drain {
        id: format!("{:016x}", fastrand::u64(..)).into(),
        with: None,
        of: Of::Nodes,
        instance: "".into(),
        address: order.address,
        port: 0,
        node: String::new(),
        agent: None,
        mode: order.mode,
        reason: order.reason.clone(),
        by: caller.name.clone(),
        from: caller.from.clone(),
        created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        ttl: order.ttl,
    };
    let (service, instance) = match choice {
        Choice::Instance(service, instance) => (service, instance),
        Choice::Node(place) => {
            drain.instance = place.to_string().into();
            drain.port = place.port();
            return Ok((drain, None));
        }
        Choice::Drained(drained) => return Ok((Drain::clone(drained), None)),
    };
    let agent = match (agents, service.discovery) {
        (Some((agents, own)), Discovery::Consul) => agent::of(agents, own, instance)?,
        (None, Discovery::Consul) | (_, Discovery::File) => {
            return Err(DrainError::Unsupported(format!(
                "{service} is not in Consul: only instances there, and nodes of documents, can be drained; \
                 give `service` where others of that place are meant"
            )));
        }
    };
    drain.of = Of::Service(service.clone());
    drain.instance = instance.id.clone();
    drain.port = instance.port;
    drain.node = agent.node;
    let ask = if agent.is_unsure {
        Some(agent.url)
    } else {
        drain.agent = Some(agent.url);
        None
    };
    Ok((drain, ask))
}
