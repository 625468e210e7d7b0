//! The gateway with what it sends traffic to by itself: its helpers and its stream routes, once their instances are known.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Instances;
use super::judge::Trials;
use super::named::Named;
use super::uses::Uses;
use crate::model::gateway::{Http, http::Tables};
use crate::model::{Cluster, Gateway, Id, ServiceKey, Ssl, StreamRoute};
use crate::plugin::shared::limit::nobody;
use crate::snapshot::ResourceType;
use crate::translate;

/// The gateway, and what its listeners are made of.
#[derive(Debug, Default)]
pub(super) struct Edge {
    gateway: Option<Arc<Gateway>>,
    /// The cluster that spans go to, that of who counts and that of who posts logs, once their instances are known: they do not
    /// hold up a gateway.
    collector: Option<Arc<Cluster>>,
    limiter: Option<Arc<Cluster>>,
    /// That of nobody, beside the one that counts.
    nobody: Option<Arc<Cluster>>,
    logger: Option<Arc<Cluster>>,
    /// The gateway's stream routes, once their instances are known.
    stream_routes: BTreeMap<Id, Arc<StreamRoute>>,
    /// The services whose first answer one of these waits for.
    awaited: HashSet<ServiceKey>,
    /// Whether listeners are to be translated anew.
    dirty: bool,
}

impl Edge {
    /// Whether there is a gateway.
    pub(super) fn exists(&self) -> bool {
        self.gateway.is_some()
    }

    /// The gateway as it is wanted.
    pub(super) fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.gateway.as_ref()
    }

    /// Listeners are to be translated anew.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Whether they are; from here on they are not.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// The gateway's document came, changed or went, or one of its ssls or stream routes did.
    pub(super) fn handle_gateway(
        &mut self,
        gateway: Option<Arc<Gateway>>,
        instances: &Instances,
        uses: &mut Uses,
        named: &mut Named,
        trials: &Trials,
    ) {
        let come_back = self.follow_ssls(gateway.as_ref(), named, trials);
        self.dirty |= come_back || !listen_alike(self.gateway.as_ref(), gateway.as_ref());
        self.gateway = gateway;
        self.follow(instances, uses);
    }

    /// A service answered. Tells whether that was waited for.
    pub(super) fn handle_answer(
        &mut self,
        service: &ServiceKey,
        instances: &Instances,
        uses: &mut Uses,
    ) -> bool {
        let concerned = self.awaited.contains(service);
        if concerned {
            self.follow(instances, uses);
        }
        concerned
    }

    /// Whether the gateway's listeners name one of these clusters.
    pub(super) fn names_any(&self, clusters: &[Arc<str>]) -> bool {
        let these: HashSet<&Arc<str>> = clusters.iter().collect();
        let routes = self.stream_routes.values().map(|route| &route.cluster);
        let helpers = self.collector.iter().chain(&self.limiter);
        let mut named = routes.chain(helpers).chain(&self.logger);
        named.any(|one| these.contains(&one.name))
    }

    /// The gateway as its listeners can be: nothing that asks for what proxies refused and never had, and decided whether
    /// they find route tables by scopes.
    pub(super) fn offered(&self, trials: &Trials, is_divided: bool) -> Option<Gateway> {
        let gateway = self.gateway.as_deref()?;
        let cluster = |name: &Arc<str>| trials.is_placed(ResourceType::Cluster, name);
        let helper = |one: &Option<Arc<Cluster>>| one.clone().filter(|one| cluster(&one.name));
        let routes = self
            .stream_routes
            .values()
            .filter(|route| cluster(&route.cluster.name));
        let ssls = gateway.ssls.iter().filter(|ssl| {
            let mut secrets = translate::secret_names(ssl);
            secrets.all(|name| trials.is_placed(ResourceType::Secret, &name))
        });
        Some(Gateway {
            collector: helper(&self.collector),
            limiter: helper(&self.limiter),
            logger: helper(&self.logger),
            http: Http {
                route_tables: if is_divided {
                    Tables::Divided
                } else {
                    Tables::One
                },
                ..gateway.http.clone()
            },
            ssls: ssls.cloned().collect(),
            stream_routes: routes.cloned().collect(),
            ..gateway.clone()
        })
    }

    /// The gateway is about to be another one: its secrets follow. Tells whether one changes that is not in force, and will be.
    fn follow_ssls(
        &self,
        gateway: Option<&Arc<Gateway>>,
        named: &mut Named,
        trials: &Trials,
    ) -> bool {
        const SECRET: ResourceType = ResourceType::Secret;
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
                named.forget(SECRET, &name);
            }
        }
        let mut come_back = false;
        for (_, ssl) in now.iter().filter(|ssl| changed(ssl, &before)) {
            for (name, secret) in translate::secrets(ssl) {
                come_back |= !trials.is_placed(SECRET, &name);
                named.want(SECRET, &name, &secret);
            }
        }
        come_back
    }

    /// Brings the helpers and the stream routes in line with the gateway and with what is known of services, and notes
    /// whose answer would change that.
    fn follow(&mut self, instances: &Instances, uses: &mut Uses) {
        let gateway = self.gateway.as_deref();
        let wanted =
            |of: fn(&Gateway) -> &Option<Arc<Cluster>>| gateway.and_then(|it| of(it).clone());
        let (collector, limiter) = (wanted(|it| &it.collector), wanted(|it| &it.limiter));
        let logger = wanted(|it| &it.logger);
        self.dirty |= follow_helper(&mut self.collector, collector, instances, uses);
        self.dirty |= follow_helper(&mut self.limiter, limiter, instances, uses);
        self.dirty |= follow_helper(&mut self.logger, logger, instances, uses);
        let nobody = self.limiter.as_ref().map(|_| nobody());
        follow_helper(&mut self.nobody, nobody, instances, uses);
        self.follow_stream_routes(instances, uses);
        let gateway = self.gateway.iter();
        let streams = gateway.clone().flat_map(|one| &one.stream_routes);
        let helpers = gateway.flat_map(|one| one.helpers());
        let clusters = streams.map(|route| &route.cluster).chain(helpers);
        let awaited = clusters.filter_map(|cluster| cluster.services().next());
        let unknown = awaited.filter(|service| !instances.contains_key(service));
        self.awaited = unknown.cloned().collect();
    }

    /// A stream route whose service has not answered keeps the form that it had.
    fn follow_stream_routes(&mut self, instances: &Instances, uses: &mut Uses) {
        let wanted = self
            .gateway
            .iter()
            .flat_map(|gateway| &gateway.stream_routes);
        let known = |route: &StreamRoute| {
            let first = route.cluster.services().next();
            first.is_none_or(|service| instances.contains_key(service))
        };
        let in_force = wanted.filter_map(|route| {
            if known(route) {
                Some(route.clone())
            } else {
                self.stream_routes.get(&route.id).cloned()
            }
        });
        let placed: BTreeMap<Id, Arc<StreamRoute>> =
            in_force.map(|route| (route.id.clone(), route)).collect();
        if placed == self.stream_routes {
            return;
        }
        for route in placed.values() {
            uses.retain(&route.cluster, true);
        }
        for route in std::mem::replace(&mut self.stream_routes, placed).values() {
            uses.release(&route.cluster.name);
        }
        self.dirty = true;
    }
}

/// Brings a helper in line with what is wanted, once its instances are known. Tells whether it is another one.
fn follow_helper(
    helper: &mut Option<Arc<Cluster>>,
    wanted: Option<Arc<Cluster>>,
    instances: &Instances,
    uses: &mut Uses,
) -> bool {
    if wanted == *helper {
        return false;
    }
    let name = |cluster: &Arc<Cluster>| cluster.name.clone();
    let awaited = wanted
        .as_ref()
        .and_then(|cluster| cluster.services().next());
    let is_known = awaited.is_none_or(|service| instances.contains_key(service));
    let is_the_same = wanted.as_ref().map(name) == helper.as_ref().map(name);
    if !is_known && is_the_same {
        // Its instances before are better than none.
        return false;
    }
    let known = wanted.filter(|_| is_known);
    if let Some(cluster) = &known {
        uses.retain(cluster, true);
    }
    if let Some(before) = std::mem::replace(helper, known) {
        uses.release(&before.name);
    }
    true
}

/// Whether the listeners of both are the same: all but what certificates hold.
fn listen_alike(one: Option<&Arc<Gateway>>, other: Option<&Arc<Gateway>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    let Gateway {
        id,
        listeners,
        http,
        access_log,
        tracing,
        collector,
        rate_limit,
        limiter,
        logs,
        logger,
        real_ip,
        real_ip_of_rules,
        ssls,
        stream_routes,
    } = &**one;
    *id == other.id
        && *listeners == other.listeners
        && *http == other.http
        && *access_log == other.access_log
        && *tracing == other.tracing
        && *collector == other.collector
        && *rate_limit == other.rate_limit
        && *limiter == other.limiter
        && *logs == other.logs
        && *logger == other.logger
        && *real_ip == other.real_ip
        && *real_ip_of_rules == other.real_ip_of_rules
        && *stream_routes == other.stream_routes
        && ssls.len() == other.ssls.len()
        && ssls.iter().zip(&other.ssls).all(|(a, b)| show_alike(a, b))
}

fn show_alike(one: &Arc<Ssl>, other: &Arc<Ssl>) -> bool {
    let Ssl {
        id,
        gateways: _,
        names,
        any_name,
        identities,
        clients,
        versions,
    } = &**one;
    Arc::ptr_eq(one, other)
        || (*id == other.id
            && *names == other.names
            && *any_name == other.any_name
            && identities.len() == other.identities.len()
            && clients.is_some() == other.clients.is_some()
            && *versions == other.versions)
}
