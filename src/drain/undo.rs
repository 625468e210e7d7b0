//! Putting an instance back: the document goes first, then the registry is told, then the journal forgets it.

use tokio::time::Instant;

use crate::model::drain::Drain;
use crate::registry::Failure;
use crate::store::ledger::Claim;

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
        let began = Instant::now();
        let mut deed = Deed::new(&self.trail, "undrain", &caller.name, &caller.from);
        deed.drain = id.into();
        let lifted = self.lift(id, &mut deed).await;
        deed.step("document", began, lifted.as_ref().err());
        let (drain, claim) = lifted?;
        let began = Instant::now();
        let pending = self.undo(&drain, &claim, true).await.err();
        deed.step("registry", began, pending.as_ref());
        Ok(Lifted { drain, pending })
    }

    async fn lift(&self, id: &str, deed: &mut Deed<'_>) -> Result<(Drain, Claim), DrainError> {
        // As it is now: another replica may have told an agent meanwhile.
        let view = self.view(true).await?;
        let entries = &view.entries;
        let Some((key, drain)) = entries.find(id) else {
            entries.are_understood()?;
            return Err(DrainError::Unknown(format!(
                "there is no drain `{}`",
                id.escape_debug()
            )));
        };
        deed.is_about(drain);
        match self.ledger.lift(key, id).await? {
            Some(claim) => Ok((drain.clone(), claim)),
            None => Err(DrainError::Conflict(format!(
                "drain {id} is being put in force or undone at this moment: try again"
            ))),
        }
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
            let begun = self.ledger.begin(&key, text, journal.revision, lease).await;
            if let Some(claim) = begun.map_err(in_words)? {
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
