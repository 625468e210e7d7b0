//! Secrets and extension configs: what clusters and listeners name, and what goes only once none of them does.

use std::collections::HashSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use prost::{Message, Name};

use super::Builder;
use crate::envoy::canonical;
use crate::model::Consumers;
use crate::snapshot::{Change, Child, Resource, ResourceType};
use crate::translate;

impl Builder {
    /// A secret came, changed or went. Its own name has to be `name`; clusters and listeners that name it list it among
    /// their children.
    pub fn handle_secret(&mut self, name: &Arc<str>, secret: Option<&Secret>) {
        self.handle_named(ResourceType::Secret, name, secret);
    }

    /// A filter's configuration came, changed or went. Its own name has to be `name`; listeners that name it list it among
    /// their children.
    pub fn handle_extension(&mut self, name: &Arc<str>, config: Option<&TypedExtensionConfig>) {
        self.handle_named(ResourceType::ExtensionConfig, name, config);
    }

    /// Consumers came, changed or went. What listeners name of them is there from the beginning.
    pub fn handle_consumers(&mut self, consumers: &Consumers) {
        for config in translate::consumers(consumers) {
            self.handle_extension(&config.name.as_str().into(), Some(&config));
        }
    }

    fn handle_named<M: Message + Name>(
        &mut self,
        resource_type: ResourceType,
        name: &Arc<str>,
        message: Option<&M>,
    ) {
        let resource = message.map(|message| {
            let value = canonical(message);
            Arc::new(Resource::new(resource_type, name, &value, Box::default()))
        });
        self.dirty
            .named
            .insert((resource_type, name.clone()), resource);
    }

    /// What comes and changes of these; what is to go is noted.
    pub(super) fn next_named(
        &mut self,
        named: impl IntoIterator<Item = (Child, Option<Arc<Resource>>)>,
        changes: &mut Vec<Change>,
    ) {
        for ((resource_type, name), resource) in named {
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
    pub(super) fn leave(&mut self, changes: &[Change]) -> Vec<Change> {
        let leaving = std::mem::take(&mut self.leaving);
        let (stay, leave) = leaving
            .into_iter()
            .partition(|child| self.is_named(child, changes));
        self.leaving = stay;
        let leave: HashSet<Child> = leave;
        let gone = leave.into_iter().map(|(resource_type, name)| Change {
            resource_type,
            name,
            resource: None,
        });
        gone.collect()
    }

    fn is_named(&self, child: &Child, changes: &[Change]) -> bool {
        child.0.parents().iter().any(|parent| {
            let changes = changes
                .iter()
                .filter(|change| change.resource_type == *parent);
            let changed: HashSet<&Arc<str>> = changes.clone().map(|change| &change.name).collect();
            let kept = self.current.set(*parent).iter();
            let kept = kept.filter(|(name, _)| !changed.contains(name));
            let kept = kept.map(|(_, resource)| resource);
            let new = changes.filter_map(|change| change.resource.as_ref());
            kept.chain(new)
                .any(|resource| resource.children.contains(child))
        })
    }
}
