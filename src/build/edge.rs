//! What a gateway's ssls and stream routes bring along: secrets, and clusters.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;

use super::{Builder, Instances};
use crate::envoy::canonical;
use crate::model::{Gateway, Id, Ssl, StreamRoute};
use crate::snapshot::{Resource, ResourceType};
use crate::translate;

impl Builder {
    /// The gateway is about to be another one: its secrets follow.
    pub(super) fn follow_ssls(&mut self, gateway: Option<&Arc<Gateway>>) {
        let by_id = |gateway: Option<&Arc<Gateway>>| -> BTreeMap<Id, Arc<Ssl>> {
            let ssls = gateway.into_iter().flat_map(|gateway| &gateway.ssls);
            ssls.map(|ssl| (ssl.id.clone(), ssl.clone())).collect()
        };
        let (before, now) = (by_id(self.gateway.as_ref()), by_id(gateway));
        let changed = |(id, ssl): &(&Id, &Arc<Ssl>), others: &BTreeMap<Id, Arc<Ssl>>| {
            others.get(*id) != Some(*ssl)
        };
        for (_, ssl) in before.iter().filter(|ssl| changed(ssl, &now)) {
            for name in translate::secret_names(ssl) {
                self.handle_secret(&name, None);
            }
        }
        for (_, ssl) in now.iter().filter(|ssl| changed(ssl, &before)) {
            for (name, secret) in translate::secrets(ssl) {
                self.handle_secret(&name, Some(&secret));
            }
        }
    }

    /// Brings what the gateway itself sends traffic to in line with the gateway and with what is known of services, and
    /// notes whose answer would change that.
    pub(super) fn follow_edge(&mut self, instances: &Instances) {
        self.collect(instances);
        self.follow_stream_routes(instances);
        let gateway = self.gateway.as_deref();
        let collector = gateway.and_then(|gateway| gateway.collector.as_ref());
        let streams = gateway.into_iter().flat_map(|one| &one.stream_routes);
        let clusters = streams.map(|route| &route.cluster).chain(collector);
        let awaited = clusters.filter_map(|cluster| cluster.services().next());
        let unknown = awaited.filter(|service| !instances.contains_key(service));
        self.awaited = unknown.cloned().collect();
    }

    /// Brings the stream routes in line with the gateway and with what is known of services: one whose service has not
    /// answered keeps the form that it had.
    fn follow_stream_routes(&mut self, instances: &Instances) {
        let wanted = self
            .gateway
            .iter()
            .flat_map(|gateway| &gateway.stream_routes);
        let known = |route: &StreamRoute| {
            let first = route.cluster.services().next();
            first.is_none_or(|service| instances.contains_key(service))
        };
        let placed = wanted.filter_map(|route| match known(route) {
            true => Some(route.clone()),
            false => self.stream_routes.get(&route.id).cloned(),
        });
        let placed: BTreeMap<Id, Arc<StreamRoute>> =
            placed.map(|route| (route.id.clone(), route)).collect();
        if placed == self.stream_routes {
            return;
        }
        for route in placed.values() {
            self.retain_cluster(&route.cluster, true);
        }
        for route in std::mem::replace(&mut self.stream_routes, placed).values() {
            self.release_cluster(&route.cluster.name);
        }
        self.dirty.listeners = true;
    }

    /// The gateway as its listeners can be: nothing that asks for what proxies refused and never had.
    pub(super) fn offered(&self) -> Option<Gateway> {
        let gateway = self.gateway.as_deref()?;
        let placed = |of: ResourceType, name: &Arc<str>| {
            let trial = &self.resources[of.index()];
            trial.placed(name).is_some()
        };
        let cluster = |name| placed(ResourceType::Cluster, name);
        let collector = self.collector.as_ref();
        let collector = collector.filter(|collector| cluster(&collector.name));
        let routes = self.stream_routes.values();
        let routes = routes.filter(|route| cluster(&route.cluster.name));
        let ssls = gateway.ssls.iter().filter(|ssl| {
            let mut secrets = translate::secret_names(ssl);
            secrets.all(|name| placed(ResourceType::Secret, &name))
        });
        Some(Gateway {
            collector: collector.cloned(),
            ssls: ssls.cloned().collect(),
            stream_routes: routes.cloned().collect(),
            ..gateway.clone()
        })
    }

    /// Whether the gateway's listeners name one of these clusters.
    pub(super) fn are_for_listeners(&self, clusters: &[Arc<str>]) -> bool {
        let clusters: HashSet<&Arc<str>> = clusters.iter().collect();
        let routes = self.stream_routes.values().map(|route| &route.cluster);
        let mut named = routes.chain(&self.collector);
        named.any(|one| clusters.contains(&one.name))
    }

    /// A cluster names this secret from now on, and `before` until now: it comes with the first that names it, and goes
    /// once nobody does.
    pub(super) fn follow_client_secret(
        &mut self,
        before: Option<Arc<str>>,
        now: Option<(Arc<str>, Secret)>,
    ) {
        const SECRET: ResourceType = ResourceType::Secret;
        let named = &mut self.dirty.named;
        if let Some(before) = before
            && now.as_ref().is_none_or(|(name, _)| *name != before)
        {
            named.entry((SECRET, before)).or_insert(None);
        }
        if let Some((name, secret)) = now {
            let value = canonical(&secret);
            let resource = Resource::new(SECRET, &name, &value, Box::default());
            named.insert((SECRET, name), Some(Arc::new(resource)));
        }
    }
}
