//! What others are asked for the documents, and what follows from their answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::Control;
use crate::model::{Asked, SecretName, Standing, Subject, Verdict};
use crate::telemetry::Source;

/// Whom documents have asked.
#[derive(Debug)]
pub struct Outside {
    asked: watch::Sender<Arc<Asked>>,
    managers: Source,
    providers: Source,
    /// What managers had answered to an earlier process; nothing where no state was saved.
    saved: Option<BTreeSet<SecretName>>,
}

impl Outside {
    pub fn new(
        asked: watch::Sender<Arc<Asked>>,
        [managers, providers]: [Source; 2],
        saved: Option<BTreeSet<SecretName>>,
    ) -> Self {
        Self {
            asked,
            managers,
            providers,
            saved,
        }
    }

    /// Who has told this.
    pub fn source(&self, told: &[(Subject, Verdict)]) -> Option<&Source> {
        told.first().map(|(subject, _)| match subject {
            Subject::Secret(_) => &self.managers,
            Subject::Provider(_) => &self.providers,
        })
    }

    /// Whether there was an answer before; nothing where nobody knows.
    fn was_known(&self, subject: &Subject) -> Option<bool> {
        let saved = self.saved.as_ref()?;
        Some(match subject {
            Subject::Secret(name) => saved.contains(name),
            // What one had said is saved itself, and known then.
            Subject::Provider(_) => false,
        })
    }
}

impl Control {
    /// Documents name others than before.
    pub(super) fn ask(&mut self, asked: &Arc<Asked>) {
        let subjects = asked.subjects().collect();
        self.documents.reader().lookup().answers().keep(&subjects);
        self.outside.asked.send_replace(asked.clone());
        self.await_answers();
    }

    /// Takes what others say.
    pub(super) fn handle_outside(&mut self, told: Vec<(Subject, Verdict)>, now: Instant) {
        for (subject, verdict) in &told {
            if !matches!(verdict, Verdict::Denied(_)) {
                self.readiness.handle_told(subject.of(), now);
            }
        }
        self.documents.answer(told);
        self.await_answers();
        self.unsaved = true;
    }

    /// Documents that nobody has answered for yet may be with proxies already: all of them where nothing was saved, else those
    /// that had an answer.
    fn await_answers(&mut self) {
        let known = self.documents.reader().lookup().answers();
        let asked = self.outside.asked.borrow().clone();
        let awaited = asked
            .subjects()
            .filter(|subject| match known.standing(subject) {
                Standing::Unanswered => self.outside.was_known(subject) != Some(false),
                // Who is not let in any more has not been told that there is nothing.
                Standing::Denied => self.outside.was_known(subject) == Some(true),
                Standing::Known => false,
            });
        let silent = awaited.map(|subject| subject.of().clone()).collect();
        self.readiness.handle_unanswered(silent);
    }
}
