//! The routes of one host (or of none), by path.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::address::Addresses;
use crate::documents::Route;
use crate::model::path::Parameters;
use crate::model::{Id, Path};

/// A route that a leaf can hold.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Its Envoy routes, at least one.
    pub parts: Vec<Part>,
    /// Whether it matches whatever comes to a leaf that holds it: a prefix, without further conditions.
    pub takes_all: bool,
}

/// Envoy routes of a candidate that are for the same clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What clients' addresses must be; any when empty.
    pub addresses: Vec<Addresses>,
    /// The encoded Envoy routes, as they stand in a leaf's list.
    pub encoded: Bytes,
}

/// Higher priority first, then the longer path as it is written, then by id. The path's rest tells the paths of one route
/// apart.
type Order = (Reverse<i32>, Reverse<usize>, Id, Option<Arc<str>>);

#[derive(Debug, Default)]
struct Candidates {
    exact: BTreeMap<Order, Candidate>,
    prefix: BTreeMap<Order, Candidate>,
}

impl Candidates {
    fn of(&mut self, path: &Path) -> &mut BTreeMap<Order, Candidate> {
        match path {
            Path::Exact(_) => &mut self.exact,
            Path::Prefix(_) | Path::Parameters(_) => &mut self.prefix,
        }
    }
}

/// The routes of one host, by the text of their paths.
#[derive(Debug, Default)]
pub(super) struct Tier {
    paths: BTreeMap<Arc<str>, Candidates>,
}

impl Tier {
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub fn contains(&self, key: &str) -> bool {
        self.paths.contains_key(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.paths.keys()
    }

    pub fn insert(&mut self, path: &Path, route: &Route, parts: Vec<Part>) {
        let takes_all = matches!(path, Path::Prefix(_))
            && route.methods.is_empty()
            && route.addresses.is_empty()
            && always(route);
        let candidates = self.paths.entry(path.start().clone()).or_default();
        candidates
            .of(path)
            .insert(order(path, route), Candidate { parts, takes_all });
    }

    pub fn remove(&mut self, path: &Path, route: &Route) {
        if let Some(candidates) = self.paths.get_mut(path.start()) {
            candidates.of(path).remove(&order(path, route));
            if candidates.exact.is_empty() && candidates.prefix.is_empty() {
                self.paths.remove(path.start());
            }
        }
    }

    /// What a route has become for a path; nothing when it is not there.
    pub fn find(&self, path: &Path, route: &Route) -> &[Part] {
        let candidates = self.paths.get(path.start()).map(|candidates| match path {
            Path::Exact(_) => &candidates.exact,
            Path::Prefix(_) | Path::Parameters(_) => &candidates.prefix,
        });
        let found = candidates.and_then(|candidates| candidates.get(&order(path, route)));
        found.map_or(&[], |candidate| &candidate.parts)
    }

    /// What a request whose longest key is this one can match: the exact path, then the prefixes from longer to shorter;
    /// and of each, whether the key is its own path.
    pub fn candidates<'a>(&'a self, key: &str) -> impl Iterator<Item = (&'a Candidate, bool)> {
        let exact = self
            .paths
            .get(key)
            .map(|candidates| (&candidates.exact, true));
        let prefixes = self
            .prefixes(key)
            .map(move |(path, candidates)| (&candidates.prefix, path == key));
        exact
            .into_iter()
            .chain(prefixes)
            .flat_map(|(candidates, own)| {
                candidates.values().map(move |candidate| (candidate, own))
            })
    }

    /// The paths that this key begins with, from longer to shorter.
    fn prefixes<'a>(&'a self, key: &str) -> impl Iterator<Item = (&'a str, &'a Candidates)> {
        // Everything from a prefix of the key up to the key begins with that prefix. So the last path that is not after
        // the key either is a prefix of it, or shows how long one can be at most.
        let mut upper = Some(key);
        std::iter::from_fn(move || {
            while let Some(bound) = upper {
                let (path, candidates) = self
                    .paths
                    .range::<str, _>((Bound::Unbounded, Bound::Included(bound)))
                    .next_back()?;
                if bound.starts_with(&**path) {
                    upper = shorter(path).map(|length| &bound[..length]);
                    return Some((&**path, candidates));
                }
                upper = Some(&bound[..common(bound, path)]);
            }
            None
        })
    }
}

/// Whether its `vars`, if it has any, hold for every request.
fn always(route: &Route) -> bool {
    let vars = route.vars.as_ref();
    vars.is_none_or(|vars| vars.alternatives().iter().any(Vec::is_empty))
}

fn order(path: &Path, route: &Route) -> Order {
    let (rest, length) = match path {
        Path::Exact(_) => (None, 0),
        // The star.
        Path::Prefix(_) => (None, 1),
        Path::Parameters(Parameters { rest, .. }) => (Some(rest.clone()), rest.len()),
    };
    (
        Reverse(route.priority),
        Reverse(length),
        route.id.clone(),
        rest,
    )
}

/// The length of the text without its last character, if it has one.
fn shorter(text: &str) -> Option<usize> {
    text.char_indices().next_back().map(|(at, _)| at)
}

/// How many bytes of the first both begin with, in whole characters.
fn common(a: &str, b: &str) -> usize {
    a.char_indices()
        .zip(b.chars())
        .find(|((_, a), b)| a != b)
        .map_or(a.len().min(b.len()), |((at, _), _)| at)
}
