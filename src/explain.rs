//! Which route gets a request, which others were considered, and why they lost: the reference of matching. It says in plain
//! words what the route tables of `translate` have to mean, and shares nothing with them but the model: tests compare both.
//!
//! The host goes first: an exact one, then the longest wildcard, then none. Then the path: an exact one, then the longest start
//! (of a path with parameters, what stands before the first). Then the priority, then the longer path as it is written, then
//! the id. Methods, addresses and `vars` keep a request out; then it goes on to the next candidate, whatever its host and path.
//!
//! No async, no clock, no I/O.

mod shadowed;

use std::cmp::Reverse;
use std::sync::Arc;

use crate::documents::Route;
use crate::model::path::Parameters;
use crate::model::{Host, Id, Path, Request};

pub use shadowed::shadowed;

/// A route whose host and path fit the request.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub route: &'a Arc<Route>,
    /// The one of its hosts that fits best; nothing when it answers to any.
    pub host: Option<&'a Host>,
    /// The one of its paths that fits best.
    pub path: &'a Path,
    pub verdict: Verdict,
}

/// What came of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wins,
    /// It would get the request, if another did not come first.
    Later,
    /// It is for other methods.
    Method,
    /// It is for other clients.
    Address,
    /// A condition of its `vars` does not hold, in words.
    Vars(String),
}

/// What came of all routes of a gateway.
#[derive(Debug, Clone, Default)]
pub struct Explanation<'a> {
    /// The candidates, in the order in which they are tried.
    pub candidates: Vec<Candidate<'a>>,
    /// How many routes have another host.
    pub other_host: usize,
    /// How many have another path.
    pub other_path: usize,
}

impl<'a> Explanation<'a> {
    /// The route that gets the request; none is a 404.
    pub fn winner(&self) -> Option<&'a Arc<Route>> {
        let wins = |candidate: &&Candidate| candidate.verdict == Verdict::Wins;
        self.candidates.iter().find(wins).map(|one| one.route)
    }
}

/// Tries all routes of a gateway.
pub fn explain<'a>(
    routes: impl IntoIterator<Item = &'a Arc<Route>>,
    request: &Request,
) -> Explanation<'a> {
    let mut explanation = Explanation::default();
    let asked = request.host();
    let mut ranked = Vec::new();
    for route in routes {
        let Some((host_rank, host)) = best_host(route, &asked) else {
            explanation.other_host += 1;
            continue;
        };
        let paths = route.paths.iter();
        let fitting = paths.filter_map(|path| Some((path_rank(path, &request.path)?, path)));
        let best = fitting.min_by_key(|((place, length), _)| (*place, *length));
        let Some(((place, length), path)) = best else {
            explanation.other_path += 1;
            continue;
        };
        let order = (host_rank, place, Reverse(route.priority), length, &route.id);
        ranked.push((order, route, host, path));
    }
    ranked.sort_by_key(|(order, ..)| *order);
    let mut won = false;
    for (_, route, host, path) in ranked {
        let verdict = match kept_out(route, request) {
            Some(reason) => reason,
            None if won => Verdict::Later,
            None => Verdict::Wins,
        };
        won |= verdict == Verdict::Wins;
        explanation.candidates.push(Candidate {
            route,
            host,
            path,
            verdict,
        });
    }
    explanation
}

/// What keeps a request out of a route whose host and path fit.
fn kept_out(route: &Route, request: &Request) -> Option<Verdict> {
    if !route.methods.is_empty() && !route.methods.contains(&request.method) {
        return Some(Verdict::Method);
    }
    let within = route
        .addresses
        .iter()
        .any(|net| net.contains(&request.address));
    if !route.addresses.is_empty() && !within {
        return Some(Verdict::Address);
    }
    let failing = route.vars.as_ref().and_then(|vars| vars.failing(request));
    failing.map(Verdict::Vars)
}

/// Exact hosts, then wildcards from long to short, then none.
type HostRank = (u8, Reverse<usize>);

fn best_host<'a>(route: &'a Route, asked: &str) -> Option<(HostRank, Option<&'a Host>)> {
    if route.hosts.is_empty() {
        return Some(((2, Reverse(0)), None));
    }
    let rank = |host: &'a Host| match host {
        Host::Exact(name) => (**name == *asked).then_some(((0, Reverse(0)), Some(host))),
        Host::Suffix(suffix) => {
            let fits = asked.len() > suffix.len() && asked.ends_with(&**suffix);
            fits.then_some(((1, Reverse(suffix.len())), Some(host)))
        }
    };
    route
        .hosts
        .iter()
        .filter_map(rank)
        .min_by_key(|(rank, _)| *rank)
}

/// Exact paths, then starts from long to short; and how long the path is as it is written, which counts behind the priority.
type PathRank = ((u8, Reverse<usize>), Reverse<usize>);

fn path_rank(path: &Path, asked: &str) -> Option<PathRank> {
    let from = |start: &str, rest: usize| ((1, Reverse(start.len())), Reverse(start.len() + rest));
    match path {
        Path::Exact(path) => (**path == *asked).then_some(((0, Reverse(0)), Reverse(0))),
        Path::Prefix(start) => asked.starts_with(&**start).then(|| from(start, 1)),
        Path::Parameters(Parameters { start, rest }) => {
            let fits = asked
                .strip_prefix(&**start)
                .is_some_and(|asked| fits(rest, asked));
            fits.then(|| from(start, rest.len()))
        }
    }
}

/// Whether segments are the wanted ones, of which those with a `:` are any that is not empty, and `*` is all that follows.
fn fits(wanted: &str, asked: &str) -> bool {
    let mut left = Some(asked);
    for wanted in wanted.split('/') {
        let Some(asked) = left else { return false };
        if wanted == "*" {
            return true;
        }
        let (segment, after) = match asked.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (asked, None),
        };
        let same = if wanted.starts_with(':') {
            !segment.is_empty()
        } else {
            segment == wanted
        };
        if !same {
            return false;
        }
        left = after;
    }
    left.is_none()
}

/// The id of the route that gets a request.
pub fn winner<'a>(
    routes: impl IntoIterator<Item = &'a Arc<Route>>,
    request: &Request,
) -> Option<Id> {
    explain(routes, request)
        .winner()
        .map(|route| route.id.clone())
}

#[cfg(test)]
mod tests;
