//! A gateway's routes as one RouteConfiguration, kept encoded, so that a change costs the parts it touches.
//!
//! There is one virtual host, whose match tree asks for the host first ([`hosts`]): the exact host, then the wildcards that
//! cover it from longer to shorter, then what is for any host. Each of these is a *tier*, whose tree asks for the path
//! ([`tree`]): the longest key that the path begins with leads to a *leaf* ([`leaf`]), a short list of candidates of which the
//! first that matches wins: the exact path, then longer to shorter prefixes (with parameters: what stands before the first);
//! then priority; then the longer path as it is written; then id. What a leaf passes on goes to shorter keys, and what a tier
//! passes on to the next tier: so every route stands there once, whatever hosts there are.

mod action;
mod address;
mod cell;
mod common;
mod division;
mod encode;
mod guard;
mod hosts;
mod layout;
mod leaf;
#[cfg(test)]
mod reading;
mod scopes;
mod tables;
#[cfg(test)]
mod tests;
mod tier;
mod translated;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::model::{Host, Id};
use cell::Domain;
use common::Policies;
use division::Section;
use encode::ForAll;
use tier::Tier;
use translated::Translated;
use tree::Made;

pub(super) use cell::{CELL_HEADER, expression as cell_expression};
pub use tables::{News, RouteTables};

/// What became of a tier.
#[derive(Debug, Default)]
struct Branch {
    made: Made,
    /// The matcher of the routes without host; of a host's what stands behind "on match". Nothing where there is no route.
    encoded: Option<Bytes>,
    /// Whether it holds what is for requests that its own routes pass on, as only they can decide about them.
    joins: bool,
}

/// One route table, for all requests of a gateway or a section of them.
#[derive(Debug)]
struct RouteTable {
    name: Arc<str>,
    section: Section,
    /// Whether requests carry the number of their cell.
    numbered: bool,
    routes: HashMap<Id, Arc<Translated>>,
    /// The routes of each host, and of none. A host without routes is not there.
    tiers: BTreeMap<Domain, Tier>,
    /// A branch of the tree for each of the above.
    branches: BTreeMap<Domain, Branch>,
    /// The tiers that are others than when their branches were made.
    changed: BTreeSet<Domain>,
    policies: Policies,
    /// The retry policy that the branches leave to the table.
    common: Option<Bytes>,
    /// The number of the newest candidate.
    serial: u64,
}

impl RouteTable {
    /// An empty table, under the name that proxies ask for.
    fn new(gateway: &str, section: Section) -> Self {
        Self {
            name: section.table(gateway).into(),
            section,
            numbered: false,
            routes: HashMap::new(),
            tiers: BTreeMap::new(),
            branches: BTreeMap::new(),
            changed: BTreeSet::new(),
            policies: Policies::default(),
            common: None,
            serial: 0,
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Requests carry the number of their cell, or do not any more: upstreams do not see it.
    fn number(&mut self, numbered: bool) {
        self.numbered = numbered;
    }

    /// Puts a route in the place of the one with this id, or takes that away. Tells whether the table is another for it: a
    /// route whose nodes change is not.
    fn replace(&mut self, id: &Id, route: Option<&Arc<Translated>>) -> bool {
        if let (Some(new), Some(old)) = (route, self.routes.get(id))
            && new.is_same(old)
        {
            self.routes.insert(id.clone(), new.clone());
            return false;
        }
        let mut changed = false;
        if let Some(old) = self.routes.remove(id) {
            for (domain, path, parts) in old.places(self.section) {
                self.policies.remove(parts);
                if let Some(tier) = self.tiers.get_mut(domain) {
                    tier.remove(path, &old.route);
                    if tier.is_empty() {
                        self.tiers.remove(domain);
                    }
                    changed = true;
                    self.changed.insert(domain.clone());
                }
            }
        }
        if let Some(new) = route {
            for (domain, path, parts) in new.places(self.section) {
                self.serial += 1;
                self.policies.add(parts);
                let tier = self.tiers.entry(domain.clone()).or_default();
                tier.insert(path, &new.route, parts.to_vec(), self.serial);
                changed = true;
                self.changed.insert(domain.clone());
            }
            if changed {
                self.routes.insert(id.clone(), new.clone());
            }
        }
        changed
    }

    /// The table as an encoded `envoy.config.route.v3.RouteConfiguration`, equal for equal routes whatever came before.
    fn encode(&mut self) -> Bytes {
        self.agree();
        let changed = std::mem::take(&mut self.changed);
        for domain in changed
            .iter()
            .filter(|domain| !self.tiers.contains_key(domain))
        {
            self.branches.remove(domain);
        }
        let joins = self.branches.iter().filter(|(_, branch)| branch.joins);
        let joins = joins.filter(|(host, _)| changed.iter().any(|domain| covers(domain, host)));
        let again: Vec<Domain> = joins.map(|(host, _)| host.clone()).collect();
        for domain in again.iter().chain(&changed) {
            self.make(domain);
        }
        self.assemble()
    }

    /// Follows what the routes have in common: where that is something else, all of them stand there in another form.
    fn agree(&mut self) {
        let common = self.policies.common();
        if common == self.common.as_ref() {
            return;
        }
        self.common = common.cloned();
        self.branches.clear();
        self.changed.extend(self.tiers.keys().cloned());
    }

    fn make(&mut self, domain: &Domain) {
        let tiers = tiers_of(&self.tiers, domain);
        let Some(own) = self.tiers.get(domain) else {
            return;
        };
        let branch = self.branches.entry(domain.clone()).or_default();
        branch.joins = domain.is_some() && own.open().next().is_some();
        branch.encoded = if domain.is_none() {
            tree::last(own, self.common.as_ref(), &mut branch.made)
        } else {
            tree::passing(&tiers, self.common.as_ref(), &mut branch.made)
        };
    }

    fn assemble(&self) -> Bytes {
        let branches = self.branches.iter();
        let hosts = branches.filter_map(|(host, branch)| {
            let host = host.as_ref()?;
            Some((host, branch.encoded.as_ref()?))
        });
        let hosts: Vec<_> = hosts.collect();
        let others = self.branches.get(&None);
        let others = others.and_then(|branch| branch.encoded.clone());
        let matcher = if hosts.is_empty() {
            others
        } else {
            let others = others.map(|others| encode::matcher(&others));
            Some(hosts::matcher(hosts, others.as_ref()).into())
        };
        let all = ForAll {
            retry_policy: self.common.as_ref(),
            retries: self.policies.retry(),
            numbered: self.numbered,
        };
        encode::route_configuration(&self.name, matcher.as_deref(), &all)
    }
}

/// Whether requests for that host go through the tier of this one.
fn covers(domain: &Domain, host: &Domain) -> bool {
    match (domain, host) {
        (None, _) => true,
        (Some(Host::Suffix(suffix)), Some(Host::Exact(name) | Host::Suffix(name))) => {
            name.ends_with(&**suffix)
        }
        (domain, host) => domain == host,
    }
}

/// The tiers that a host's requests go through: its own, the wildcards that cover it from longer to shorter, and
/// the one without host.
fn tiers_of<'a>(tiers: &'a BTreeMap<Domain, Tier>, host: &Domain) -> Vec<&'a Tier> {
    let mut domains = vec![host.clone()];
    if let Some(Host::Exact(name) | Host::Suffix(name)) = host {
        let dots = name.match_indices('.').filter(|(at, _)| *at > 0);
        domains.extend(dots.map(|(at, _)| Some(Host::Suffix(name[at..].into()))));
        domains.push(None);
    }
    domains
        .iter()
        .filter_map(|domain| tiers.get(domain))
        .collect()
}
