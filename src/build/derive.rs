//! What has to be translated anew: clusters, load assignments, listeners.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Builder, Instances, Used};
use crate::envoy::canonical;
use crate::model::{Cluster, Drains, Instance, Members};
use crate::plugin::shared::identity::Extension;
use crate::snapshot::{Change, Child, Resource, ResourceType};
use crate::translate;

impl Builder {
    pub(super) fn next_cluster(&mut self, name: Arc<str>, changes: &mut Vec<Change>) {
        let before = self.current.set(ResourceType::Cluster).find(&name);
        let child = |of| before.and_then(|resource| child_of(of, &resource.children).cloned());
        let secret_before = child(ResourceType::Secret);
        let before = child(ResourceType::LoadAssignment);
        if self.clusters.get(&name).is_some_and(|used| used.by == 0) {
            self.clusters.remove(&name);
        }
        let cluster = self.clusters.get(&name).map(|used| used.what.clone());
        let after = cluster.as_deref().and_then(load_assignment_of);
        if before != after {
            self.release_assignment(before);
            self.retain_assignment(after.clone(), cluster.as_deref());
        } else if let (Some(assignment), Some(cluster)) = (&after, &cluster)
            && let Some(used) = self.assignments.get_mut(assignment)
            && used.what != cluster.upstream.members
        {
            // One name, one service: nodes only.
            used.what = cluster.upstream.members.clone();
            self.dirty.assignments.insert(assignment.clone());
        }
        let secret = cluster.as_deref().and_then(translate::client_secret);
        let secret_name = secret.as_ref().map(|(name, _)| name.clone());
        self.follow_client_secret(secret_before, secret);
        let resource = cluster.map(|cluster| {
            let value = canonical(&translate::cluster(&cluster));
            let assignment = after.map(|name| (ResourceType::LoadAssignment, name));
            let secret = secret_name.map(|name| (ResourceType::Secret, name));
            let children = assignment.into_iter().chain(secret).collect();
            Arc::new(Resource::new(
                ResourceType::Cluster,
                &name,
                &value,
                children,
            ))
        });
        changes.push(Change {
            resource_type: ResourceType::Cluster,
            name,
            resource,
        });
    }

    /// One more uses the cluster, which is in this form now if it is the newest.
    pub(super) fn retain_cluster(&mut self, cluster: &Arc<Cluster>, newest: bool) {
        self.dirty.clusters.insert(cluster.name.clone());
        let used = self.clusters.entry(cluster.name.clone());
        let used = used.or_insert_with(|| Used {
            by: 0,
            what: cluster.clone(),
        });
        used.by += 1;
        if newest {
            used.what = cluster.clone();
        }
    }

    /// One that used the cluster does no longer.
    pub(super) fn release_cluster(&mut self, name: &Arc<str>) {
        if let Some(used) = self.clusters.get_mut(name) {
            used.by -= 1;
        }
        self.dirty.clusters.insert(name.clone());
    }

    /// Brings the use of the gateway's collector in line with the gateway and with what is known of services.
    pub(super) fn collect(&mut self, instances: &Instances) {
        let wanted = self.gateway.as_ref();
        let wanted = wanted.and_then(|gateway| gateway.collector.clone());
        if wanted == self.collector {
            return;
        }
        let name = |cluster: &Arc<Cluster>| cluster.name.clone();
        let awaited = wanted
            .as_ref()
            .and_then(|cluster| cluster.services().next());
        let collector = match awaited.is_none_or(|service| instances.contains_key(service)) {
            true => wanted,
            // Its instances before are better than none.
            false if wanted.as_ref().map(name) == self.collector.as_ref().map(name) => return,
            false => None,
        };
        if let Some(cluster) = &collector {
            self.retain_cluster(cluster, true);
        }
        if let Some(before) = std::mem::replace(&mut self.collector, collector) {
            self.release_cluster(&before.name);
        }
        self.dirty.listeners = true;
    }

    fn retain_assignment(&mut self, name: Option<Arc<str>>, cluster: Option<&Cluster>) {
        if let (Some(name), Some(cluster)) = (name, cluster) {
            for service in cluster.services() {
                let assigned = self.assigned.entry(service.clone());
                assigned.or_default().insert(name.clone());
            }
            let what = cluster.upstream.members.clone();
            let used = self
                .assignments
                .entry(name.clone())
                .or_insert(Used { by: 0, what });
            used.by += 1;
            self.dirty.assignments.insert(name);
        }
    }

    fn release_assignment(&mut self, name: Option<Arc<str>>) {
        if let Some(name) = name
            && let Some(used) = self.assignments.get_mut(&name)
        {
            used.by -= 1;
            self.dirty.assignments.insert(name);
        }
    }

    pub(super) fn next_assignment(
        &mut self,
        name: Arc<str>,
        instances: &Instances,
        drains: &Drains,
        changes: &mut Vec<Change>,
    ) {
        if self.assignments.get(&name).is_some_and(|used| used.by == 0)
            && let Some(unused) = self.assignments.remove(&name)
        {
            self.forget_assigned(&name, &unused.what);
        }
        let message = match self.assignments.get(&name).map(|used| &used.what) {
            Some(Members::Nodes(nodes)) => Some(translate::static_load_assignment(&name, nodes)),
            Some(Members::Service(discovered)) => {
                let known: Vec<&[Instance]> = discovered
                    .services()
                    .filter_map(|service| instances.get(service).map(|known| &**known))
                    .collect();
                // Unknown is not empty: what was sent stays.
                if !instances.contains_key(&discovered.service) {
                    return;
                }
                Some(translate::load_assignment(
                    &name,
                    &discovered.selection,
                    &known,
                    &drains.taken(&discovered.service),
                ))
            }
            None => None,
        };
        changes.push(Change {
            resource_type: ResourceType::LoadAssignment,
            resource: message.map(|message| {
                let value = canonical(&message);
                let children = Box::default();
                Arc::new(Resource::new(
                    ResourceType::LoadAssignment,
                    &name,
                    &value,
                    children,
                ))
            }),
            name,
        });
    }

    fn forget_assigned(&mut self, name: &Arc<str>, members: &Members) {
        let Members::Service(discovered) = members else {
            return;
        };
        for service in discovered.services() {
            if let Some(assigned) = self.assigned.get_mut(service)
                && assigned.remove(name)
                && assigned.is_empty()
            {
                self.assigned.remove(service);
            }
        }
    }

    pub(super) fn next_listeners(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let opened = self.offered().as_ref().map(translate::listeners);
        let opened = opened.unwrap_or_default();
        let names: HashSet<&Arc<str>> = opened.iter().map(|opened| &opened.name).collect();
        for (name, _) in self.current.set(ResourceType::Listener).iter() {
            if !names.contains(name) {
                changes.push(Change {
                    resource_type: ResourceType::Listener,
                    name: name.clone(),
                    resource: None,
                });
            }
        }
        for opened in &opened {
            let value = canonical(&opened.listener);
            let routes = self.current.gateway.clone();
            let extensions = Extension::ALL.into_iter().filter(|_| opened.routes);
            let extensions =
                extensions.map(|one| (ResourceType::ExtensionConfig, one.name().into()));
            let routes = opened
                .routes
                .then_some((ResourceType::RouteConfiguration, routes));
            let secrets = opened.secrets.iter().cloned();
            let secrets = secrets.map(|name| (ResourceType::Secret, name));
            let children = routes.into_iter().chain(secrets).chain(extensions);
            let children = children.collect();
            changes.push(Change {
                resource_type: ResourceType::Listener,
                name: opened.name.clone(),
                resource: Some(Arc::new(Resource::new(
                    ResourceType::Listener,
                    &opened.name,
                    &value,
                    children,
                ))),
            });
        }
        changes
    }
}

/// The child of that type; a cluster has one at most.
fn child_of(of: ResourceType, children: &[Child]) -> Option<&Arc<str>> {
    let mut found = children.iter().filter(|(child, _)| *child == of);
    found.next().map(|(_, name)| name)
}

/// The load assignment that a cluster asks for; none when Envoy resolves its nodes' names itself.
fn load_assignment_of(cluster: &Cluster) -> Option<Arc<str>> {
    match &cluster.upstream.members {
        Members::Nodes(nodes) if translate::resolved_by_envoy(nodes) => None,
        _ => Some(cluster.load_assignment()),
    }
}
