//! Between the loop and the saved state: what is taken from it at the start, and what is given to be saved.

use std::sync::Arc;
use std::time::Instant;

use super::Control;
use crate::build::{Acceptance, Inputs};
use crate::documents;
use crate::model::document::Change;
use crate::model::{Document, Drains, Id, Instance, ServiceKey, Subject, Verdict};
use crate::registry::Answer;
use crate::snapshot::{Resource, ResourceType};
use crate::state::{Answered, Kept, SaveRequest, Saved};

impl Control {
    /// Takes what an earlier process was told, until the sources say it themselves.
    pub(super) fn restore(&mut self, saved: Saved) {
        self.publication.reach(saved.revision);
        let (mut documents, mut newest) = (Vec::new(), Vec::new());
        for Kept { document, good } in saved.documents {
            if Drains::has_path(&document.path) {
                self.apply(Change::Put(document));
                continue;
            }
            match good {
                // A bad text after a good one, as they came.
                Some(good) => {
                    documents.push(good);
                    newest.push(Change::Put(document));
                }
                None => documents.push(document),
            }
        }
        for (provider, said) in saved.providers {
            let answers = self.documents.reader().lookup().answers();
            answers.take(Subject::Provider(provider), Verdict::Value(said));
        }
        self.documents.list(documents);
        for Answered { answer, .. } in saved.answers {
            self.services.handle_answer(answer, Instant::now());
        }
        self.settle();
        for known in &saved.acceptances {
            self.take_acceptance(known);
        }
        // What is bad, and what an earlier form had taken the place of, is tried on top of what was accepted.
        for change in newest {
            self.documents.apply(change);
        }
        self.settle();
        for service in self.services.forget_unwanted() {
            self.restored.handle_known(&service);
        }
        let services = self.services.instances().keys().cloned().collect();
        self.readiness.handle_restored(services, Instant::now());
    }

    /// The proxies of a cohort have accepted what they had when it was saved.
    fn take_acceptance(&mut self, known: &Acceptance) {
        let reader = self.documents.reader();
        let inputs = Inputs {
            revision: self.publication.settled.revision,
            instances: self.services.instances(),
            drains: &self.drains,
        };
        let remade = |id: &Id, texts| documents::remade(reader, texts, id);
        self.builders.restore(known, remade, &inputs);
    }

    /// Whether the store itself has said what there is, and enough is known to publish.
    pub(super) fn is_worth_saving(&self) -> bool {
        self.readiness.is_open() && !self.restored.holds_documents()
    }

    /// Whether it is the moment to save: what proxies accept is known of what is published.
    pub(super) fn is_to_be_saved(&self) -> bool {
        self.unsaved && !self.builders.are_touched() && self.is_worth_saving()
    }

    /// What proxies have accepted, without the forms in which there is what documents' references to secrets stand for, as a
    /// document is saved with the reference: after a restart nobody has accepted those.
    fn acceptances(&self) -> Vec<Acceptance> {
        let lookup = self.documents.reader().lookup();
        let mut acceptances: Vec<_> = self.builders.acceptances().collect();
        let resources = acceptances.iter_mut().flat_map(|one| &mut one.resources);
        for (of, _, unproven) in resources.filter(|_| !lookup.is_empty()) {
            // In these credentials stand in another writing.
            let is_made_of_secrets =
                matches!(of, ResourceType::Secret | ResourceType::ExtensionConfig);
            let has_secret =
                |form: &Arc<Resource>| lookup.is_in(&String::from_utf8_lossy(&form.value()));
            if is_made_of_secrets || unproven.good.as_ref().is_some_and(has_secret) {
                unproven.good = None;
            }
        }
        acceptances
    }

    /// Grants what is to be saved.
    pub(super) fn grant(&mut self, wish: SaveRequest) {
        let kept = |(document, good): (&Document, Option<&Document>)| Kept {
            document: document.clone(),
            good: good.cloned(),
        };
        let answered = |(service, instances): (&ServiceKey, &Arc<[Instance]>)| Answered {
            as_of: self.restored.service_as_of(service),
            answer: Answer::sorted(service.clone(), instances.clone()),
        };
        let drains = self.drains.texts().map(|document| (document, None));
        let saved = Saved {
            revision: self
                .missing
                .revision()
                .unwrap_or(self.publication.settled.revision),
            as_of: self.restored.documents_as_of(),
            documents: self.documents.texts().chain(drains).map(kept).collect(),
            answers: self.services.instances().iter().map(answered).collect(),
            acceptances: self.acceptances(),
            secrets: self.documents.reader().lookup().answers().known(),
            providers: self.documents.reader().lookup().answers().providers(),
        };
        // Whoever wished may have gone meanwhile: then there will be another wish, or no need.
        self.unsaved = wish.send(saved).is_err();
    }
}

#[cfg(test)]
mod tests;
