//! The services that documents name: what registries are to watch, and what they answered.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::sync::watch;
use tracing::warn;

use super::kept::{KeepLost, Kept, Turn};
use super::since::Since;
use crate::build::Instances;
use crate::documents::Changes;
use crate::model::{Discovery, Instance, ServiceKey};
use crate::registry::Answer;
use crate::registry::freshness::Freshness;
use crate::telemetry::shown;

/// The services that one registry is to watch.
pub type Wanted = Arc<BTreeSet<ServiceKey>>;

/// The services that documents name.
#[derive(Debug)]
pub struct Services {
    wanted: HashMap<Discovery, watch::Sender<Wanted>>,
    /// Those in force: as they were answered, but for what is kept.
    instances: Instances,
    kept: Kept,
    since: Since,
    freshness: Freshness,
}

impl Services {
    pub fn new(
        wanted: HashMap<Discovery, watch::Sender<Wanted>>,
        freshness: Freshness,
        keep_lost: KeepLost,
    ) -> Self {
        Self {
            wanted,
            instances: Instances::new(),
            kept: Kept::new(keep_lost),
            since: Since::default(),
            freshness,
        }
    }

    /// The instances of every service that has answered.
    pub fn instances(&self) -> &Instances {
        &self.instances
    }

    pub fn wanted(&self) -> Vec<ServiceKey> {
        let all = self.wanted.values();
        all.flat_map(|wanted| wanted.borrow().iter().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// When the registry last said that a service is as it was answered; nothing when it has not in this process's time.
    pub fn confirmed(&self, service: &ServiceKey) -> Option<SystemTime> {
        self.freshness.of(service)
    }

    /// The instances that stay though the registry took them away.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Since when instances have their status.
    pub fn since(&self) -> &Since {
        &self.since
    }

    /// Takes an answer. Tells whether others are in force than before, and whether any are kept or no longer are.
    pub fn handle_answer(&mut self, answer: Answer, now: Instant) -> (bool, Option<Turn>) {
        if let Some(found) = self.kept.misread(&answer) {
            warn!(
                service = %answer.service,
                found = shown(&found, 60),
                "chancery-keep-lost in the metadata of instances is no time up to 24h, such as 30s or 0: the setting counts"
            );
        }
        let before = self.instances.get(&answer.service);
        let known = before.map(|before| &**before).unwrap_or_default();
        let (in_force, turn) = self.kept.handle_answer(known, &answer, now);
        if before.is_some_and(|before| *before == in_force) {
            return (false, turn);
        }
        tracing::debug!(service = %answer.service, instances = answer.instances.len(), "service answered");
        self.put(answer.service, in_force);
        (true, turn)
    }

    /// These are in force from now on: since the registry last spoke.
    fn put(&mut self, service: ServiceKey, instances: Arc<[Instance]>) {
        if let (Some(before), Some(at)) =
            (self.instances.get(&service), self.freshness.of(&service))
        {
            self.since.note(&service, before, &instances, at);
        }
        self.instances.insert(service, instances);
    }

    /// Lets those go whose time is over. Tells of which services they were.
    pub fn handle_time(&mut self, now: Instant) -> Vec<ServiceKey> {
        let over = self.kept.handle_time(now).into_iter();
        over.map(|answer| {
            self.put(answer.service.clone(), answer.instances);
            answer.service
        })
        .collect()
    }

    /// Documents name others than before.
    pub fn handle_changes(&mut self, changes: &Changes) {
        for service in &changes.services_removed {
            self.instances.remove(service);
            self.since.forget(service);
            self.kept.forget(service);
        }
        for (discovery, wanted) in &self.wanted {
            let of = |service: &&ServiceKey| service.discovery == *discovery;
            let added: Vec<_> = changes.services_added.iter().filter(of).collect();
            let removed: Vec<_> = changes.services_removed.iter().filter(of).collect();
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            wanted.send_modify(|shared| {
                let services = Arc::make_mut(shared);
                for service in removed {
                    services.remove(service);
                }
                services.extend(added.into_iter().cloned());
            });
        }
    }

    /// Forgets what no document names, as no answer will ever come of it. Tells what that was.
    pub fn forget_unwanted(&mut self) -> Vec<ServiceKey> {
        let is_wanted = |service: &ServiceKey| {
            let wanted = self.wanted.get(&service.discovery);
            wanted.is_some_and(|wanted| wanted.borrow().contains(service))
        };
        let services = self.instances.keys();
        let unwanted: Vec<_> = services.filter(|of| !is_wanted(of)).cloned().collect();
        for service in &unwanted {
            self.instances.remove(service);
            self.since.forget(service);
        }
        unwanted
    }
}
