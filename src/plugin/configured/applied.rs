//! What a route of Envoy's becomes with plugins.

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};

use super::{Configured, Plugins};
use crate::model::upstream::Cluster;
use crate::plugin::all::DOUBLED;
use crate::plugin::contract::{Helper, Plugin};
use crate::plugin::shared::answer::is_answered;
use crate::plugin::shared::{anew, late, reply, rule};

impl Plugins {
    /// What a route of Envoy, which already has its match, its cluster and its time-outs, becomes with them: one or several,
    /// of which the first that matches a request is meant. `forward` is what the route does with requests that go to another
    /// cluster. Where a plugin answers by itself, the ones after it never run.
    pub fn apply(&self, route: Route, forward: impl Fn(&Cluster) -> RouteAction) -> Vec<Route> {
        if !self.know_consumers() {
            return self.apply_own(route, &forward);
        }
        let of_consumers = self.of_consumers.iter();
        let of_consumers = of_consumers.flat_map(|(consumer, plugins)| {
            plugins.apply_own(anew::narrowed(&route, consumer), &forward)
        });
        let mut of_consumers: Vec<Route> = of_consumers.collect();
        let mut of_others = self.apply_own(route, &forward);
        anew::choose(&mut of_consumers, &mut of_others);
        of_consumers.append(&mut of_others);
        of_consumers
    }

    fn apply_own(&self, route: Route, forward: &impl Fn(&Cluster) -> RouteAction) -> Vec<Route> {
        let mut routes = self.detours(&route, forward);
        routes.push(route);
        for own in self.enabled() {
            let Some(plugin) = &own.plugin else { continue };
            for route in std::mem::take(&mut routes) {
                if is_answered(&route) {
                    routes.push(route);
                    continue;
                }
                if own.condition.is_always() {
                    routes.append(&mut own.applied(plugin.as_ref(), route));
                    continue;
                }
                for part in own.condition.narrowed(&route) {
                    routes.append(&mut own.applied(plugin.as_ref(), part));
                }
                routes.push(route);
            }
        }
        routes
    }

    /// The routes that go elsewhere; none where no request goes anywhere.
    fn detours(&self, route: &Route, forward: impl Fn(&Cluster) -> RouteAction) -> Vec<Route> {
        if route.action.is_none() {
            return Vec::new();
        }
        // The route's own go first: what these send elsewhere, a global rule does not.
        let detours = self.enabled().rev().filter_map(|own| {
            let plugin = own.plugin.as_ref()?;
            let actions: Vec<_> = own
                .clusters
                .iter()
                .map(|cluster| forward(cluster))
                .collect();
            let parts = own.condition.narrowed(route).into_iter();
            Some(parts.flat_map(move |part| plugin.detours(&part, &actions)))
        });
        detours.flatten().collect()
    }

    /// How many routes of Envoy's one becomes at most. Each plugin is asked by itself: what they make together is not made.
    pub(crate) fn routes(&self) -> usize {
        let each = self.each().map(Self::own_routes);
        each.fold(0, usize::saturating_add)
    }

    fn own_routes(&self) -> usize {
        let route = Route::default();
        let (mut detours, mut branches) = (1_usize, 1_usize);
        for own in self.enabled() {
            let Some(plugin) = &own.plugin else { continue };
            let actions = vec![RouteAction::default(); own.targets().len()];
            let parts = own.condition.narrowed(&route).len();
            let aside = usize::from(!own.condition.is_always());
            let made = |each: usize| each.saturating_mul(parts).saturating_add(aside);
            detours = detours.saturating_add(parts * plugin.detours(&route, &actions).len());
            branches =
                branches.saturating_mul(made(plugin.branch(&route, &own.clusters).len() + 1));
        }
        // Those that Envoy answers by itself are two where a service counts.
        let counted = self.helped().any(|(helper, _)| helper == Helper::Counts);
        let each = if counted { 2 } else { 1 };
        detours.saturating_mul(branches).saturating_mul(each)
    }
}

impl Configured {
    /// What it makes of a route whose requests it is for.
    fn applied(&self, plugin: &dyn Plugin, mut route: Route) -> Vec<Route> {
        let before = reply::bodies(&route);
        let aside = self.late.then(|| late::aside(&mut route, &DOUBLED));
        let mut made = plugin.branch(&route, &self.clusters);
        plugin.apply(&mut route, &self.clusters);
        made.push(route);
        if let Some(error) = &self.error {
            made.iter_mut().for_each(|route| {
                reply::replace_bodies(route, &before, error);
            });
        }
        if let Some(aside) = &aside {
            made.iter_mut()
                .for_each(|route| late::take(route, aside, &DOUBLED));
        }
        if self.of_rule {
            made.iter_mut().for_each(rule::take);
        }
        made
    }
}
