//! Secrets and extension configs: what clusters and listeners name, and what goes only once none of them does.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use prost::{Message, Name};

use crate::envoy::canonical;
use crate::snapshot::{Change, Child, Resource, ResourceType, Snapshot};

/// Secrets and extension configs.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// As they are wanted from now on.
    wanted: BTreeMap<Child, Option<Arc<Resource>>>,
    /// Not wanted any more, and may still be named.
    leaving: HashSet<Child>,
}

impl Named {
    /// One came or changed. Its own name has to be `name`; clusters and listeners that name it list it among their children.
    pub(super) fn want<M: Message + Name>(
        &mut self,
        resource_type: ResourceType,
        name: &Arc<str>,
        message: &M,
    ) {
        let value = canonical(message);
        let resource = Resource::new(resource_type, name, &value, Box::default());
        self.want_resource((resource_type, name.clone()), Arc::new(resource));
    }

    /// The same of one that is made already.
    pub(super) fn want_resource(&mut self, child: Child, resource: Arc<Resource>) {
        self.wanted.insert(child, Some(resource));
    }

    /// One is not wanted any more.
    pub(super) fn forget(&mut self, resource_type: ResourceType, name: &Arc<str>) {
        self.wanted.insert((resource_type, name.clone()), None);
    }

    /// A cluster names these secrets from now on, and those of `before` until now: each comes with the first that names it, and
    /// goes once nobody does.
    pub(super) fn follow_client_secrets(
        &mut self,
        before: Vec<Arc<str>>,
        now: Vec<(Arc<str>, impl Name)>,
    ) {
        const SECRET: ResourceType = ResourceType::Secret;
        for before in before {
            if now.iter().all(|(name, _)| *name != before) {
                self.wanted.entry((SECRET, before)).or_insert(None);
            }
        }
        for (name, secret) in now {
            self.want(SECRET, &name, &secret);
        }
    }

    /// What comes and changes of these; what is to go is noted.
    pub(super) fn next(&mut self, changes: &mut Vec<Change>) {
        for ((resource_type, name), resource) in std::mem::take(&mut self.wanted) {
            if resource.is_none() {
                self.leaving.insert((resource_type, name));
                continue;
            }
            self.leaving.remove(&(resource_type, name.clone()));
            changes.push(Change {
                resource_type,
                name,
                resource,
            });
        }
    }

    /// What may go, as nothing names it once these changes are made: a parent in force may be an older one than the
    /// documents say, since proxies refuse the newer.
    pub(super) fn leave(&mut self, current: &Snapshot, changes: &[Change]) -> Vec<Change> {
        let leaving = std::mem::take(&mut self.leaving);
        let (stay, leave): (HashSet<Child>, HashSet<Child>) = leaving
            .into_iter()
            .partition(|child| is_named(child, current, changes));
        self.leaving = stay;
        let gone = leave.into_iter().map(|(resource_type, name)| Change {
            resource_type,
            name,
            resource: None,
        });
        gone.collect()
    }

    /// Whether something is to go and may not yet.
    #[cfg(test)]
    pub(super) fn are_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }
}

fn is_named(child: &Child, current: &Snapshot, changes: &[Change]) -> bool {
    child.0.parents().iter().any(|parent| {
        let of_parent = changes
            .iter()
            .filter(|change| change.resource_type == *parent);
        let changed: HashSet<&Arc<str>> = of_parent.clone().map(|change| &change.name).collect();
        let kept = current
            .set(*parent)
            .iter()
            .filter(|(name, _)| !changed.contains(name))
            .map(|(_, resource)| resource);
        let new = of_parent.filter_map(|change| change.resource.as_ref());
        kept.chain(new)
            .any(|resource| resource.children.contains(child))
    })
}
