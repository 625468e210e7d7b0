//! The content of a gateway in words, published as snapshots. A resource is a line of text: `a=1(x)` is the resource `a`
//! with content `1` that refers to the resource `x`: of a cluster a load assignment, of a listener a route configuration,
//! unless it says otherwise, as `SDS/x` does.
//!
//! Knows no stream. The text itself is the encoded message, so that a test reads on the wire what it wrote here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::snapshot::{Change, Resource, ResourceType, Snapshot};

/// The words of a transcript for the types, in the order of [`ResourceType::ALL`].
pub const SHORT: [&str; 7] = ["CDS", "EDS", "SDS", "ECDS", "LDS", "RDS", "SRDS"];

/// The word for a type.
pub fn short(resource_type: ResourceType) -> &'static str {
    SHORT[resource_type.index()]
}

/// Resources as text, or without text what goes.
pub type Changes = Vec<(ResourceType, String, Option<String>)>;

/// The content of a gateway, and the snapshot of it.
#[derive(Debug)]
pub struct World {
    content: BTreeMap<(ResourceType, String), String>,
    /// The newest snapshot.
    pub snapshot: Arc<Snapshot>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            content: BTreeMap::new(),
            snapshot: Arc::new(Snapshot::empty("default".into())),
        }
    }
}

impl World {
    /// The resources of one type, by name, as text.
    pub fn resources(&self, of: ResourceType) -> impl Iterator<Item = (&str, &str)> {
        let content = self.content.iter();
        content
            .filter(move |((resource_type, _), _)| *resource_type == of)
            .map(|((_, name), text)| (name.as_str(), text.as_str()))
    }

    /// The text of a resource.
    pub fn find(&self, resource_type: ResourceType, name: &str) -> Option<&str> {
        let text = self.content.get(&(resource_type, name.to_owned()));
        text.map(String::as_str)
    }

    /// What has to change so that the content is `all`.
    pub fn difference(&self, all: &[(ResourceType, String, Option<String>)]) -> Changes {
        let gone = self.content.keys().filter(|(resource_type, name)| {
            let mut all = all.iter();
            !all.any(|(other, new, _)| (other, new) == (resource_type, name))
        });
        let gone = gone.map(|(resource_type, name)| (*resource_type, name.clone(), None));
        gone.chain(all.iter().cloned()).collect()
    }

    /// Sets some resources and takes others away (those without text), and publishes the result.
    pub fn publish(&mut self, changes: Changes) {
        let encoded: Vec<Change> = changes.iter().map(change).collect();
        for (resource_type, name, text) in changes {
            match text {
                Some(text) => self.content.insert((resource_type, name), text),
                None => self.content.remove(&(resource_type, name)),
            };
        }
        let revision = self.snapshot.revision + 1;
        let (next, _) = self.snapshot.next(encoded, revision);
        self.snapshot = Arc::new(next);
    }

    /// Makes the snapshot again from nothing, as another process would, in another order.
    pub fn restart(&mut self) {
        let all = self.content.iter().rev();
        let all: Vec<Change> = all
            .map(|((resource_type, name), text)| {
                change(&(*resource_type, name.clone(), Some(text.clone())))
            })
            .collect();
        let (first, _) = Snapshot::empty("default".into()).next(all, self.snapshot.revision);
        self.snapshot = Arc::new(first);
    }
}

/// The names that a text refers to.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.split_once('(').map_or("", |(_, rest)| rest);
    let inner = inner.trim_end_matches(')');
    inner.split(',').filter(|name| !name.is_empty())
}

/// The resources that one of that type and text needs; a route configuration needs none, though it names clusters.
pub fn children(parent: ResourceType, text: &str) -> impl Iterator<Item = (ResourceType, &str)> {
    let usual = match parent {
        ResourceType::Cluster => Some(ResourceType::LoadAssignment),
        ResourceType::Listener | ResourceType::ScopedRouteConfiguration => {
            Some(ResourceType::RouteConfiguration)
        }
        _ => None,
    };
    let typed = move |name| {
        let (word, inner) = str::split_once(name, '/').unwrap_or(("", name));
        let index = SHORT.iter().position(|short| *short == word);
        match index {
            Some(index) => Some((ResourceType::ALL[index], inner)),
            None => usual.map(|usual| (usual, name)),
        }
    };
    references(text).filter_map(typed)
}

fn change((resource_type, name, text): &(ResourceType, String, Option<String>)) -> Change {
    let resource = text.as_ref().map(|text| {
        let children = children(*resource_type, text);
        let children = children.map(|(child, name)| (child, name.into()));
        Resource::new(*resource_type, name, text.as_bytes(), children.collect()).into()
    });
    Change {
        resource_type: *resource_type,
        name: name.as_str().into(),
        resource,
    }
}
