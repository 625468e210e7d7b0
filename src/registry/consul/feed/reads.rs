//! Which services are to be read, and when: whose state is not what Consul has. Time is an argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::super::client::Response;
use super::super::error::Error;
use super::super::poll::{Known, News};
use super::super::written::{Registrations, Written};
use crate::model::ServiceKey;

/// How soon a service whose read failed is read again.
pub const READ_AGAIN: Duration = Duration::from_secs(1);

/// How what is known of a service compares to Consul.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fresh,
    /// To be read.
    Stale,
    Reading,
    /// Being read, and changed since that began.
    ReadingStale,
}

#[derive(Debug)]
struct Read {
    known: Known,
    state: State,
    /// What nodes said of it, and what was read of it, when these differed last.
    differed: Option<(Written, Option<Written>)>,
}

/// All services of a feed.
#[derive(Debug, Default)]
pub struct Reads {
    entries: BTreeMap<ServiceKey, Read>,
    /// Stale services, in the order in which they are read.
    queue: VecDeque<ServiceKey>,
    /// Stale services whose read failed, and when they are read again.
    later: BTreeSet<(Instant, ServiceKey)>,
    /// Services whose last read failed.
    failing: BTreeSet<ServiceKey>,
    /// Services that became fresh or stale.
    turned: BTreeSet<ServiceKey>,
}

impl Reads {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Those that became as they were answered, or no longer are, since this was asked last; and whether they are now.
    pub fn poll_turned(&mut self) -> Vec<(ServiceKey, bool)> {
        let turned = std::mem::take(&mut self.turned);
        let with_state = turned.into_iter().filter_map(|service| {
            let is_fresh = self.entries.get(&service)?.state == State::Fresh;
            Some((service, is_fresh))
        });
        with_state.collect()
    }

    /// Whether no service's last read failed.
    pub fn is_well(&self) -> bool {
        self.failing.is_empty()
    }

    /// These services, and no others.
    pub fn handle_wanted(&mut self, services: BTreeSet<ServiceKey>) {
        self.entries.retain(|service, _| services.contains(service));
        self.later.retain(|(_, service)| services.contains(service));
        self.failing.retain(|service| services.contains(service));
        for service in services {
            if !self.entries.contains_key(&service) {
                let entry = Read {
                    known: Known::default(),
                    state: State::Stale,
                    differed: None,
                };
                self.queue.push_back(service.clone());
                self.entries.insert(service, entry);
            }
        }
    }

    /// A service changed, if it is one of these.
    pub fn touch(&mut self, service: &ServiceKey) {
        if let Some(entry) = self.entries.get_mut(service) {
            entry.touch(service, &mut self.queue, &mut self.turned);
        }
    }

    /// Takes what all nodes have: a service changed if that differs from what was read of it.
    pub fn handle_registrations(&mut self, registrations: &Registrations) {
        for (service, entry) in &mut self.entries {
            let now = registrations.get(&*service.name).copied();
            if entry.differs_anew(now.unwrap_or_default()) {
                entry.touch(service, &mut self.queue, &mut self.turned);
            }
        }
    }

    /// Every service may have changed.
    pub fn touch_all(&mut self) {
        for (service, entry) in &mut self.entries {
            entry.touch(service, &mut self.queue, &mut self.turned);
        }
    }

    /// Something was said of a node: that holds for whoever is on it.
    pub fn touch_node(&mut self, node: &str) {
        for (service, entry) in &mut self.entries {
            if entry.known.is_on(node) {
                entry.touch(service, &mut self.queue, &mut self.turned);
            }
        }
    }

    /// When the next failed read is to be tried again.
    pub fn due(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// Failed reads whose time has come are to be tried again.
    pub fn handle_time(&mut self, now: Instant) {
        while self.later.first().is_some_and(|(at, _)| *at <= now) {
            let due = self.later.pop_first();
            self.queue.extend(due.map(|(_, service)| service));
        }
    }

    /// The next service to read, which counts as being read from here on.
    pub fn poll_next(&mut self) -> Option<ServiceKey> {
        loop {
            let service = self.queue.pop_front()?;
            if let Some(entry) = self.entries.get_mut(&service)
                && entry.state == State::Stale
            {
                entry.state = State::Reading;
                return Some(service);
            }
        }
    }

    /// Takes what a read brought; nothing comes of it where nobody wants the service any more.
    pub fn handle_read(
        &mut self,
        service: &ServiceKey,
        result: Result<Response, Error>,
        now: Instant,
    ) -> Option<Result<News, Error>> {
        let entry = self.entries.get_mut(service)?;
        entry.known.forget_index();
        let read = result.and_then(|response| entry.known.handle_response(service, &response));
        let again = entry.state == State::ReadingStale;
        entry.state = match (&read, again) {
            (Ok(_), false) => {
                self.turned.insert(service.clone());
                State::Fresh
            }
            _ => State::Stale,
        };
        if read.is_err() {
            self.failing.insert(service.clone());
            self.later.insert((now + READ_AGAIN, service.clone()));
        } else {
            self.failing.remove(service);
            self.queue.extend(again.then(|| service.clone()));
        }
        Some(read)
    }
}

impl Read {
    /// Whether what nodes say now is not what was read. Where they differ as they did before, it was read since, and nodes do not
    /// tell all of it.
    fn differs_anew(&mut self, now: Written) -> bool {
        let differ = Some((now, self.known.written())).filter(|(now, read)| *read != Some(*now));
        let before = std::mem::replace(&mut self.differed, differ);
        differ.is_some() && differ != before
    }

    fn touch(
        &mut self,
        service: &ServiceKey,
        queue: &mut VecDeque<ServiceKey>,
        turned: &mut BTreeSet<ServiceKey>,
    ) {
        self.state = match self.state {
            State::Fresh => {
                turned.insert(service.clone());
                queue.push_back(service.clone());
                State::Stale
            }
            State::Reading => State::ReadingStale,
            state => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Discovery;

    #[test]
    fn what_is_told_of_freshness_is_what_turned() {
        let service = |n: usize| ServiceKey::new(Discovery::Consul, format!("s{n}"));
        let mut reads = Reads::default();
        reads.handle_wanted((0..100).map(service).collect());
        assert_eq!(reads.poll_turned(), []);
        let response = || Response {
            index: 7,
            body: b"[]".to_vec().into(),
            filtered: false,
        };
        while let Some(next) = reads.poll_next() {
            let read = reads.handle_read(&next, Ok(response()), Instant::now());
            assert!(read.unwrap().is_ok());
        }
        let turned = reads.poll_turned();
        assert!(turned.len() == 100 && turned.iter().all(|(_, fresh)| *fresh));
        assert_eq!(
            reads.poll_turned(),
            [],
            "a list that says the same costs nothing"
        );
        reads.touch(&service(3));
        assert_eq!(reads.poll_turned(), [(service(3), false)]);
    }

    #[test]
    fn what_nodes_have_is_compared_to_what_was_read() {
        let service = ServiceKey::new(Discovery::Consul, "s");
        let at = |written| Written::of("n", 2, "s-1", written);
        let nodes = |written: u64| Registrations::from([("s".into(), at(written))]);
        let response = |written: u64| {
            let node = serde_json::json!({"Node": "n", "Address": "10.0.0.1", "ModifyIndex": 2});
            let instance = serde_json::json!({"ID": "s-1", "Port": 1, "ModifyIndex": written});
            let body = serde_json::json!([{"Node": node, "Service": instance}]);
            Ok(Response {
                index: written,
                body: body.to_string().into_bytes().into(),
                filtered: false,
            })
        };
        let mut reads = Reads::default();
        let now = Instant::now();
        reads.handle_wanted([service.clone()].into());
        assert_eq!(reads.poll_next().as_ref(), Some(&service));
        // It is not known whether the read, which goes on, will tell that.
        reads.handle_registrations(&nodes(3));
        reads.handle_read(&service, response(3), now);
        assert_eq!(reads.poll_next().as_ref(), Some(&service));
        reads.handle_read(&service, response(3), now);
        reads.handle_registrations(&nodes(3));
        assert_eq!(reads.poll_next(), None);
        // Nodes that tell something else for good, as of one that cannot be read, are not heeded for good.
        for expected in [Some(&service), None] {
            reads.handle_registrations(&Registrations::new());
            let next = reads.poll_next();
            assert_eq!(next.as_ref(), expected);
            next.map(|next| reads.handle_read(&next, response(3), now));
        }
        reads.handle_registrations(&nodes(3));
        assert_eq!(reads.poll_next(), None);
        reads.handle_registrations(&Registrations::new());
        assert_eq!(reads.poll_next(), Some(service), "it is gone anew");
    }
}
