//! The routes of one host (or of none), by path.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::address::Addresses;
use super::encode::Listed;
use super::guard::Conditions;
use crate::documents::Route;
use crate::model::path::Parameters;
use crate::model::{Id, Path};

/// A route for one of its paths.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Another for whatever is put in its place: what was made of it is known by it.
    serial: u64,
    path: Path,
    /// At least one.
    parts: Vec<Part>,
}

/// Envoy routes of a candidate that are for the same clients.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// What clients' addresses must be; any when empty.
    pub addresses: Vec<Addresses>,
    pub conditions: Conditions,
    /// As they stand in a leaf's list. The last has the conditions of all.
    pub routes: Vec<Listed>,
}

impl Part {
    /// Whether it takes whatever has its path.
    fn is_plain(&self) -> bool {
        self.addresses.is_empty()
            && self.conditions.complete
            && self.conditions.predicates.is_empty()
    }
}

/// A part with its path: what lists of the match tree are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<'a> {
    pub path: &'a Path,
    pub part: &'a Part,
    /// Of its candidate.
    pub serial: u64,
}

impl Unit<'_> {
    /// Whether it takes everything that begins with this.
    pub fn takes_all(&self, start: &str) -> bool {
        match self.path {
            Path::Prefix(own) => self.part.is_plain() && start.starts_with(&**own),
            Path::Exact(_) | Path::Parameters(_) => false,
        }
    }
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

    /// `serial` is one that no other candidate has or had.
    pub fn insert(&mut self, path: &Path, route: &Route, parts: Vec<Part>, serial: u64) {
        let candidates = self.paths.entry(path.start().clone()).or_default();
        let candidate = Candidate {
            serial,
            path: path.clone(),
            parts,
        };
        candidates.of(path).insert(order(path, route), candidate);
    }

    pub fn remove(&mut self, path: &Path, route: &Route) {
        if let Some(candidates) = self.paths.get_mut(path.start()) {
            candidates.of(path).remove(&order(path, route));
            if candidates.exact.is_empty() && candidates.prefix.is_empty() {
                self.paths.remove(path.start());
            }
        }
    }

    /// Its paths that begin with this, each with the number of its candidates.
    pub fn below<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
        let after = self
            .paths
            .range::<str, _>((Bound::Included(start), Bound::Unbounded));
        after
            .take_while(move |(path, _)| path.starts_with(start))
            .map(|(path, of)| (&**path, of.exact.len() + of.prefix.len()))
    }

    /// The candidates for exactly this path.
    pub fn exact(&self, path: &str) -> impl Iterator<Item = Unit<'_>> {
        let candidates = self.paths.get(path).into_iter();
        candidates.flat_map(|of| units(&of.exact))
    }

    /// Those for all paths that begin with this one, as far as one takes all.
    pub fn prefix(&self, path: &str) -> impl Iterator<Item = Unit<'_>> {
        let candidates = self.paths.get(path).into_iter();
        candidates.flat_map(|of| through(units(&of.prefix)))
    }

    /// Those for the paths that a key begins with, the key included, from longer to shorter; as far as one takes all.
    pub fn chain<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Unit<'a>> {
        let all = self.prefixes(key).flat_map(|(_, of)| units(&of.prefix));
        through(all)
    }

    /// Whether one of them takes all that begins with the key.
    pub fn closes(&self, key: &str) -> bool {
        self.chain(key).any(|unit| unit.takes_all(key))
    }

    /// What a request for which this one was in question goes on with: as far as one takes all.
    pub fn after<'a>(&'a self, unit: Unit<'a>) -> impl Iterator<Item = Unit<'a>> {
        let key = &**unit.path.start();
        let exact = matches!(unit.path, Path::Exact(_)).then(|| self.exact(key));
        let all = exact.into_iter().flatten().chain(self.chain(key));
        all.skip_while(move |one| !std::ptr::eq(one.part, unit.part))
            .skip(1)
    }

    /// The candidates that only the routes themselves can decide about, and behind which nothing takes all.
    pub fn open(&self) -> impl Iterator<Item = Unit<'_>> {
        let all = self.paths.values();
        let all = all.flat_map(|of| units(&of.exact).chain(through(units(&of.prefix))));
        all.filter(|unit| !unit.part.conditions.complete && !self.closes(unit.path.start()))
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

fn units(candidates: &BTreeMap<Order, Candidate>) -> impl Iterator<Item = Unit<'_>> {
    candidates.values().flat_map(|candidate| {
        candidate.parts.iter().map(|part| Unit {
            path: &candidate.path,
            part,
            serial: candidate.serial,
        })
    })
}

/// As far as, and with, the first that takes all of its path.
fn through<'a>(units: impl Iterator<Item = Unit<'a>>) -> impl Iterator<Item = Unit<'a>> {
    let mut ended = false;
    units.take_while(move |unit| {
        let before = !ended;
        ended |= unit.takes_all(unit.path.start());
        before
    })
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
pub(super) fn common(a: &str, b: &str) -> usize {
    a.char_indices()
        .zip(b.chars())
        .find(|((_, a), b)| a != b)
        .map_or(a.len().min(b.len()), |((at, _), _)| at)
}
