//! The routes of one host (or of none), by path.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Id, Path, Route};

/// A route that a leaf can hold.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The encoded Envoy routes, as they stand in a leaf's list.
    pub encoded: Bytes,
    /// Whether it matches whatever comes to a leaf that holds it: a prefix, for any method.
    pub takes_all: bool,
}

/// Higher priority first, then by id.
type Order = (Reverse<i32>, Id);

#[derive(Debug, Default)]
struct Candidates {
    exact: BTreeMap<Order, Candidate>,
    prefix: BTreeMap<Order, Candidate>,
}

impl Candidates {
    fn of(&mut self, path: &Path) -> &mut BTreeMap<Order, Candidate> {
        match path {
            Path::Exact(_) => &mut self.exact,
            Path::Prefix(_) => &mut self.prefix,
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

    pub fn insert(&mut self, path: &Path, route: &Route, encoded: Bytes) {
        let takes_all = matches!(path, Path::Prefix(_)) && route.methods.is_empty();
        let candidates = self.paths.entry(text(path).clone()).or_default();
        candidates
            .of(path)
            .insert(order(route), Candidate { encoded, takes_all });
    }

    pub fn remove(&mut self, path: &Path, route: &Route) {
        if let Some(candidates) = self.paths.get_mut(text(path)) {
            candidates.of(path).remove(&order(route));
            if candidates.exact.is_empty() && candidates.prefix.is_empty() {
                self.paths.remove(text(path));
            }
        }
    }

    /// What a route is encoded to for a path.
    pub fn find(&self, path: &Path, route: &Route) -> Option<&Bytes> {
        let candidates = self.paths.get(text(path))?;
        let candidates = match path {
            Path::Exact(_) => &candidates.exact,
            Path::Prefix(_) => &candidates.prefix,
        };
        Some(&candidates.get(&order(route))?.encoded)
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

fn order(route: &Route) -> Order {
    (Reverse(route.priority), route.id.clone())
}

fn text(path: &Path) -> &Arc<str> {
    let (Path::Exact(text) | Path::Prefix(text)) = path;
    text
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
