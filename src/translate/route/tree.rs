//! The match tree of a tier's paths: the longest key that a path begins with leads to a [`leaf`], and what that passes on goes
//! to shorter keys.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

use super::layout::{Leaf, divide};
use super::tier::{Tier, Unit};
use super::{encode, guard, leaf};
use crate::model::Path;

/// What all paths begin with.
const ROOT: &str = "/";
/// How many candidates of shorter paths a leaf repeats at most, where it could pass them on.
const REPEATED: usize = 4;

/// Leaves that were made before: with the key and the kind, of which candidates, and as they stand in the tree.
#[derive(Debug, Default)]
pub(super) struct Made {
    leaves: HashMap<(Kind, Box<str>), (Vec<u64>, Bytes)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Of the tier alone.
    Own,
    /// With what other tiers have for its requests.
    Joined,
    /// The same for a single path.
    Path,
}

impl Made {
    /// Every leaf with its key, for tests that look at what is made anew.
    #[cfg(test)]
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        let leaves = self.leaves.iter();
        leaves.map(|((_, key), (_, encoded))| (&**key, encoded))
    }
}

/// Makes a tier's tree, out of leaves that were made before where they are the same.
struct Making<'a> {
    before: &'a Made,
    /// The retry policy that the table has in common.
    common: Option<&'a Bytes>,
    made: Made,
}

/// The matcher of the routes without host, behind which nothing comes; nothing where there are none.
pub(super) fn last(tier: &Tier, common: Option<&Bytes>, made: &mut Made) -> Option<Bytes> {
    let mut making = Making::new(made, common);
    let tree = making.joined(&[tier], ROOT);
    *made = making.made;
    tree
}

/// The tree of a host's routes, which passes on what none of them takes. `tiers` are its own and those that come after.
/// What only routes themselves can decide about has there everything that its requests could match otherwise.
pub(super) fn passing(tiers: &[&Tier], common: Option<&Bytes>, made: &mut Made) -> Option<Bytes> {
    let [own, ..] = tiers else { return None };
    let mut making = Making::new(made, common);
    let mut starts = BTreeSet::new();
    let mut single = BTreeSet::new();
    for unit in own.open() {
        match unit.path {
            Path::Exact(path) => single.insert(&**path),
            Path::Prefix(start) => starts.insert(&**start),
            Path::Parameters(parameters) => starts.insert(&*parameters.start),
        };
    }
    let is_below = |path: &str, starts: &BTreeSet<&str>| {
        let mut starts = starts.iter();
        starts.any(|start| path.len() > start.len() && path.starts_with(start))
    };
    let all = starts.clone();
    starts.retain(|start| !is_below(start, &all));
    single.retain(|path| !starts.contains(path) && !is_below(path, &starts));
    let mut entries = Vec::new();
    for path in &single {
        let units = joined(tiers, path, &[path]);
        let made = making.leaf(Kind::Path, path, &units, &[], || {
            Some(leaf::last(&units, common))
        });
        entries.extend(made.map(|made| (guard::path_is(path), made)));
    }
    for start in &starts {
        let tree = making.joined(tiers, start);
        let tree = tree.map(|tree| encode::matcher(&tree));
        entries.extend(tree.map(|tree| (guard::path_begins(start), tree)));
    }
    let rest = making.own(
        own,
        |path| starts.contains(path) || is_below(path, &starts),
        &single,
    );
    *made = making.made;
    if entries.is_empty() {
        rest
    } else {
        Some(encode::matcher(&encode::matcher_list(
            entries
                .iter()
                .map(|(guard, made)| (encode::predicate(guard), made)),
            rest.as_deref(),
        )))
    }
}

impl<'a> Making<'a> {
    fn new(before: &'a Made, common: Option<&'a Bytes>) -> Self {
        Self {
            before,
            common,
            made: Made::default(),
        }
    }

    /// The tree of a tier's own routes, without some paths, and without the exact ones that are said elsewhere.
    fn own(
        &mut self,
        tier: &Tier,
        without: impl Fn(&str) -> bool,
        single: &BTreeSet<&str>,
    ) -> Option<Bytes> {
        let paths = tier.below(ROOT).filter(|(path, _)| !without(path));
        let paths: Vec<_> = paths.collect();
        let leaves = divide(ROOT, &paths);
        let made = leaves.iter().filter_map(|Leaf { key, paths }| {
            let exact = paths.iter().filter(|path| !single.contains(*path));
            let mut units: Vec<Unit> = exact.flat_map(|path| tier.exact(path)).collect();
            units.extend(longest_first(paths).flat_map(|path| tier.prefix(path)));
            self.passing(tier, key, units).map(|made| (*key, made))
        });
        let mut made: Vec<_> = made.collect();
        match made.as_mut_slice() {
            [] => None,
            [(ROOT, _)] => made.pop().map(|(_, only)| only),
            _ => Some(encode::matcher(&encode::path_tree(&made))),
        }
    }

    /// A leaf that passes on.
    fn passing(&mut self, tier: &Tier, key: &str, mut units: Vec<Unit>) -> Option<Bytes> {
        if let Some(last) = units.iter().position(|unit| unit.takes_all(key)) {
            units.truncate(last + 1);
        }
        let undecided = units.iter().filter(|unit| !unit.part.conditions.complete);
        let after: Vec<Unit> = undecided.flat_map(|unit| tier.after(*unit)).collect();
        let common = self.common;
        self.leaf(Kind::Own, key, &units, &after, || {
            leaf::passing(&units, key, tier, common)
        })
    }

    /// The matcher of all that requests whose path begins like this can match, in several tiers.
    fn joined(&mut self, tiers: &[&Tier], root: &str) -> Option<Bytes> {
        let mut paths: Vec<(&str, usize)> = Vec::new();
        for (at, tier) in tiers.iter().enumerate() {
            let before = &tiers[..at];
            paths.extend(tier.below(root).filter(|(path, _)| !hidden(before, path)));
        }
        paths.sort_unstable();
        paths.dedup_by(|(path, count), (kept, sum)| {
            let same = path == kept;
            if same {
                *sum += *count;
            }
            same
        });
        let made: Vec<_> = divide(root, &paths)
            .iter()
            .filter_map(|Leaf { key, paths }| {
                let units = joined(tiers, key, paths);
                let made = match (tiers, passed_on(&units, key)) {
                    ([tier], Some(own)) if *key != root => {
                        self.passing(tier, key, units[..own].to_vec())
                    }
                    _ => {
                        let common = self.common;
                        let make = || Some(leaf::last(&units, common));
                        self.leaf(Kind::Joined, key, &units, &[], make)
                    }
                };
                made.map(|made| (*key, made))
            })
            .collect();
        (!made.is_empty()).then(|| encode::path_tree(&made).into())
    }

    fn leaf(
        &mut self,
        kind: Kind,
        key: &str,
        units: &[Unit],
        after: &[Unit],
        make: impl FnOnce() -> Option<envoy_types::pb::xds::r#type::matcher::v3::matcher::OnMatch>,
    ) -> Option<Bytes> {
        let serials: Vec<u64> = units.iter().chain(after).map(|unit| unit.serial).collect();
        let place = (kind, Box::from(key));
        let encoded = match self.before.leaves.get(&place) {
            Some((of, encoded)) if *of == serials => encoded.clone(),
            _ => encode::on_match(&make()?),
        };
        let made = self.made.leaves.entry(place);
        made.or_insert_with(|| (serials, encoded.clone()));
        Some(encoded)
    }
}

/// What requests that end at a leaf can match, in order, as far as one takes all of them.
fn joined<'a>(tiers: &[&'a Tier], key: &'a str, paths: &[&str]) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    for (at, tier) in tiers.iter().enumerate() {
        let shown = |path: &&&str| !hidden(&tiers[..at], path);
        let exact = paths.iter().filter(shown);
        units.extend(exact.flat_map(|path| tier.exact(path)));
        let longer = longest_first(paths).filter(|path| *path != key && shown(&path));
        units.extend(longer.flat_map(|path| tier.prefix(path)));
        for unit in tier.chain(key) {
            units.push(unit);
            if unit.takes_all(key) {
                return units;
            }
        }
    }
    units
}

/// How many of a leaf's candidates are for its own paths, where it passes on those that are for shorter ones: because they
/// are many, or some have addresses.
fn passed_on(units: &[Unit], key: &str) -> Option<usize> {
    let shorter =
        |unit: &Unit| unit.path.start().len() < key.len() && !matches!(unit.path, Path::Exact(_));
    let own = units.iter().position(shorter)?;
    let (units, others) = units.split_at(own);
    let repeats =
        others.len() <= REPEATED && others.iter().all(|unit| unit.part.addresses.is_empty());
    let decided = units.iter().all(|unit| unit.part.conditions.complete);
    (!repeats && decided).then_some(own)
}

fn hidden(before: &[&Tier], path: &str) -> bool {
    before.iter().any(|tier| tier.closes(path))
}

fn longest_first<'a>(paths: &[&'a str]) -> impl Iterator<Item = &'a str> + use<'a> {
    let mut paths = paths.to_vec();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    paths.into_iter()
}
