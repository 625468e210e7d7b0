//! What secret managers are asked for the documents, and what follows from their answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::Control;
use crate::model::{Asked, SecretName, Standing, Verdict};
use crate::telemetry::Source;

/// The secret managers that documents name.
#[derive(Debug)]
pub struct Managers {
    asked: watch::Sender<Arc<Asked>>,
    source: Source,
    /// What they had answered to an earlier process; nothing where no state was saved.
    saved: Option<BTreeSet<SecretName>>,
}

impl Managers {
    pub fn new(
        asked: watch::Sender<Arc<Asked>>,
        source: Source,
        saved: Option<BTreeSet<SecretName>>,
    ) -> Self {
        Self {
            asked,
            source,
            saved,
        }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }
}

impl Control {
    /// Documents name others than before.
    pub(super) fn ask_managers(&mut self, asked: &Arc<Asked>) {
        let names = asked.keys().cloned().collect();
        self.documents.reader().lookup().answers().keep(&names);
        self.managers.asked.send_replace(asked.clone());
        self.await_managers();
    }

    /// Takes what managers say.
    pub(super) fn handle_secrets(&mut self, told: Vec<(SecretName, Verdict)>, now: Instant) {
        for (name, verdict) in &told {
            if !matches!(verdict, Verdict::Denied(_)) {
                self.readiness.handle_manager(&name.manager, now);
            }
        }
        self.documents.answer(told);
        self.await_managers();
        self.unsaved = true;
    }

    /// Documents that nobody has answered for yet may be with proxies already: all of them where nothing was saved, else those
    /// that had an answer.
    fn await_managers(&mut self) {
        let known = self.documents.reader().lookup().answers();
        let asked = self.managers.asked.borrow().clone();
        let was_known = |name: &SecretName| {
            let saved = self.managers.saved.as_ref();
            saved.map(|saved| saved.contains(name))
        };
        let awaited = asked.keys().filter(|name| match known.standing(name) {
            Standing::Unanswered => was_known(name) != Some(false),
            // Who is not let in any more has not been told that there is nothing.
            Standing::Denied => was_known(name) == Some(true),
            Standing::Known => false,
        });
        let managers = awaited.map(|name| name.manager.clone()).collect();
        self.readiness.handle_unanswered(managers);
    }
}
