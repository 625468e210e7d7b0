//! What follows from the documents that were touched, and is different from what was told before.

use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::route::Sources;
use super::{Changes, Documents, Route, no_route, resolve, sources};
use crate::model::key::{Key, Kind};
use crate::model::problem::Remark;
use crate::model::{Gateway, Id};

impl Documents {
    /// Follows references and tells what is different from the last time. Costs what changed.
    pub fn settle(&mut self) -> Changes {
        let mut dirty = std::mem::take(&mut self.dirty);
        if self.in_force.gateways.is_empty() {
            // The first time: `default` is there before any document.
            dirty.insert("gateways/default".into());
        }
        let mut changes = Changes::default();
        let mut affected = self.references.affected(dirty);
        self.settle_helpers(&mut affected);
        self.settle_global_rules(&mut affected);
        self.settle_edge(&mut affected);
        self.settle_ends(&affected);
        changes.consumers = self.settle_consumers(&mut affected);
        for path in &affected {
            if let Ok(Key { kind, id, .. }) = path.parse() {
                match kind {
                    Kind::Route => self.settle_route(path, id, &mut changes),
                    Kind::Gateway => self.settle_gateway(path, id, &mut changes),
                    Kind::Service => self.settle_service(path),
                    Kind::PluginConfig => self.settle_plugin_config(path),
                    Kind::Upstream => self.settle_upstream(path),
                    Kind::GlobalRule
                    | Kind::Ssl
                    | Kind::StreamRoute
                    | Kind::Consumer
                    | Kind::Credential
                    | Kind::ConsumerGroup
                    | Kind::PluginMetadata
                    | Kind::Proto
                    | Kind::Secret => {}
                }
            }
        }
        self.settle_no_route(&mut changes);
        self.settle_strangers(&mut changes);
        changes.secrets = self.settle_secrets(&affected);
        let reworded = std::mem::take(&mut self.reworded);
        for path in affected.union(&reworded) {
            self.told
                .tell(path, self.entries.get_mut(path), &mut changes);
        }
        (changes.services_added, changes.services_removed) = self.uses.settle();
        changes
    }

    fn settle_route(&mut self, path: &Arc<str>, id: Id, changes: &mut Changes) {
        if id.is_no_route() {
            if let Some(entry) = self.entries.get_mut(path) {
                entry.unresolved = Some(Remark::whole(no_route::TAKEN));
            }
            return;
        }
        let resolved = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Route(draft)) => {
                let sources = Sources {
                    own: sources::of(&self.entries, [path.clone()]).into(),
                    rules: self.rule_texts.clone(),
                };
                let rules = self.rules.in_force();
                let consumers = self.consumers.with_plugins();
                let route = resolve::route(&self.entries, rules, consumers, &id, draft, sources);
                route.map(|route| route.map(|route| self.with_sources_of_consumers(path, route)))
            }
            _ => Ok(None),
        };
        let (route, unresolved) = match resolved {
            Ok(route) => (route.map(Arc::new), None),
            Err(remark) => (None, Some(remark)),
        };
        if let Some(entry) = self.entries.get_mut(path) {
            let stays = unresolved.is_some() && entry.settled;
            entry.unresolved = unresolved;
            if stays {
                return;
            }
        }
        self.place(path, id, route, changes);
    }

    /// The route with the texts of the consumers whose plugins it has.
    fn with_sources_of_consumers(&self, path: &Arc<str>, mut route: Route) -> Route {
        if route.plugins.know_consumers() {
            let consumers = self.consumers.with_plugins().iter();
            let consumers = consumers.map(|(name, _)| format!("consumers/{name}").into());
            let all = std::iter::once(path.clone()).chain(consumers);
            route.sources.own = sources::of(&self.entries, all).into();
        }
        route
    }

    /// Has a route be in force.
    pub(super) fn place(
        &mut self,
        path: &Arc<str>,
        id: Id,
        route: Option<Arc<Route>>,
        changes: &mut Changes,
    ) {
        let before = match &route {
            Some(route) => self.in_force.routes.insert(path.clone(), route.clone()),
            None => self.in_force.routes.remove(path),
        };
        let welcomes = |route: &Option<Arc<Route>>| {
            let route = route.as_ref();
            usize::from(route.is_some_and(|route| route.plugins.welcome_strangers()))
        };
        self.in_force.welcoming += welcomes(&route);
        self.in_force.welcoming -= welcomes(&before);
        // A route in force keeps its services watched, even when the upstream that named them is gone.
        for service in route.iter().flat_map(|route| route.services()) {
            self.uses.retain(service);
        }
        for service in before.iter().flat_map(|before| before.services()) {
            self.uses.release(service);
        }
        if route.is_some() || before.is_some() {
            changes.routes.push((id, route));
        }
    }

    fn settle_gateway(&mut self, path: &Arc<str>, id: Id, changes: &mut Changes) {
        let resolved = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Gateway(gateway)) => resolve::gateway(&self.entries, gateway).map(Some),
            _ => Ok(None),
        };
        let (gateway, unresolved) = match resolved {
            Ok(gateway) => (gateway, None),
            Err(remark) => (None, Some(remark)),
        };
        let mut stays = false;
        if let Some(entry) = self.entries.get_mut(path) {
            stays = unresolved.is_some() && entry.settled;
            entry.unresolved = unresolved;
        }
        let built_in = (id == Id::default_gateway()).then(|| Arc::new(Gateway::built_in()));
        let gateway = if stays {
            self.in_force.gateways.get(path).cloned()
        } else {
            gateway.or(built_in)
        };
        let gateway = gateway.map(|gateway| {
            let of_rules = self.rules.client().cloned();
            self.in_force.with_edge(&gateway, of_rules)
        });
        if self.in_force.gateways.get(path) == gateway.as_ref() {
            return;
        }
        let before = match &gateway {
            Some(gateway) => self.in_force.gateways.insert(path.clone(), gateway.clone()),
            None => self.in_force.gateways.remove(path),
        };
        for helper in gateway.iter().flat_map(|gateway| gateway.helpers()) {
            helper
                .services()
                .for_each(|service| self.uses.retain(service));
        }
        for helper in before.iter().flat_map(|gateway| gateway.helpers()) {
            helper
                .services()
                .for_each(|service| self.uses.release(service));
        }
        changes.gateways.push((id, gateway));
    }

    fn settle_upstream(&mut self, path: &Arc<str>) {
        let unresolved = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Upstream(cluster)) => resolve::shown(&self.entries, cluster).err(),
            _ => None,
        };
        if let Some(entry) = self.entries.get_mut(path) {
            entry.unresolved = unresolved;
        }
    }

    fn settle_service(&mut self, path: &Arc<str>) {
        let unresolved = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::Service(service)) => resolve::service(&self.entries, service).err(),
            _ => None,
        };
        if let Some(entry) = self.entries.get_mut(path) {
            entry.unresolved = unresolved;
        }
    }

    fn settle_plugin_config(&mut self, path: &Arc<str>) {
        let unresolved = match self.entries.get(path).and_then(Entry::form) {
            Some(GoodForm::PluginConfig(plugins)) => resolve::plugins(&self.entries, plugins).err(),
            _ => None,
        };
        if let Some(entry) = self.entries.get_mut(path) {
            entry.unresolved = unresolved;
        }
    }
}
