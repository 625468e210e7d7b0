//! Whether enough is known to publish for the first time. Unknown is not empty: a route left out because its service had
//! not answered yet would be a 404 to the clients of a proxy that has been serving it all along. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::model::{Discovery, ServiceKey};

/// How long services that do not answer may hold up those that do, once their registry has answered for another.
const STRAGGLERS: Duration = Duration::from_secs(10);
/// How long to wait for earlier forms of bad documents, after the last one that came.
const EARLIER: Duration = Duration::from_secs(5);

/// How long the sources may take before saved state is served in their place: where they are there, a proxy that has
/// newer configuration is not sent back to what was saved.
const PATIENCE: Duration = Duration::from_secs(2);

/// The registry of a service, and whether its instances were saved.
type Kind = (Discovery, bool);

/// What the first publication still waits for.
#[derive(Debug, Default)]
pub struct Readiness {
    open: bool,
    listed: Option<Instant>,
    /// Documents whose earlier form is wanted, asked for or not yet.
    earlier: BTreeSet<Arc<str>>,
    /// When the store last told of one.
    recalled: Option<Instant>,
    /// Those of a kind are waited for equally long: looked at by kinds, as there may be thousands.
    unanswered: BTreeMap<Kind, BTreeSet<ServiceKey>>,
    /// Services whose instances were saved, and until when the sources are waited for instead.
    saved: Option<(BTreeSet<ServiceKey>, Instant)>,
    /// Registries that have answered something, and when they did first.
    answering: Vec<(Discovery, Instant)>,
    /// Others that have not answered all that they were asked: secret managers, by their documents' paths.
    silent: BTreeSet<Arc<str>>,
    /// Those of them that have answered something, and when they did first.
    telling: BTreeMap<Arc<str>, Instant>,
}

impl Readiness {
    /// Whether the first publication may be, or has been.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When the wait ends at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let silent = self.silent.iter();
        let silent = silent.map(|of| {
            let since = self.telling.get(of)?;
            Some(*since + STRAGGLERS)
        });
        let silent = silent.collect::<Option<Vec<_>>>()?.into_iter().max();
        let Some(listed) = self.listed else {
            let saved = self.saved.as_ref().map(|(_, until)| *until);
            return saved.map(|until| silent.map_or(until, |latest| latest.max(until)));
        };
        // A store that goes on answering is waited for, however many there are.
        let since = self.recalled.max(Some(listed)).unwrap_or(listed);
        let earlier = (!self.earlier.is_empty()).then(|| since + EARLIER);
        let unanswered = self.unanswered.iter();
        let stragglers = unanswered
            .filter(|(_, services)| !services.is_empty())
            .map(|(kind, _)| self.straggler(*kind));
        let latest = stragglers.collect::<Option<Vec<_>>>()?.into_iter().max();
        Some(earlier.max(latest).max(silent).unwrap_or(listed))
    }

    /// Documents and the instances of these services are known from before.
    pub fn handle_restored(&mut self, services: BTreeSet<ServiceKey>, now: Instant) {
        self.saved = Some((services, now + PATIENCE));
        let unanswered = std::mem::take(&mut self.unanswered);
        for service in unanswered.into_values().flatten() {
            self.handle_wanted(service);
        }
    }

    /// The documents are known.
    pub fn handle_listed(&mut self, now: Instant) {
        self.listed.get_or_insert(now);
    }

    /// An earlier form is wanted.
    pub fn handle_wanted_earlier(&mut self, path: Arc<str>) {
        if !self.open {
            self.earlier.insert(path);
        }
    }

    /// An earlier form was answered.
    pub fn handle_earlier(&mut self, path: &str, now: Instant) {
        if self.earlier.remove(path) {
            self.recalled = Some(now);
        }
    }

    /// A document names a service.
    pub fn handle_wanted(&mut self, service: ServiceKey) {
        if !self.open {
            let kind = self.kind(&service);
            self.unanswered.entry(kind).or_default().insert(service);
        }
    }

    /// No document names a service any more.
    pub fn handle_unwanted(&mut self, service: &ServiceKey) {
        let kind = self.kind(service);
        if let Some(services) = self.unanswered.get_mut(&kind) {
            services.remove(service);
        }
    }

    pub fn handle_answer(&mut self, service: &ServiceKey, now: Instant) {
        self.handle_unwanted(service);
        if self
            .answering
            .iter()
            .all(|(discovery, _)| *discovery != service.discovery)
        {
            self.answering.push((service.discovery, now));
        }
    }

    /// These have not answered all that they were asked. Which documents proxies have is not known, so they are
    /// waited for as a registry is: without end, as long as one has not answered at all.
    pub fn handle_unanswered(&mut self, silent: BTreeSet<Arc<str>>) {
        if self.open {
            return;
        }
        for asked in silent.difference(&self.silent) {
            if !self.telling.contains_key(asked) {
                info!(%asked, "documents wait for an answer: nothing is published before it comes, or is not asked for any more");
            }
        }
        self.silent = silent;
    }

    /// One that is asked has said something.
    pub fn handle_told(&mut self, of: &Arc<str>, now: Instant) {
        if !self.open {
            self.telling.entry(of.clone()).or_insert(now);
        }
    }

    /// Opens once nothing is left to wait for, and stays open.
    pub fn check(&mut self, now: Instant) -> bool {
        if self.open {
            return true;
        }
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        let unknown = self.unanswered.iter();
        let unknown = unknown.filter(|((_, is_saved), _)| !is_saved);
        for service in unknown.flat_map(|(_, services)| services) {
            warn!(%service, "service has not answered yet: routes to it wait, the others are served");
        }
        for asked in &self.silent {
            warn!(%asked, "not all that was asked is answered: documents with it wait, the others are served");
        }
        self.open = true;
        self.silent.clear();
        self.unanswered.clear();
        self.saved = None;
        true
    }

    /// Until when services of a kind are waited for: without end, as long as their registry has not answered at all and nothing of
    /// them was saved.
    fn straggler(&self, (registry, is_saved): Kind) -> Option<Instant> {
        let answering = self
            .answering
            .iter()
            .find(|(discovery, _)| *discovery == registry);
        let late = answering.map(|(_, since)| *since + STRAGGLERS);
        let saved = self.saved.as_ref().filter(|_| is_saved);
        let saved = saved.map(|(_, until)| *until);
        [late, saved].into_iter().flatten().min()
    }

    fn kind(&self, service: &ServiceKey) -> Kind {
        let saved = self.saved.as_ref();
        let is_saved = saved.is_some_and(|(services, _)| services.contains(service));
        (service.discovery, is_saved)
    }
}

#[cfg(test)]
mod tests;
