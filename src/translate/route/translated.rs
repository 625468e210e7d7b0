//! A route, translated once for all tables that it stands in.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::action;
use super::cell::Domain;
use super::division::Section;
use super::encode::Listed;
use super::tier::Part;
use crate::documents::Route;
use crate::model::Path;

/// A route with what it becomes for each of its paths.
#[derive(Debug)]
pub(super) struct Translated {
    pub route: Arc<Route>,
    /// Its hosts, each once.
    domains: BTreeSet<Domain>,
    /// Without those whose conditions exclude each other.
    paths: Vec<(Path, Vec<Part>)>,
}

impl Translated {
    pub fn new(route: Arc<Route>) -> Self {
        let domains = match route.hosts.as_slice() {
            [] => BTreeSet::from([None]),
            hosts => hosts.iter().cloned().map(Some).collect(),
        };
        let paths = route.paths.iter();
        let paths = paths.map(|path| (path.clone(), parts(&route, path)));
        let paths = paths.filter(|(_, parts)| !parts.is_empty()).collect();
        Self {
            route,
            domains,
            paths,
        }
    }

    /// Whether it stands in the same places as another, and has become the same there.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.route.priority, &self.domains, &self.paths)
            == (other.route.priority, &other.domains, &other.paths)
    }

    /// Each host with each path, of those that a table is for.
    pub fn places(&self, section: Section) -> impl Iterator<Item = (&Domain, &Path, &[Part])> {
        let all = self.everywhere();
        all.filter(move |(domain, path, _)| section.has(domain, path))
    }

    /// Each host with each path.
    pub fn everywhere(&self) -> impl Iterator<Item = (&Domain, &Path, &[Part])> + Clone {
        self.domains.iter().flat_map(|domain| {
            let paths = self.paths.iter();
            paths.map(move |(path, parts)| (domain, path, parts.as_slice()))
        })
    }
}

/// What a route becomes for one of its paths; nothing when its conditions exclude each other.
pub(super) fn parts(route: &Route, path: &Path) -> Vec<Part> {
    let translated = action::translate(route, path).into_iter();
    let part = |(addresses, conditions, routes): (_, _, Vec<_>)| Part {
        addresses,
        conditions,
        routes: routes.into_iter().map(Listed::new).collect(),
    };
    translated.map(part).collect()
}
