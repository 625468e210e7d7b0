//! What is still of the saved state, until the sources themselves have said it. Says when it is served, how old it is and
//! when it no longer is.

use std::collections::HashMap;
use std::time::SystemTime;

use tracing::{info, warn};

use crate::model::{Discovery, ServiceKey};
use crate::state::{Answered, Saved};
use crate::telemetry::Source;

/// What is still of the saved state.
#[derive(Debug)]
pub struct Restored {
    store: Source,
    registries: HashMap<Discovery, Source>,
    /// The revision of the documents, and when they were so.
    documents: Option<(i64, SystemTime)>,
    /// Services that have not been answered since, and when they were so.
    services: HashMap<ServiceKey, SystemTime>,
    /// Whether it was published.
    served: bool,
}

impl Restored {
    /// All of `saved`, if there is one.
    pub fn new(
        store: Source,
        registries: HashMap<Discovery, Source>,
        saved: Option<&Saved>,
    ) -> Self {
        let documents = saved.map(|saved| (saved.revision, saved.as_of));
        let answers = saved.into_iter().flat_map(|saved| &saved.answers);
        let service = |of: &Answered| (of.answer.service.clone(), of.as_of);
        Self {
            store,
            registries,
            documents,
            services: answers.map(service).collect(),
            served: false,
        }
    }

    pub fn store(&self) -> &Source {
        &self.store
    }

    pub fn registry(&self, discovery: Discovery) -> Option<&Source> {
        self.registries.get(&discovery)
    }

    /// The store and the registries.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.store).chain(self.registries.values())
    }

    /// Whether there is a state, and the store has not answered yet.
    pub fn holds_documents(&self) -> bool {
        self.documents.is_some()
    }

    pub fn documents_as_of(&self) -> SystemTime {
        self.documents
            .map_or_else(|| self.store.as_of(), |(_, as_of)| as_of)
    }

    pub fn service_as_of(&self, service: &ServiceKey) -> SystemTime {
        let source = || self.registries.get(&service.discovery);
        let saved = self.services.get(service).copied();
        saved
            .or_else(|| source().map(Source::as_of))
            .unwrap_or_else(SystemTime::now)
    }

    /// What there is now is published.
    pub fn handle_published(&mut self) {
        if std::mem::replace(&mut self.served, true) {
            return;
        }
        if let Some((_, as_of)) = self.documents {
            self.store.replaced_by_saved(Some(as_of));
            warn!(
                source = self.store.name(),
                age_seconds = age(as_of),
                "serving saved documents: the source has not answered yet"
            );
        }
        for (discovery, source) in &self.registries {
            let of = |service: &&ServiceKey| service.discovery == *discovery;
            let services = self.services.keys().filter(of).count();
            let saved = self.services.iter().filter(|(service, _)| of(service));
            let Some(as_of) = saved.map(|(_, as_of)| *as_of).min() else {
                continue;
            };
            source.replaced_by_saved(Some(as_of));
            warn!(
                source = source.name(),
                services,
                age_seconds = age(as_of),
                "serving saved instances: the source has not answered for these services yet"
            );
        }
    }

    /// The store said which documents there are at `revision`; whether it is believed that there are no others.
    pub fn handle_listed(&mut self, revision: i64, is_believed: bool) {
        let Some((saved, _)) = self.documents.take() else {
            return;
        };
        if revision < saved && is_believed {
            warn!(
                source = self.store.name(),
                revision,
                saved,
                "the store is behind the saved state (restored from a copy, or another one): what it says now is in force"
            );
        }
        if self.served {
            self.store.replaced_by_saved(None);
            info!(
                source = self.store.name(),
                revision, saved, "saved documents are replaced by what the source says now"
            );
        }
    }

    /// The service was answered, or is not wanted any more.
    pub fn handle_known(&mut self, service: &ServiceKey) {
        let of = |other: &ServiceKey| other.discovery == service.discovery;
        if self.services.remove(service).is_none() || self.services.keys().any(of) {
            return;
        }
        if let Some(source) = self.registries.get(&service.discovery)
            && self.served
        {
            source.replaced_by_saved(None);
            info!(
                source = source.name(),
                "saved instances are replaced by what the source says now"
            );
        }
    }
}

/// Whole seconds since then.
fn age(as_of: SystemTime) -> u64 {
    as_of.elapsed().unwrap_or_default().as_secs()
}
