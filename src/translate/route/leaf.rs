//! A leaf of the match tree: candidates in the order in which they are tried.
//!
//! A list of routes that was led to is never left again. So where others come after the leaf, predicates ask for everything
//! first, and lead to routes that then match. Conditions that no predicate can ask for are asked by a list that goes on with
//! all that its requests could match otherwise.

use bytes::Bytes;
use envoy_types::pb::xds::r#type::matcher::v3::Matcher;
use envoy_types::pb::xds::r#type::matcher::v3::matcher::{
    MatcherList, MatcherType, OnMatch,
    matcher_list::{FieldMatcher, Predicate},
    on_match,
};

use super::tier::{Part, Tier, Unit};
use super::{address, encode, guard};
use crate::model::Path;

/// A leaf behind which nothing comes: what is in none of its candidates is nobody's.
pub(super) fn last(units: &[Unit], common: Option<&Bytes>) -> OnMatch {
    let (guarded, tail) = units.split_at(tail(units));
    let entries = entries(guarded, None, common);
    if entries.is_empty() {
        return list(tail, common);
    }
    matcher(entries, Some(list(tail, common)))
}

/// A leaf that passes on what none of its candidates takes, or that ends with one that takes all. The candidates that
/// predicates do not decide about have one in their tier that takes all.
pub(super) fn passing(
    units: &[Unit],
    key: &str,
    tier: &Tier,
    common: Option<&Bytes>,
) -> Option<OnMatch> {
    if units.last().is_some_and(|last| last.takes_all(key)) {
        return Some(last(units, common));
    }
    let entries = entries(units, Some(tier), common);
    (!entries.is_empty()).then(|| matcher(entries, None))
}

/// From where on candidates stand in one list: those that nobody's address decides about, and all from the first that only
/// its routes can decide about.
fn tail(units: &[Unit]) -> usize {
    let asks = |unit: &Unit| !unit.part.addresses.is_empty();
    let of_any = units.iter().rposition(asks).map_or(0, |at| at + 1);
    let undecided = units.iter().position(|unit| !unit.part.conditions.complete);
    undecided.map_or(of_any, |at| at.min(of_any))
}

fn list(units: &[Unit], common: Option<&Bytes>) -> OnMatch {
    let parts: Vec<&Part> = units.iter().map(|unit| unit.part).collect();
    address::on_match(&parts, common)
}

fn matcher(entries: Vec<FieldMatcher>, on_no_match: Option<OnMatch>) -> OnMatch {
    let matcher = Matcher {
        matcher_type: Some(MatcherType::MatcherList(MatcherList { matchers: entries })),
        on_no_match: on_no_match.map(Box::new),
    };
    OnMatch {
        on_match: Some(on_match::OnMatch::Matcher(Box::new(matcher))),
        ..OnMatch::default()
    }
}

fn entries(units: &[Unit], tier: Option<&Tier>, common: Option<&Bytes>) -> Vec<FieldMatcher> {
    let mut entries = Vec::new();
    let mut left = units;
    while let [first, ..] = left {
        let length = together(left);
        let (these, rest) = left.split_at(length);
        left = rest;
        let paths: Vec<&Path> = these.iter().map(|unit| unit.path).collect();
        let mut asked: Vec<Predicate> = guard::path_of(&paths).into_iter().collect();
        asked.extend(first.part.conditions.predicates.iter().cloned());
        let on_match = if first.part.conditions.complete {
            let addresses = first.part.addresses.iter();
            asked.extend(addresses.map(address::Addresses::predicate));
            encode::list(these.iter().map(|unit| unit.part), common)
        } else {
            let after = tier.into_iter().flat_map(|tier| tier.after(*first));
            let units: Vec<_> = [*first].into_iter().chain(after).collect();
            list(&units, common)
        };
        entries.push(FieldMatcher {
            predicate: guard::is_each_of(asked),
            on_match: Some(on_match),
        });
    }
    entries
}

/// How many of the first candidates one predicate leads to: those that ask the same of requests beside their paths.
fn together(units: &[Unit]) -> usize {
    let [first, rest @ ..] = units else { return 0 };
    let same = |unit: &&Unit| {
        unit.part.conditions == first.part.conditions && unit.part.addresses == first.part.addresses
    };
    if !first.part.conditions.complete {
        // The list of the first has the others of its path already.
        let same = |unit: &&Unit| same(unit) && unit.path == first.path;
        return 1 + rest.iter().take_while(same).count();
    }
    let mut paths = vec![first.path];
    for unit in rest.iter().take_while(same) {
        paths.push(unit.path);
        if !guard::fits(&paths) {
            paths.pop();
            break;
        }
    }
    paths.len()
}
