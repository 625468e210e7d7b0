//! The resources of one type.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use imbl::OrdMap;

use super::{Resource, Version};

/// Bytes below this size are copied together; a DATA frame per small resource makes clients hang up.
pub const PAGE: usize = 32 * 1024;

/// The resources of one type, by name. A clone shares everything with its original.
#[derive(Debug, Default)]
pub struct Set {
    resources: OrdMap<Arc<str>, Arc<Resource>>,
    version: Version,
    delta_pages: OnceLock<Arc<[Bytes]>>,
    sotw_pages: OnceLock<Arc<[Bytes]>>,
    names: OnceLock<Names>,
}

/// The names of a set, and what tells them from others.
#[derive(Debug, Default, Clone)]
pub struct Names {
    pub all: Arc<HashSet<Arc<str>>>,
    /// Their [digest].
    pub digest: Version,
}

impl Clone for Set {
    /// A clone is about to change: it does not take the pages with it.
    fn clone(&self) -> Self {
        Self {
            resources: self.resources.clone(),
            version: self.version,
            delta_pages: OnceLock::new(),
            sotw_pages: OnceLock::new(),
            names: self.names.clone(),
        }
    }
}

impl Set {
    pub fn find(&self, name: &str) -> Option<&Arc<Resource>> {
        self.resources.get(name)
    }

    /// The name as the set holds it, to share it.
    pub fn name(&self, name: &str) -> Option<&Arc<str>> {
        self.resources.get_key_value(name).map(|(name, _)| name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        self.resources.iter()
    }

    pub fn len(&self) -> usize {
        self.resources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// The version of all of them together.
    pub fn version(&self) -> Version {
        self.version
    }

    pub(super) fn replace(&mut self, name: Arc<str>, resource: Option<Arc<Resource>>) {
        self.delta_pages.take();
        self.sotw_pages.take();
        // The name that is there stays: streams share it.
        let name = self.name(&name).cloned().unwrap_or(name);
        let before = self.resources.get(&name);
        if before.is_some() != resource.is_some() {
            self.names.take();
        }
        if let Some(before) = before {
            self.version = self.version.without(&name, before.version);
        }
        match resource {
            Some(resource) => {
                self.version = self.version.with(&name, resource.version);
                self.resources.insert(name, resource);
            }
            None => {
                self.resources.remove(&name);
            }
        }
    }

    /// All names, made once for all streams that want just these.
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            let all: HashSet<_> = self.resources.keys().cloned().collect();
            Names {
                digest: digest(all.iter().map(|name| &**name)),
                all: Arc::new(all),
            }
        })
    }

    /// The `resources` fields of a delta response with all of them, made once for all streams.
    pub fn delta_pages(&self) -> &Arc<[Bytes]> {
        self.delta_pages.get_or_init(|| {
            pages(
                self.resources
                    .values()
                    .map(|resource| resource.delta_entry()),
            )
        })
    }

    /// The `resources` fields of a SotW response with all of them, made once for all streams.
    pub fn sotw_pages(&self) -> &Arc<[Bytes]> {
        self.sotw_pages.get_or_init(|| {
            pages(
                self.resources
                    .values()
                    .map(|resource| resource.sotw_entry()),
            )
        })
    }
}

/// What tells these names, in any order, from any others.
pub fn digest(names: impl Iterator<Item: AsRef<str>>) -> Version {
    names.fold(Version::default(), |sum, name| {
        sum.with(name.as_ref(), Version::default())
    })
}

/// Groups entries into pages of about [`PAGE`] bytes. Large entries are shared, small ones are copied together.
pub fn pages(entries: impl Iterator<Item = Bytes>) -> Arc<[Bytes]> {
    let mut pages = Vec::new();
    let mut page = BytesMut::new();
    for entry in entries {
        if entry.len() >= PAGE {
            if !page.is_empty() {
                pages.push(page.split().freeze());
            }
            pages.push(entry);
            continue;
        }
        if page.len() + entry.len() > PAGE {
            pages.push(page.split().freeze());
        }
        page.extend_from_slice(&entry);
    }
    if !page.is_empty() {
        pages.push(page.freeze());
    }
    pages.into()
}
