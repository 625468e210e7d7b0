//! What becomes of requests that no route takes while there are global rules, whose plugins see all requests: a route of
//! Chancery's own behind all others, without an upstream, so that it answers as if it were not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::route::Sources;
use super::{Changes, Documents, Route};
use crate::model::key::{Id, Key};
use crate::model::{Path, Timeout};
use crate::plugin::Plugins;

/// Under which the route is in force, as others are under their documents' paths.
const PATH: &str = "routes/chancery.no-route";

/// What is wrong with a document of its id.
pub(super) const TAKEN: &str =
    "has the id of what requests take that no route takes, allowed: any other";

impl Documents {
    /// Takes up the global rules, and the gateways, where they are others than before.
    pub(super) fn settle_no_route(&mut self, changes: &mut Changes) {
        let path = Arc::from(PATH);
        let rules = self.rules.in_force().values();
        let plugins = rules.fold(Plugins::default(), |all, rule| all.below(rule));
        let paths = self.in_force.gateways.keys();
        let gateways = paths.filter_map(|path| Some(path.parse::<Key>().ok()?.id));
        // In an order, so that it is known whether they are the same.
        let gateways: BTreeSet<Id> = gateways.collect();
        let gateways: Vec<Id> = gateways.into_iter().collect();
        let is_needed = !plugins.is_empty() && !gateways.is_empty();
        let before = self.in_force.routes.get(&path);
        let is_same = match before {
            Some(before) => {
                is_needed
                    && Arc::ptr_eq(&before.sources.rules, &self.rule_texts)
                    && before.gateways == gateways
            }
            None => !is_needed,
        };
        if is_same {
            return;
        }
        let route = is_needed.then(|| {
            Arc::new(Route {
                id: Id::no_route(),
                revision: self
                    .rule_texts
                    .iter()
                    .map(|one| one.revision)
                    .max()
                    .unwrap_or(0),
                gateways,
                hosts: Vec::new(),
                paths: vec![Path::Prefix("/".into())],
                methods: BTreeSet::new(),
                addresses: Vec::new(),
                vars: None,
                priority: i32::MIN,
                websocket: false,
                timeout: Timeout::default(),
                counted_as: None,
                plugins,
                cluster: None,
                sources: Sources {
                    own: Box::default(),
                    rules: self.rule_texts.clone(),
                },
            })
        });
        self.place(&path, Id::no_route(), route, changes);
    }

    /// The document that a route is made of: of what requests take that no route takes, the first global rule.
    pub fn behind(&self, route: &Id) -> String {
        match self.rules.in_force().keys().next() {
            Some(rule) if route.is_no_route() => rule.to_string(),
            _ => format!("routes/{route}"),
        }
    }
}
