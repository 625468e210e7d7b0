//! Putting an instance back: the document goes first, then the registry is told, then the journal forgets it.

use tokio::time::Instant;

use crate::model::drain::Drain;
use crate::registry::Failure;
use crate::store::ledger::{self, Claim};

use super::audit::Deed;
use super::entry;
use super::{ATTEMPTS, Caller, DrainError, Drainer, Lifted, apart, forgotten};

impl Drainer {
    /// Ends a drain. Goes on when the caller does not wait for it.
    pub async fn undrain(
        self: &std::sync::Arc<Self>,
        id: String,
        caller: Caller,
    ) -> Result<Lifted, DrainError> {
        let drainer = self.clone();
        apart(async move { drainer.try_undrain(&id, &caller).await }).await
    }

    async fn try_undrain(&self, id: &str, caller: &Caller) -> Result<Lifted, DrainError> {
        let mut began = Instant::now();
        let new = || Deed::new(&self.trail, "undrain", &caller.name, &caller.from);
        let refused = |refusal: DrainError| {
            let mut deed = new();
            deed.drain = id.into();
            deed.step("document", began, Some(&refusal));
            refusal
        };
        let together = self.together(id).await.map_err(refused)?;
        let (mut drains, mut pending, mut failed) = (Vec::new(), Vec::new(), None);
        for (key, drain) in together {
            let mut deed = new();
            deed.is_about(&drain);
            let claim = match self.ledger.lift(&key, &drain.id).await {
                Ok(Some(claim)) => claim,
                // Of those that it was taken out with, one may have ended by itself.
                Ok(None) if *drain.id != *id => continue,
                Ok(None) => {
                    let refusal = DrainError::Conflict(format!(
                        "drain {id} is being put in force or undone at this moment: try again"
                    ));
                    deed.step("document", began, Some(&refusal));
                    return Err(refusal);
                }
                Err(away) => {
                    deed.step("document", began, Some(&away));
                    failed = Some(DrainError::Unavailable(format!(
                        "{away}; drain {} is still in force: try again with its id",
                        drain.id
                    )));
                    break;
                }
            };
            deed.step("document", began, None::<&DrainError>);
            began = Instant::now();
            let undone = self.undo(&drain, &claim, true).await;
            deed.step("registry", began, undone.as_ref().err());
            pending.extend(undone.err());
            drains.push(drain);
        }
        match failed {
            Some(refusal) => Err(refusal),
            None => Ok(Lifted {
                drains,
                pending: (!pending.is_empty()).then(|| pending.join("; ")),
            }),
        }
    }

    /// A drain, and behind it those that were taken out together with it; each with the key of its entry.
    async fn together(&self, id: &str) -> Result<Vec<(String, Drain)>, DrainError> {
        // As it is now: another replica may have told an agent meanwhile.
        let view = self.view(true).await?;
        let entries = &view.entries;
        let Some((_, drain)) = entries.find(id) else {
            entries.are_understood()?;
            return Err(DrainError::Unknown(format!(
                "there is no drain `{}`",
                id.escape_debug()
            )));
        };
        let theirs = entries
            .keyed()
            .filter(|(_, it)| it.order() == drain.order());
        let mut all: Vec<_> = theirs
            .map(|(key, it)| (key.to_owned(), it.clone()))
            .collect();
        all.sort_by_key(|(_, it)| (*it.id != *id, it.of.clone()));
        Ok(all)
    }

    /// Tells the registry that the instance is back, if it may have been told of the drain, and forgets the entry. What
    /// fails is left to whoever comes next.
    pub(super) async fn undo(
        &self,
        drain: &Drain,
        claim: &Claim,
        told: bool,
    ) -> Result<(), String> {
        let undone = if told {
            self.tell_registry_or_forget(drain).await.map_err(in_words)
        } else {
            Ok(())
        };
        let noted = if undone.is_ok() {
            self.ledger.strike(claim).await
        } else {
            self.ledger.release(claim).await
        };
        undone.and(noted.map_err(|away| away.to_string()))
    }

    /// Undoes a drain whose entry was struck before the registry was told: another replica took it for abandoned, while
    /// this one stood still.
    pub(super) async fn put_back(&self, drain: &Drain) -> Result<(), String> {
        let key = entry::key(drain);
        for _ in 0..ATTEMPTS {
            let journal = self.ledger.journal().await.map_err(in_words)?;
            // It will be undone by its entry, be that of this drain or of a later one.
            if journal.entries.contains_key(&*key) {
                return Ok(());
            }
            let text = entry::text(drain).map_err(in_words)?;
            let lease = self.ledger.lease().await.map_err(in_words)?;
            let written = ledger::Entry {
                key: key.clone(),
                text,
                seen: journal.revision,
            };
            let begun = self.ledger.begin(vec![written], lease).await;
            let claims = begun.map_err(in_words)?;
            if let Some(claim) = claims.and_then(|mut claims| claims.pop()) {
                return self.undo(drain, &claim, true).await;
            }
        }
        Err("other replicas drain too much at the same time".to_owned())
    }

    /// Tells the registry that an instance is back. Nobody needs to be told of a node that the registry has forgotten.
    async fn tell_registry_or_forget(&self, drain: &Drain) -> Result<(), Failure> {
        let told = self.tell_registry(drain, false).await;
        match &self.agents {
            Some(agents) if told.is_err() && agents.is_forgotten(&drain.node).await => Ok(()),
            _ => told,
        }
    }

    /// Tells the registry that an instance is drained, or no longer.
    pub(super) async fn tell_registry(&self, drain: &Drain, drained: bool) -> Result<(), Failure> {
        let Some(agent) = &drain.agent else {
            return Ok(());
        };
        let Some(agents) = &self.agents else {
            return Err(Failure::unreached(
                "this replica has no Consul: another one has to tell it".to_owned(),
            ));
        };
        let service = super::agent::service_id(drain);
        let reason = drained.then(|| forgotten::mark(drain, self.ledger.prefix()));
        agents.maintain(agent, service, reason.as_deref()).await
    }
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
