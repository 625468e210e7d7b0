//! Routes that no request reaches, since another comes first for all that they are for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::documents::Route;
use crate::model::{Host, Id, Path};

/// How many of those that come first at a place are looked at.
const LOOKED_AT: usize = 100;

/// A host, or any, and a path. Only routes of the same one can hide each other whole: what is more particular goes first, and is
/// not for all of the rest.
type Place<'a> = (Option<&'a Host>, &'a Path);

/// The routes of a gateway that are hidden, each with the one that hides it, or its first part.
pub fn shadowed<'a>(routes: impl Iterator<Item = &'a Arc<Route>>) -> BTreeMap<&'a Id, &'a Id> {
    let mut routes: Vec<_> = routes.collect();
    routes.sort_by_key(|route| (Reverse(route.priority), &route.id));
    let mut first: HashMap<Place, Vec<&Route>> = HashMap::new();
    let mut hidden = BTreeMap::new();
    for route in routes {
        let by = |place: Place<'a>| {
            let before = first.get(&place).into_iter().flatten();
            before
                .take(LOOKED_AT)
                .find(|before| takes_all(before, route))
        };
        let by: Option<Vec<_>> = places(route).map(by).collect();
        hidden.extend(by.and_then(|by| Some((&route.id, &by.first()?.id))));
        for place in places(route) {
            first.entry(place).or_default().push(route);
        }
    }
    hidden
}

fn places(route: &Route) -> impl Iterator<Item = Place<'_>> {
    let any = route.hosts.is_empty().then_some(None);
    let hosts = route.hosts.iter().map(Some).chain(any);
    hosts.flat_map(|host| route.paths.iter().map(move |path| (host, path)))
}

/// Whether the first keeps nothing out that the second would take.
fn takes_all(first: &Route, second: &Route) -> bool {
    let methods = first.methods.is_empty()
        || !second.methods.is_empty() && second.methods.is_subset(&first.methods);
    let addresses = first.addresses.is_empty() || first.addresses == second.addresses;
    methods && addresses && (first.vars.is_none() || first.vars == second.vars)
}
