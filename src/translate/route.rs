//! A gateway's routes as one RouteConfiguration, kept encoded, so that a change costs the parts it touches.
//!
//! Each host that a route names is a virtual host, and so is "any host". A virtual host is a match tree: the longest key
//! that the request's path begins with leads to a *leaf*, a short list of candidates of which the first that matches wins.
//! Envoy never leaves a leaf again, so each holds all that a request which ends there can match, in the order that a user
//! expects: the host's own routes, then those of shorter and shorter wildcards, then those without host; among these the
//! exact path, then longer to shorter prefixes (with parameters: what stands before the first); then priority; then the longer
//! path as it is written; then id. The keys are the paths of all these routes.

mod action;
mod address;
mod encode;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod tests;
mod tier;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::documents::Route;
use crate::model::{Host, Id, Path};
use tier::{Candidate, Part, Tier};

/// What a virtual host answers to; nothing stands for any host.
type Domain = Option<Host>;

#[derive(Debug)]
struct VirtualHost {
    /// What stands before its tree, encoded.
    head: Bytes,
    /// Its leaves by key, each as it stands encoded in the tree: empty where the key is not needed, and nothing where the
    /// leaf has to be made again.
    leaves: BTreeMap<Arc<str>, Option<Bytes>>,
}

/// A gateway's route table.
#[derive(Debug)]
pub struct RouteTable {
    name: Arc<str>,
    routes: HashMap<Id, Arc<Route>>,
    /// The routes of each host, and of none. A host without routes is not there.
    tiers: BTreeMap<Domain, Tier>,
    /// A virtual host for each of the above.
    hosts: BTreeMap<Domain, VirtualHost>,
}

impl RouteTable {
    /// An empty table, under the name that listeners ask for: the gateway's.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            routes: HashMap::new(),
            tiers: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// Puts a route in the place of the one with this id, or takes that away. Tells whether the table is another for it: a
    /// route whose nodes change is not.
    pub fn replace(&mut self, id: &Id, route: Option<Arc<Route>>) -> bool {
        let parts = route.as_ref().map_or_else(Vec::new, |route| {
            let paths = route.paths.iter();
            paths.map(|path| parts(route, path)).collect()
        });
        if let Some(new) = &route
            && self.holds(new, &parts)
        {
            self.routes.insert(id.clone(), new.clone());
            return false;
        }
        let mut touched = BTreeSet::new();
        if let Some(old) = self.routes.remove(id) {
            for (domain, path) in places(&old) {
                if let Some(tier) = self.tiers.get_mut(&domain) {
                    tier.remove(&path, &old);
                }
                touched.insert((domain, path));
            }
        }
        if let Some(new) = route {
            let paths = new.paths.iter().zip(parts);
            for (path, parts) in paths.filter(|(_, parts)| !parts.is_empty()) {
                for domain in domains(&new) {
                    let tier = self.tiers.entry(domain.clone()).or_default();
                    tier.insert(path, &new, parts.clone());
                    touched.insert((domain, path.clone()));
                }
            }
            self.routes.insert(id.clone(), new);
        }
        let changed = !touched.is_empty();
        for (domain, path) in touched {
            self.touch(&domain, &path);
        }
        changed
    }

    /// Whether the table has a route in the same places, which becomes the same for each of its paths.
    fn holds(&self, new: &Route, parts: &[Vec<Part>]) -> bool {
        let Some(old) = self.routes.get(&new.id) else {
            return false;
        };
        (&old.paths, old.priority, domains(old)) == (&new.paths, new.priority, domains(new))
            && new.paths.iter().zip(parts).all(|(path, parts)| {
                let has = |domain| {
                    self.tiers
                        .get(domain)
                        .map_or(&[][..], |tier| tier.find(path, new))
                };
                domains(new).iter().all(|domain| has(domain) == parts)
            })
    }

    /// The table as an encoded `envoy.config.route.v3.RouteConfiguration`, equal for equal routes whatever came before.
    pub fn encode(&mut self) -> Bytes {
        for (domain, host) in &mut self.hosts {
            let mut made = None;
            for (key, leaf) in host.leaves.iter_mut().filter(|(_, leaf)| leaf.is_none()) {
                let tiers = made.get_or_insert_with(|| tiers_of(&self.tiers, domain));
                *leaf = Some(
                    candidates(tiers, key).map_or_else(Bytes::new, |all| encode::leaf(key, &all)),
                );
            }
        }
        encode::route_configuration(&self.name, self.hosts.values())
    }

    /// Marks what a path of a host's routes has a part in: leaves at and below it, in all virtual hosts that the host covers.
    fn touch(&mut self, domain: &Domain, path: &Path) {
        if self.tiers.get(domain).is_some_and(Tier::is_empty) {
            self.tiers.remove(domain);
            self.hosts.remove(domain);
        }
        if self.tiers.contains_key(domain) && !self.hosts.contains_key(domain) {
            let keys = tiers_of(&self.tiers, domain)
                .into_iter()
                .flat_map(Tier::keys);
            let leaves = keys.map(|key| (key.clone(), None)).collect();
            self.hosts.insert(
                domain.clone(),
                VirtualHost {
                    head: encode::head(domain),
                    leaves,
                },
            );
        }
        let key = path.start();
        let hosts = match domain {
            Some(Host::Exact(_)) => self.hosts.range_mut(domain..=domain),
            Some(Host::Suffix(_)) | None => self.hosts.range_mut::<Domain, _>(..),
        };
        for (host, VirtualHost { leaves, .. }) in hosts.filter(|(host, _)| covers(domain, host)) {
            if tiers_of(&self.tiers, host)
                .iter()
                .any(|tier| tier.contains(key))
            {
                leaves.insert(key.clone(), None);
            } else {
                leaves.remove(key);
            }
            if !matches!(path, Path::Exact(_)) {
                let below = leaves.range_mut::<str, _>((Bound::Included(&**key), Bound::Unbounded));
                below
                    .take_while(|(below, _)| below.starts_with(&**key))
                    .for_each(|(_, leaf)| *leaf = None);
            }
        }
    }
}

/// What a route becomes for one of its paths; nothing when its conditions exclude each other.
fn parts(route: &Route, path: &Path) -> Vec<Part> {
    let translated = action::translate(route, path).into_iter();
    let part = |(addresses, routes): (_, Vec<_>)| Part {
        addresses,
        encoded: encode::routes(&routes),
    };
    translated.map(part).collect()
}

/// The hosts of a route, each once.
fn domains(route: &Route) -> BTreeSet<Domain> {
    match route.hosts.as_slice() {
        [] => BTreeSet::from([None]),
        hosts => hosts.iter().cloned().map(Some).collect(),
    }
}

fn places(route: &Route) -> impl Iterator<Item = (Domain, Path)> {
    domains(route).into_iter().flat_map(|domain| {
        route
            .paths
            .iter()
            .map(move |path| (domain.clone(), path.clone()))
    })
}

/// Whether a route with this host is meant by requests for that virtual host.
fn covers(domain: &Domain, host: &Domain) -> bool {
    match (domain, host) {
        (None, _) => true,
        (Some(Host::Suffix(suffix)), Some(Host::Exact(name) | Host::Suffix(name))) => {
            name.ends_with(&**suffix)
        }
        (domain, host) => domain == host,
    }
}

/// The tiers that a virtual host's requests go through: its own, the wildcards that cover it from longer to shorter, and
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

/// What a request that ends at this key can match, in order. Nothing comes after a candidate that takes all of them; when
/// that hides every route that has the key for its path, the next shorter key says the same, and this one is not needed.
fn candidates<'a>(tiers: &[&'a Tier], key: &str) -> Option<Vec<&'a Candidate>> {
    let mut candidates = Vec::new();
    let mut needed = false;
    for (candidate, own) in tiers.iter().flat_map(|tier| tier.candidates(key)) {
        candidates.push(candidate);
        needed |= own;
        if candidate.takes_all {
            break;
        }
    }
    needed.then_some(candidates)
}
