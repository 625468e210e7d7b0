//! Maintenance that Chancery has set and remembers nothing of, since etcd was wiped or restored meanwhile: found by its reason
//! at the agents, and undone, as any entry without a document is.
//!
//! Only instances are looked at that a registry says are in maintenance, of services that documents name. The reason says
//! where the drain was written down: what another prefix remembers is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::audit::Deed;
use super::{DrainError, Drainer, agent, entry};
use crate::control::question::{Question, Watched};
use crate::model::drain::{self, Drain, Mode, Of};
use crate::model::instance::Status;
use crate::model::{Instance, ServiceKey};
use crate::store::ledger;

/// How long after a start, and how often, about, it is searched.
const FIRST: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(180);
/// How many agents are asked at a time, and how many of them in one search.
const AT_ONCE: usize = 8;
const AGENTS: usize = 256;

const BEFORE: &str = "drained by chancery (";

/// The reason that an instance's maintenance is set with: it names the drain, and the prefix that remembers it.
pub fn mark(drain: &Drain, prefix: &str) -> String {
    let mark = format!("{BEFORE}{} in {prefix})", drain.id);
    match drain.reason.as_str() {
        "" => mark,
        reason => format!("{mark}: {reason}"),
    }
}

/// The drain that a reason is of, if it was written down below this prefix.
fn marked<'a>(reason: &'a str, prefix: &str) -> Option<&'a str> {
    let (id, rest) = reason.strip_prefix(BEFORE)?.split_once(" in ")?;
    let rest = rest.strip_prefix(prefix)?.strip_prefix(')')?;
    let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_hexdigit());
    (is_id && (rest.is_empty() || rest.starts_with(": "))).then_some(id)
}

/// The instances in maintenance, each once.
fn suspects(watched: Vec<Watched>) -> Vec<(ServiceKey, Instance)> {
    let mut known = BTreeSet::new();
    let mut suspects = Vec::new();
    for one in watched {
        let service = one.service.plain();
        for instance in one.instances.iter().flat_map(|all| all.iter()) {
            let (id, address, port) = drain::identity(instance);
            if instance.status == Status::Maintenance
                && known.insert((service.clone(), id.to_owned(), address, port))
            {
                suspects.push((service.clone(), instance.clone()));
            }
        }
    }
    suspects
}

/// Searches for as long as it is asked to.
pub async fn run(drainer: Arc<Drainer>) {
    sleep(FIRST.mul_f64(fastrand::f64() + 0.5)).await;
    loop {
        if let Err(refusal) = drainer.search().await {
            tracing::debug!(%refusal, "forgotten maintenance cannot be searched now");
        }
        sleep(AGAIN.mul_f64(fastrand::f64() + 0.5)).await;
    }
}

impl Drainer {
    async fn search(&self) -> Result<(), DrainError> {
        let Some(agents) = &self.agents else {
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        let asked = self.questions.send(Question::Services(answer)).await;
        let stopping = || DrainError::Unavailable("chancery is shutting down".to_owned());
        asked.map_err(|_| stopping())?;
        let suspects = suspects(answered.await.map_err(|_| stopping())?);
        if suspects.is_empty() {
            return Ok(());
        }
        let own = agents.own_nodes().await;
        let mut by_agent: BTreeMap<String, Vec<(ServiceKey, Instance)>> = BTreeMap::new();
        for (service, instance) in suspects {
            if let Ok(agent) = agent::of(agents, &own, &instance) {
                let at_agent = by_agent.entry(agent.url).or_default();
                at_agent.push((service, instance));
            }
        }
        // Others another time: which ones are first is left to chance.
        let mut all: Vec<_> = by_agent.into_iter().collect();
        fastrand::shuffle(&mut all);
        all.truncate(AGENTS);
        let found = stream::iter(all)
            .map(async |(url, suspects)| {
                let reasons = agents.in_maintenance(&url).await.unwrap_or_default();
                let of_agent = suspects.into_iter().filter_map(|(service, instance)| {
                    let reason = reasons.get(&*instance.service_id)?;
                    let id = marked(reason, self.ledger.prefix())?.to_owned();
                    Some(forgotten(id, url.clone(), service, &instance))
                });
                of_agent.collect::<Vec<_>>()
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for drain in found.into_iter().flatten() {
            self.undo_forgotten(&drain).await?;
        }
        Ok(())
    }

    /// Undoes it by an entry of its own, so that nobody drains the instance meanwhile; unless there is an entry of it. There is
    /// one of every drain from before its agent is told until after it was told the opposite.
    async fn undo_forgotten(&self, drain: &Drain) -> Result<(), DrainError> {
        let view = self.view(true).await?;
        view.entries.are_understood()?;
        let taken = view.entries.taken(&drain.of);
        if taken.contains(&drain.identity()) {
            return Ok(());
        }
        let began = Instant::now();
        let written = ledger::Entry {
            key: entry::key(drain),
            text: entry::text(drain)?,
            seen: view.seen(&drain.of),
        };
        // Somebody else was first: what is left then is found the next time.
        let lease = self.ledger.lease().await?;
        let begun = self.ledger.begin(vec![written], lease).await?;
        let Some(claim) = begun.and_then(|mut claims| claims.pop()) else {
            return Ok(());
        };
        let mut deed = Deed::new(&self.trail, "repair", &self.replica, "");
        deed.is_about(drain);
        warn!(
            drain = %drain.id,
            service = %drain.of,
            instance = %drain.instance,
            "an instance was in maintenance by a drain that etcd does not know any more: it is put back"
        );
        let undone = self.undo(drain, &claim, true).await;
        deed.step("registry", began, undone.as_ref().err());
        Ok(())
    }
}

/// The drain, as far as it is still known.
fn forgotten(id: String, agent: String, service: ServiceKey, instance: &Instance) -> Drain {
    Drain {
        id: id.into(),
        with: None,
        of: Of::Service(service),
        instance: instance.id.clone(),
        address: instance.address,
        port: instance.port,
        node: instance.node.to_string(),
        agent: Some(agent),
        mode: Mode::default(),
        reason: String::new(),
        by: String::new(),
        from: String::new(),
        created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        ttl: 0,
    }
}

#[cfg(test)]
mod tests;
