//! What a table says once for all its routes: the retry policy that most of them have, as a route's own is in the place of the
//! virtual host's as a whole; and whether the filter is needed that only matters where requests are repeated.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::tier::Part;

/// How often each retry policy stands in a table.
#[derive(Debug, Default)]
pub(super) struct Policies {
    counts: BTreeMap<Bytes, usize>,
    /// How many routes try again.
    retrying: usize,
}

impl Policies {
    pub fn add(&mut self, parts: &[Part]) {
        self.retrying += retrying(parts);
        for policy in policies(parts) {
            *self.counts.entry(policy.clone()).or_default() += 1;
        }
    }

    pub fn remove(&mut self, parts: &[Part]) {
        self.retrying -= retrying(parts);
        for policy in policies(parts) {
            if let Some(count) = self.counts.get_mut(policy) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(policy);
                }
            }
        }
    }

    /// Whether any route tries again.
    pub fn retry(&self) -> bool {
        self.retrying > 0
    }

    /// The one that takes the most bytes where it stands with its routes; nothing where none stands there twice. Of what is
    /// there alone, so that equal routes make equal tables.
    pub fn common(&self) -> Option<&Bytes> {
        let several = self.counts.iter().filter(|(_, count)| **count > 1);
        let most = several.max_by_key(|(policy, count)| (policy.len() * **count, Reverse(*policy)));
        most.map(|(policy, _)| policy)
    }
}

fn retrying(parts: &[Part]) -> usize {
    let routes = parts.iter().flat_map(|part| &part.routes);
    routes.filter(|route| route.retries()).count()
}

fn policies(parts: &[Part]) -> impl Iterator<Item = &Bytes> {
    let routes = parts.iter().flat_map(|part| &part.routes);
    routes.filter_map(|route| route.retry_policy())
}
