//! Whether enough is known to publish for the first time. Unknown is not empty: a route left out because its service had
//! not answered yet would be a 404 to the clients of a proxy that has been serving it all along. Pure: time is an argument.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::model::{Discovery, ServiceKey};

/// How long services that do not answer may hold up those that do, once their registry has answered for another.
const STRAGGLERS: Duration = Duration::from_secs(10);
/// How long to wait for earlier forms of bad documents, after the last one that came.
const EARLIER: Duration = Duration::from_secs(5);

/// How long the sources may take before saved state is served in their place: where they are there, a proxy that has
/// newer configuration is not sent back to what was saved.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the first publication still waits for.
#[derive(Debug, Default)]
pub struct Readiness {
    open: bool,
    listed: Option<Instant>,
    /// Documents whose earlier form is wanted, asked for or not yet.
    earlier: BTreeSet<Arc<str>>,
    /// When the store last told of one.
    recalled: Option<Instant>,
    unanswered: BTreeSet<ServiceKey>,
    /// Services whose instances were saved, and until when the sources are waited for instead.
    saved: Option<(BTreeSet<ServiceKey>, Instant)>,
    /// Registries that have answered something, and when they did first.
    answering: Vec<(Discovery, Instant)>,
}

impl Readiness {
    /// Whether the first publication may be, or has been.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// When the wait ends at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let Some(listed) = self.listed else {
            return self.saved.as_ref().map(|(_, until)| *until);
        };
        // A store that goes on answering is waited for, however many there are.
        let since = self.recalled.max(Some(listed)).unwrap_or(listed);
        let earlier = (!self.earlier.is_empty()).then(|| since + EARLIER);
        let stragglers = self
            .unanswered
            .iter()
            .map(|service| self.straggler(service));
        let latest = stragglers.collect::<Option<Vec<_>>>()?.into_iter().max();
        Some(earlier.max(latest).unwrap_or(listed))
    }

    /// Documents and the instances of these services are known from before.
    pub fn handle_restored(&mut self, services: BTreeSet<ServiceKey>, now: Instant) {
        self.saved = Some((services, now + PATIENCE));
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
            self.unanswered.insert(service);
        }
    }

    /// No document names a service any more.
    pub fn handle_unwanted(&mut self, service: &ServiceKey) {
        self.unanswered.remove(service);
    }

    pub fn handle_answer(&mut self, service: &ServiceKey, now: Instant) {
        self.unanswered.remove(service);
        if self
            .answering
            .iter()
            .all(|(discovery, _)| *discovery != service.discovery)
        {
            self.answering.push((service.discovery, now));
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
        let unknown = |service: &&ServiceKey| self.saved_until(service).is_none();
        for service in self.unanswered.iter().filter(unknown) {
            warn!(%service, "service has not answered yet: routes to it wait, the others are served");
        }
        self.open = true;
        self.unanswered.clear();
        self.saved = None;
        true
    }

    /// Until when a service is waited for: without end, as long as its registry has not answered at all and nothing of
    /// it was saved.
    fn straggler(&self, service: &ServiceKey) -> Option<Instant> {
        let answering = self
            .answering
            .iter()
            .find(|(discovery, _)| *discovery == service.discovery);
        let late = answering.map(|(_, since)| *since + STRAGGLERS);
        [late, self.saved_until(service)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Until when a service is waited for whose instances were saved.
    fn saved_until(&self, service: &ServiceKey) -> Option<Instant> {
        let (services, until) = self.saved.as_ref()?;
        services.contains(service).then_some(*until)
    }
}

#[cfg(test)]
mod tests;
