//! Which resources of one type a client wants on one stream (xDS: "How the client specifies what resources to return").

use std::collections::HashSet;
use std::sync::Arc;

use crate::snapshot::{Set, Version, set};

use super::request::listed::Listed;

/// Everything, where the type knows that.
pub const WILDCARD: &str = "*";

/// Which resources of one type a client wants.
#[derive(Debug, Default)]
pub struct Subscription {
    /// Whether everything is wanted, besides the names.
    wildcard: bool,
    /// Whether a name was ever sent: from then on an empty list means "none".
    named: bool,
    /// Shared by all streams that want the same, as most do.
    names: Arc<HashSet<Arc<str>>>,
    /// The names' [digest](set::digest).
    digest: Version,
}

/// What a request changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Names that are to be answered: new ones, and in delta every one that the request lists.
    pub asked: Vec<Arc<str>>,
    /// Names that are no longer wanted by name.
    pub dropped: Vec<Arc<str>>,
    /// Whether "everything" is wanted now and was not before.
    pub wildcard_began: bool,
}

impl Subscription {
    pub fn has(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Whether everything is wanted.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The names that are wanted by name.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.names.iter()
    }

    /// What is wanted by name, and is not in `names`.
    pub fn lacking(&self, names: &[String]) -> Vec<Arc<str>> {
        if names.len() == self.names.len() && set::digest(names.iter()) == self.digest {
            return Vec::new();
        }
        let named: HashSet<&str> = names.iter().map(String::as_str).collect();
        let lacks = |name: &&Arc<str>| !named.contains(&***name);
        self.names.iter().filter(lacks).cloned().collect()
    }

    /// SotW: `names` is all that is wanted from now on. `full_state`: the type knows wildcards.
    pub fn replace(&mut self, names: Vec<String>, full_state: bool) -> Difference {
        let legacy = full_state && names.is_empty() && !self.named;
        let wildcard = legacy || (full_state && names.iter().any(|name| name == WILDCARD));
        self.named |= !names.is_empty();
        let digest = set::digest(names.iter());
        if digest == self.digest && names.len() == self.names.len() && wildcard == self.wildcard {
            // As in every ACK.
            return Difference::default();
        }
        let wanted: HashSet<Arc<str>> = names
            .into_iter()
            .filter(|name| !(full_state && name == WILDCARD))
            .map(|name| self.own(&name))
            .collect();
        let difference = Difference {
            asked: wanted.difference(&self.names).cloned().collect(),
            dropped: self.names.difference(&wanted).cloned().collect(),
            wildcard_began: wildcard && !self.wildcard,
        };
        self.wildcard = wildcard;
        self.digest = set::digest(wanted.iter().map(|name| &**name));
        self.names = Arc::new(wanted);
        difference
    }

    /// Delta: more and fewer names than before. `first`: the first request about this type on this stream.
    pub fn change(
        &mut self,
        subscribe: &Listed,
        unsubscribe: Vec<String>,
        full_state: bool,
        first: bool,
    ) -> Difference {
        let mut difference = Difference::default();
        if full_state && first && subscribe.is_empty() {
            self.wildcard = true;
            difference.wildcard_began = true;
        }
        for asked in subscribe.iter() {
            if full_state && asked == WILDCARD {
                difference.wildcard_began |= !self.wildcard;
                self.wildcard = true;
                continue;
            }
            let name = self.own(asked);
            if !self.names.contains(&name) {
                self.digest = self.digest.with(&name, Version::default());
                Arc::make_mut(&mut self.names).insert(name.clone());
            }
            difference.asked.push(name);
        }
        for name in unsubscribe {
            if full_state && name == WILDCARD {
                self.wildcard = false;
            } else if self.names.contains(name.as_str())
                && let Some(name) = Arc::make_mut(&mut self.names).take(name.as_str())
            {
                self.digest = self.digest.without(&name, Version::default());
                difference.dropped.push(name);
            }
        }
        difference
    }

    /// Keeps `name` itself instead of an equal one: all streams then hold the same. Where they share all names, they do already.
    pub fn share(&mut self, name: &Arc<str>) {
        if let Some(names) = Arc::get_mut(&mut self.names)
            && names.contains(name)
        {
            names.replace(name.clone());
        }
    }

    /// Keeps the names of `set` instead of equal ones: all streams then hold the same.
    pub fn share_all(&mut self, set: &Set) {
        if self.names_all(set) {
            self.names = set.names().all.clone();
        }
    }

    /// Whether just what `set` has is wanted, each by name.
    pub fn names_all(&self, set: &Set) -> bool {
        self.names.len() == set.len() && self.digest == set.names().digest
    }

    /// Wants just what `set` has: by name, or where the type knows wildcards everything.
    pub fn want_all(&mut self, set: &Set, full_state: bool) {
        if full_state {
            self.wildcard = true;
        } else {
            self.names = set.names().all.clone();
            self.digest = set.names().digest;
        }
    }

    fn own(&self, name: &str) -> Arc<str> {
        self.names.get(name).cloned().unwrap_or_else(|| name.into())
    }
}

#[cfg(test)]
mod tests;
