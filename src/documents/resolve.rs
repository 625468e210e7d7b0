//! A route with what it refers to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::route::Sources;
use super::route::form::Draft;
use super::route::size;
use super::service::Service;
use super::{Route, helpers, shown, stream_route};
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::{Breaker, Target};
use crate::model::{Cluster, Gateway, StreamRoute, ssl};
use crate::plugin::Plugins;
use crate::plugin::contract::CountedBy;

/// All documents, by path.
type Entries = HashMap<Arc<str>, Entry>;

/// The route as it is in force; nothing when it is switched off.
pub(super) fn route(
    entries: &Entries,
    global_rules: &BTreeMap<Arc<str>, Plugins>,
    consumers: &[(Arc<str>, Plugins)],
    id: &Id,
    draft: &Draft,
    sources: Sources,
) -> Result<Option<Route>, Remark> {
    if !draft.enabled {
        return Ok(None);
    }
    let service = draft
        .service
        .as_ref()
        .map(|id| find_service(entries, id))
        .transpose()?;
    let told = |plugins: Plugins| told(plugins, entries, id, draft);
    let plugins = layered(entries, global_rules, consumers, draft, service, &told)?;
    plugins.check_with(draft.vars.as_deref(), &draft.paths)?;
    helpers::check(entries, &draft.gateways, &plugins)?;
    let cluster = match (&draft.target, service) {
        (Some(target), _) => Some(http_cluster(entries, target)?),
        (
            None,
            Some(Service {
                target: Some(target),
                ..
            }),
        ) => {
            let found = http_cluster(entries, target);
            Some(found.map_err(|remark| by_service(draft, &remark))?)
        }
        (None, _) => plugins.stand_in().cloned(),
    };
    if cluster.is_none() && !plugins.are_enough(&draft.paths) {
        let message = "has no upstream, and neither has this route";
        return Err(by_service(draft, &Remark::whole(message)));
    }
    if let Some(cluster) = &cluster {
        plugins.check_scheme(cluster.upstream.scheme)?;
    }
    let timeout = match (&draft.timeout, &cluster) {
        (Some(own), _) => *own,
        (None, Some(cluster)) => cluster.upstream.timeout,
        (None, None) => Default::default(),
    };
    let hosts = match service {
        Some(service) if draft.hosts.is_empty() => service.hosts.clone(),
        _ => draft.hosts.clone(),
    };
    let vars = draft.vars.as_deref();
    size::check(&draft.paths, &hosts, &draft.addresses, vars, &plugins)?;
    let document = entries.get(&*format!("routes/{id}"));
    Ok(Some(Route {
        id: id.clone(),
        revision: document.map_or(0, Entry::revision),
        gateways: draft.gateways.clone(),
        hosts,
        paths: draft.paths.clone(),
        methods: draft.methods.clone(),
        addresses: draft.addresses.clone(),
        vars: draft.vars.clone(),
        priority: draft.priority,
        websocket: draft
            .websocket
            .or(service.and_then(|service| service.websocket))
            .unwrap_or(false),
        timeout,
        cluster: cluster
            .filter(|_| !plugins.answers(&draft.paths))
            .map(|cluster| demanded(cluster, id, timeout.connect, plugins.breaker())),
        counted_as: plugins
            .counted_by()
            .map(|by| counted_as(by, id, draft.name.as_deref())),
        plugins,
        sources,
    }))
}

/// A dot would end the name in Envoy's statistics, so only what stands for itself there is left.
fn counted_as(by: CountedBy, id: &Id, name: Option<&str>) -> Arc<str> {
    let called = match (by, name) {
        (CountedBy::Name, Some(name)) if !name.is_empty() => name.to_owned(),
        _ => id.to_string(),
    };
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let counted = called.chars().map(|c| if kept(c) { c } else { '_' });
    counted.collect::<String>().into()
}

/// The route's plugins over those of its plugin config and of its service, below those of the global rules; and the same for each
/// consumer with plugins, which are over them all.
fn layered(
    entries: &Entries,
    global_rules: &BTreeMap<Arc<str>, Plugins>,
    consumers: &[(Arc<str>, Plugins)],
    draft: &Draft,
    service: Option<&Service>,
    told: &impl Fn(Plugins) -> Plugins,
) -> Result<Plugins, Remark> {
    let mut all = plugins(entries, &draft.plugins)?;
    let mut add = |plugins: &Plugins, field: &str, path: &str| {
        all = all.over(plugins);
        let checked = all.check(&draft.paths);
        checked.map_err(|remark| elsewhere(field, path, &remark))
    };
    if let Some(id) = &draft.plugin_config {
        let (field, path) = ("plugin_config_id", format!("plugin_configs/{id}"));
        let GoodForm::PluginConfig(config) = find(entries, "plugin_configs", field, id)? else {
            return Err(missing("plugin_configs", field, id));
        };
        let of_config =
            plugins(entries, config).map_err(|remark| elsewhere(field, &path, &remark))?;
        add(&of_config, field, &path)?;
    }
    if let (Some(id), Some(service)) = (&draft.service, service) {
        let (field, path) = ("service_id", format!("services/{id}"));
        let of_service = plugins(entries, &service.plugins)
            .map_err(|remark| elsewhere(field, &path, &remark))?;
        add(&of_service, field, &path)?;
    }
    let known = all.ask_for_consumers() || global_rules.values().any(Plugins::ask_for_consumers);
    let of_consumers = consumers.iter().filter(|_| known);
    let of_consumers = of_consumers.map(|(name, own)| {
        let whole = of_consumer(own.of_consumer_over(&all), global_rules, draft)
            .map(told)
            .map_err(|remark| elsewhere("", &format!("consumers/{name}"), &remark))?;
        Ok((name.clone(), whole))
    });
    let of_consumers = of_consumers.collect::<Result<Vec<_>, Remark>>()?;
    for (path, rule) in global_rules {
        let checked = rule.check(&draft.paths);
        checked.map_err(|remark| elsewhere("", path, &remark))?;
        all = all.below(rule);
    }
    all.check_limits()?;
    all.check_identities()?;
    Ok(told(all).with_consumers(of_consumers))
}

/// The route's plugins for one consumer, below those of the global rules.
fn of_consumer(
    mut plugins: Plugins,
    global_rules: &BTreeMap<Arc<str>, Plugins>,
    draft: &Draft,
) -> Result<Plugins, Remark> {
    plugins.check(&draft.paths)?;
    plugins.check_with(draft.vars.as_deref(), &draft.paths)?;
    for rule in global_rules.values() {
        plugins = plugins.below(rule);
    }
    plugins.check_limits()?;
    Ok(plugins)
}

/// The plugins with what they go by of the documents that the route is made of.
fn told(plugins: Plugins, entries: &Entries, id: &Id, draft: &Draft) -> Plugins {
    let plugins = match &draft.service {
        Some(service) => plugins.of_service(service),
        None => plugins,
    };
    if plugins.tell_documents() {
        plugins.with_documents(&shown::of(entries, id, draft.service.as_ref()))
    } else {
        plugins
    }
}

/// Plugins with the clusters of their targets, the protos that they go by, and the metadata that there is.
pub(super) fn plugins(entries: &Entries, plugins: &Plugins) -> Result<Plugins, Remark> {
    let resolved = plugins.resolved(|target| http_cluster(entries, target))?;
    let resolved = resolved.with_protos(|id| match find(entries, "protos", "proto_id", id)? {
        GoodForm::Proto(protos) => Ok(protos.clone()),
        _ => Err(missing("protos", "proto_id", id)),
    })?;
    Ok(resolved.with_metadata(|name| {
        let entry = entries.get(&*format!("plugin_metadata/{name}"))?;
        match entry.form()? {
            GoodForm::PluginMetadata(metadata) => Some(metadata),
            _ => None,
        }
    }))
}

/// The gateway with the clusters that it sends traffic to by itself.
pub(super) fn gateway(entries: &Entries, gateway: &Arc<Gateway>) -> Result<Arc<Gateway>, Remark> {
    let found = |upstream: &Id, field: &str| {
        let target = Target::Reference(upstream.clone());
        cluster(entries, &target).map_err(|remark| remark.under(field))
    };
    let mut own = Gateway::clone(gateway);
    if let Some(tracing) = &gateway.tracing {
        let collector = found(&tracing.upstream, "tracing")?;
        tracing.check(collector.upstream.scheme)?;
        own.collector = Some(collector);
    }
    if let Some(rate_limit) = &gateway.rate_limit {
        let limiter = found(&rate_limit.upstream, "rate_limit")?;
        rate_limit.check(limiter.upstream.scheme)?;
        own.limiter = Some(limiter);
    }
    if let Some(logs) = &gateway.logs {
        let logger = found(&logs.upstream, "logs")?;
        logs.check(logger.upstream.scheme)?;
        own.logger = Some(logger);
    }
    Ok(Arc::new(own))
}

/// Whether what a service refers to is there.
pub(super) fn service(entries: &Entries, service: &Service) -> Result<(), Remark> {
    plugins(entries, &service.plugins)?;
    let target = service.target.as_ref();
    target.map_or(Ok(()), |target| cluster(entries, target).map(|_| ()))
}

/// A remark on what the route has from its service.
fn by_service(draft: &Draft, remark: &Remark) -> Remark {
    match &draft.service {
        Some(id) => elsewhere("service_id", &format!("services/{id}"), remark),
        None => remark.clone(),
    }
}

/// A remark on what the route has from the document at `path`, which its `field` names.
pub(super) fn elsewhere(field: &str, path: &str, remark: &Remark) -> Remark {
    let message = match remark.field.as_str() {
        "" => format!("`{path}` {}", remark.message),
        at => format!("`{at}` of `{path}` {}", remark.message),
    };
    Remark::new(field, message)
}

/// A cluster of the route's own where it demands something that those who share the upstream do not.
fn demanded(
    cluster: Arc<Cluster>,
    id: &Id,
    connect_timeout: std::time::Duration,
    breaker: Option<&Breaker>,
) -> Arc<Cluster> {
    if cluster.connect_timeout == connect_timeout && breaker.is_none() {
        return cluster;
    }
    Arc::new(Cluster {
        name: format!("route/{id}").into(),
        connect_timeout,
        breaker: breaker.cloned(),
        ..(*cluster).clone()
    })
}

/// The cluster of a target that gets requests, and not bytes.
fn http_cluster(entries: &Entries, target: &Target) -> Result<Arc<Cluster>, Remark> {
    let cluster = cluster(entries, target)?;
    match (cluster.upstream.check_http(), target) {
        (Ok(()), _) => Ok(cluster),
        (Err(remark), Target::Inline(_)) => Err(remark.under("upstream")),
        (Err(remark), Target::Reference(id)) => Err(elsewhere(
            "upstream_id",
            &format!("upstreams/{id}"),
            &remark,
        )),
    }
}

pub(super) fn cluster(entries: &Entries, target: &Target) -> Result<Arc<Cluster>, Remark> {
    match target {
        Target::Inline(cluster) => {
            shown(entries, cluster).map_err(|remark| remark.under("upstream"))
        }
        Target::Reference(id) => match find(entries, "upstreams", "upstream_id", id)? {
            GoodForm::Upstream(cluster) => shown(entries, cluster)
                .map_err(|remark| elsewhere("upstream_id", &format!("upstreams/{id}"), &remark)),
            _ => Err(missing("upstreams", "upstream_id", id)),
        },
    }
}

/// The cluster with what its `client_cert_id` refers to.
pub(super) fn shown(entries: &Entries, cluster: &Arc<Cluster>) -> Result<Arc<Cluster>, Remark> {
    const FIELD: &str = "tls.client_cert_id";
    let Some(id) = cluster.client_cert() else {
        return Ok(cluster.clone());
    };
    let GoodForm::Ssl(draft) = find(entries, "ssls", FIELD, id)? else {
        return Err(missing("ssls", FIELD, id));
    };
    match &draft.of {
        _ if !draft.enabled => {
            let message = format!("refers to `ssls/{id}`, which is switched off");
            Err(Remark::new(FIELD, message))
        }
        ssl::Type::Client(identity) => Ok(Arc::new(cluster.showing(identity.clone()))),
        ssl::Type::Server(_) => {
            let message = format!("refers to `ssls/{id}`, which is not of `type: client`");
            Err(Remark::new(FIELD, message))
        }
    }
}

/// What a stream route has no use for of its service.
pub(super) fn useless(entries: &Entries, draft: &stream_route::Draft) -> Vec<Remark> {
    let service = draft
        .service
        .as_ref()
        .map(|id| (id, find_service(entries, id)));
    let useless = service.and_then(|(id, service)| match service {
        Ok(service) if !service.plugins.is_empty() => {
            let message = format!("the plugins of `services/{id}` have no effect on streams");
            Some(Remark::new("service_id", message))
        }
        _ => None,
    });
    useless.into_iter().collect()
}

/// The stream route as it is in force.
pub(super) fn stream_route(
    entries: &Entries,
    id: &Id,
    draft: &stream_route::Draft,
) -> Result<StreamRoute, Remark> {
    let through = |remark: Remark| match (&draft.target, &draft.service) {
        (None, Some(id)) => elsewhere("service_id", &format!("services/{id}"), &remark),
        _ => remark,
    };
    let service = match &draft.service {
        Some(id) => Some(find_service(entries, id)?),
        None => None,
    };
    let target = draft.target.as_ref();
    let target = target.or(service.and_then(|service| service.target.as_ref()));
    let Some(target) = target else {
        let message = "has no upstream, and neither has this stream route";
        return Err(through(Remark::whole(message)));
    };
    let cluster = cluster(entries, target).map_err(through)?;
    let sni = draft.matching.sni.as_ref();
    stream_route::check(&cluster.upstream, sni).map_err(|remark| {
        through(match target {
            Target::Inline(_) => remark.under("upstream"),
            Target::Reference(id) => elsewhere("upstream_id", &format!("upstreams/{id}"), &remark),
        })
    })?;
    for gateway in &draft.gateways {
        let written = helpers::gateway(entries, gateway);
        // One that is not there yet may have whatever is needed.
        if let Some(gateway) = written {
            let scheme = cluster.upstream.scheme;
            draft
                .matching
                .check(&gateway.id, &gateway.listeners, scheme)?;
        }
    }
    Ok(StreamRoute {
        id: id.clone(),
        gateways: draft.gateways.clone(),
        matching: draft.matching.clone(),
        clients: draft.clients.clone(),
        cluster,
    })
}

fn find_service<'a>(entries: &'a Entries, id: &Id) -> Result<&'a Service, Remark> {
    match find(entries, "services", "service_id", id)? {
        GoodForm::Service(service) => Ok(service),
        _ => Err(missing("services", "service_id", id)),
    }
}

fn find<'a>(
    entries: &'a Entries,
    kind: &str,
    field: &str,
    id: &Id,
) -> Result<&'a GoodForm, Remark> {
    let path = format!("{kind}/{id}");
    let entry = entries
        .get(path.as_str())
        .ok_or_else(|| missing(kind, field, id))?;
    entry.form().ok_or_else(|| {
        let message = format!("refers to `{path}`, of which no good form is known");
        Remark::new(field, message)
    })
}

fn missing(kind: &str, field: &str, id: &Id) -> Remark {
    Remark::new(
        field,
        format!("refers to `{kind}/{id}`, which does not exist"),
    )
}
