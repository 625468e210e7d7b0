//! Which host a request is for, asked one letter group after the other: exact hosts by what they begin with, wildcards by what
//! they end with. What a host passes on goes to the wildcards that it ends with, from longer to shorter.
//!
//! Envoy's maps compare hosts as they stand in the request, and clients write capitals and ports; so these are predicates, of
//! which a request sees as many as there are letters to tell hosts apart.

use std::cmp::Reverse;

use bytes::Bytes;

use super::{encode, guard};
use crate::model::Host;

/// How many hosts stand beside each other at most, without a question before them.
const FEW: usize = 4;
/// How many questions are within each other at most: Envoy reads messages only so deep.
const DEEP: usize = 8;

/// A host and its tree.
pub(super) type Served<'a> = (&'a Host, &'a Bytes);

/// A host in the order of its letters, from the end where it is a wildcard.
struct Entry<'a> {
    letters: Vec<u8>,
    served: Served<'a>,
}

/// The matcher of all requests: for hosts, and for those that they pass on.
pub(super) fn matcher(hosts: Vec<Served>, others: Option<&Bytes>) -> Vec<u8> {
    let (mut exact, mut wild) = (Vec::new(), Vec::new());
    for served in hosts {
        match served.0 {
            Host::Exact(name) => exact.push(Entry {
                letters: name.bytes().collect(),
                served,
            }),
            Host::Suffix(name) => wild.push(Entry {
                letters: name.bytes().rev().collect(),
                served,
            }),
        }
    }
    let mut entries = Vec::new();
    for all in [&mut exact, &mut wild] {
        all.sort_unstable_by(|a, b| a.letters.cmp(&b.letters));
        entries.extend(divided(all, 0, 0));
    }
    let entries = entries.iter().map(|(guard, made)| (guard.clone(), made));
    encode::matcher_list(entries, others.map(|others| &**others))
}

/// The entries of hosts that have so many letters in common.
fn divided(all: &[Entry], common: usize, depth: usize) -> Vec<(Bytes, Bytes)> {
    if all.len() <= FEW || depth == DEEP {
        return singles(all);
    }
    let next = |entry: &Entry| entry.letters.get(common).copied();
    let mut entries = Vec::new();
    let mut own = Vec::new();
    for group in all.chunk_by(|a, b| next(a) == next(b)) {
        // The host that has no further letters is for what the longer ones pass on.
        if next(&group[0]).is_none() {
            own = singles(group);
            continue;
        }
        match asked(group) {
            Some((guard, length)) if group.len() > 1 => {
                let inner = divided(group, length, depth + 1);
                let inner = inner.iter().map(|(guard, made)| (guard.clone(), made));
                let inner = encode::matcher_list(inner, None);
                entries.push((encode::predicate(&guard), encode::matcher(&inner)));
            }
            _ => entries.extend(singles(group)),
        }
    }
    entries.extend(own);
    entries
}

/// What tells these from others, and how many letters that are.
fn asked(group: &[Entry]) -> Option<(guard::Predicate, usize)> {
    let (first, last) = (group.first()?, group.last()?);
    let letters = first.letters.iter().zip(&last.letters);
    let length = letters.take_while(|(a, b)| a == b).count();
    let guard = match first.served.0 {
        Host::Exact(name) => guard::host_begins(&name[..length]),
        Host::Suffix(name) => guard::host_ends(&name[name.len() - length..])?,
    };
    Some((guard, length))
}

/// Each by itself, the longest first.
fn singles(all: &[Entry]) -> Vec<(Bytes, Bytes)> {
    let mut all: Vec<&Entry> = all.iter().collect();
    all.sort_by_key(|entry| Reverse(entry.letters.len()));
    let entries = all.into_iter().filter_map(|entry| {
        let (host, made) = entry.served;
        Some((encode::predicate(&guard::host_is(host)?), made.clone()))
    });
    entries.collect()
}
