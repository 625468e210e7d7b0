//! What changed, translated: clusters, load assignments, listeners, the route table.

use std::collections::HashSet;
use std::sync::Arc;

use super::uses::load_assignment_of;
use super::{Builder, Instances};
use crate::envoy::canonical;
use crate::model::{Drains, Instance, Members};
use crate::plugin::shared::asked::Filter;
use crate::plugin::shared::identity::Extension;
use crate::snapshot::{Change, Resource, ResourceType};
use crate::translate::{self, News};

impl Builder {
    pub(super) fn next_cluster(
        &mut self,
        name: Arc<str>,
        drains: &Drains,
        changes: &mut Vec<Change>,
    ) {
        let before = self.current.set(ResourceType::Cluster).find(&name);
        let children = |of| {
            let all = before.iter().flat_map(|resource| &resource.children);
            all.filter(move |(child, _)| *child == of)
                .map(|(_, name)| name.clone())
        };
        let secrets_before: Vec<_> = children(ResourceType::Secret).collect();
        // There is one at most.
        let assignment_before = children(ResourceType::LoadAssignment).next();
        let cluster = self.uses.settle_cluster(&name, assignment_before);
        let secrets = cluster.as_deref().map(translate::client_secrets);
        let secrets = secrets.unwrap_or_default();
        let named: Vec<_> = secrets
            .iter()
            .map(|(name, _)| (ResourceType::Secret, name.clone()))
            .collect();
        self.named.follow_client_secrets(secrets_before, secrets);
        let resource = cluster.map(|cluster| {
            let value = canonical(&translate::cluster(&cluster, drains.nodes()));
            let assignment =
                load_assignment_of(&cluster).map(|name| (ResourceType::LoadAssignment, name));
            let children = assignment.into_iter().chain(named).collect();
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

    pub(super) fn next_assignment(
        &mut self,
        name: Arc<str>,
        instances: &Instances,
        drains: &Drains,
        changes: &mut Vec<Change>,
    ) {
        let mut full_name = None;
        let message = match self.uses.settle_assignment(&name) {
            Some(Members::Nodes(nodes)) => {
                let taken = drains.nodes();
                Some(translate::static_load_assignment(&name, nodes, taken))
            }
            Some(Members::Service(discovered)) => {
                let known: Vec<&[Instance]> = discovered
                    .services()
                    .filter_map(|service| instances.get(service).map(|known| &**known))
                    .collect();
                // Unknown is not empty: what was sent stays.
                if !instances.contains_key(&discovered.service) {
                    return;
                }
                full_name = Some(discovered.to_string()).filter(|full| **full != *name);
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
                let resource = Resource::new(ResourceType::LoadAssignment, &name, &value, children);
                Arc::new(resource.of_full_name(full_name))
            }),
            name,
        });
    }

    pub(super) fn next_listeners(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        let listeners = self
            .edge
            .offered(&self.trials, self.routes.are_divided())
            .as_ref()
            .map(|gateway| translate::listeners(gateway, self.routes.envoy()))
            .unwrap_or_default();
        let names: HashSet<&Arc<str>> = listeners.iter().map(|opened| &opened.name).collect();
        for (name, _) in self.current.set(ResourceType::Listener).iter() {
            if !names.contains(name) {
                changes.push(Change {
                    resource_type: ResourceType::Listener,
                    name: name.clone(),
                    resource: None,
                });
            }
        }
        for opened in &listeners {
            let value = canonical(&opened.listener);
            let extensions = Extension::ALL
                .into_iter()
                .filter(|_| opened.routes)
                .flat_map(|one| [one.name(false), one.name(true)])
                .chain(Filter::all().map(Filter::name))
                .map(|name| (ResourceType::ExtensionConfig, name.into()));
            let table = self.current.gateway.clone();
            let by_name = opened.routes && !self.routes.are_divided();
            let routes = by_name.then_some((ResourceType::RouteConfiguration, table));
            let secrets = opened
                .secrets
                .iter()
                .map(|name| (ResourceType::Secret, name.clone()));
            let children = routes
                .into_iter()
                .chain(secrets)
                .chain(extensions)
                .collect();
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

    /// Route tables and scopes that came, changed or went.
    pub(super) fn next_tables(&mut self) -> Vec<Change> {
        const TABLE: ResourceType = ResourceType::RouteConfiguration;
        const SCOPE: ResourceType = ResourceType::ScopedRouteConfiguration;
        let change = |resource_type, name, resource| Change {
            resource_type,
            name,
            resource,
        };
        if !self.edge.exists() {
            let names = |of| self.current.set(of).iter().map(|(name, _)| name.clone());
            let tables = names(TABLE).map(|name| change(TABLE, name, None));
            let scopes = names(SCOPE).map(|name| change(SCOPE, name, None));
            return tables.chain(scopes).collect();
        }
        let News { tables, scopes } = self.routes.news();
        let mut changes = Vec::new();
        for (name, encoded) in tables {
            let table = encoded.map(|value| Resource::new(TABLE, &name, &value, Box::default()));
            changes.push(change(TABLE, name, table.map(Arc::new)));
        }
        let Some(scopes) = scopes else {
            return changes;
        };
        let names: HashSet<&str> = scopes.iter().map(|(scope, _)| &*scope.name).collect();
        let before = self.current.set(SCOPE).iter();
        let gone = before.filter(|(name, _)| !names.contains(&***name));
        changes.extend(gone.map(|(name, _)| change(SCOPE, name.clone(), None)));
        for (scope, table) in &scopes {
            let name: Arc<str> = scope.name.as_str().into();
            let children = Box::new([(TABLE, table.clone())]);
            let resource = Resource::new(SCOPE, &name, &canonical(scope), children);
            changes.push(change(SCOPE, name, Some(Arc::new(resource))));
        }
        changes
    }
}
