//! One route document as an Envoy route, once per path.

mod hash;

use std::collections::BTreeSet;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route, RouteAction, RouteMatch,
    header_matcher::HeaderMatchSpecifier,
    route::Action,
    route_action::{ClusterSpecifier, HostRewriteSpecifier, UpgradeConfig},
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

use super::address::Addresses;
use super::guard::Conditions;
use crate::documents;
use crate::envoy::proto::{boolean, duration, never};
use crate::model::upstream::{Balancer, PassHost};
use crate::model::vars::Predicate;
use crate::model::{Cluster, Path, Timeout};
use crate::plugin::shared::answer::{NO_ROUTE, answer};
use crate::plugin::shared::header;
use crate::plugin::shared::limit::counted;
use crate::plugin::shared::narrow::narrowed;
use crate::translate::retry;

/// The Envoy routes of a document for one of its paths, of which the first that matches a request is meant: they hold for
/// any host that the document names. Beside them stand what the client's address must be, and what the match tree can ask of
/// their conditions. There are none when the document's conditions exclude each other.
pub(super) fn translate(
    route: &documents::Route,
    path: &Path,
) -> Vec<(Vec<Addresses>, Conditions, Vec<Route>)> {
    let rule = rule(route, path);
    // Without a cluster a plugin answers.
    let cluster = route.cluster.as_ref();
    let action = cluster.map(|cluster| Action::Route(forward(route, cluster)));
    let everything = [Vec::new()];
    let alternatives = match &route.vars {
        Some(vars) => vars.alternatives(),
        None => &everything,
    };
    let own = (!route.addresses.is_empty()).then(|| Addresses::among(&route.addresses));
    let elsewhere = |cluster: &Cluster| forward(route, cluster);
    let of = |alternative: &Vec<Predicate>| {
        let translated = Route {
            name: format!("route/{}", route.id),
            r#match: Some(narrowed(&rule, alternative)?),
            action: action.clone(),
            stat_prefix: route.counted_as.as_deref().unwrap_or_default().to_owned(),
            ..Route::default()
        };
        let asked = alternative.iter().filter_map(Addresses::of);
        let addresses = own.clone().into_iter().chain(asked).collect();
        let conditions = Conditions::of(route, path, alternative);
        let mut routes = route.plugins.apply(translated, elsewhere);
        routes.iter_mut().for_each(nowhere);
        let routes = routes.into_iter().flat_map(counted).collect();
        Some((addresses, conditions, routes))
    };
    alternatives.iter().filter_map(of).collect()
}

/// Without an upstream, and where no plugin answers, it is as if there were no route.
fn nowhere(route: &mut Route) {
    if route.action.is_none() {
        answer(route, 404, NO_ROUTE);
        let json = header::set("content-type", "application/json");
        route.response_headers_to_add.push(json);
    }
}

/// What requests are for the path with the document's methods. It says all of it again that the match tree knows: leaves have
/// lists of routes of several paths.
fn rule(route: &documents::Route, path: &Path) -> RouteMatch {
    let parameters = match path {
        Path::Parameters(parameters) => Some(asked(":path", regex(parameters.pattern()))),
        Path::Exact(_) | Path::Prefix(_) => None,
    };
    let start = path.start().to_string();
    RouteMatch {
        path_specifier: Some(match path {
            Path::Exact(_) => PathSpecifier::Path(start),
            Path::Prefix(_) | Path::Parameters(_) => PathSpecifier::Prefix(start),
        }),
        headers: method(&route.methods)
            .into_iter()
            .chain(parameters)
            .collect(),
        ..RouteMatch::default()
    }
}

fn method(methods: &BTreeSet<String>) -> Option<HeaderMatcher> {
    let names: Vec<&str> = methods.iter().map(String::as_str).collect();
    let pattern = match names.as_slice() {
        [] => return None,
        [method] => MatchPattern::Exact((*method).to_owned()),
        several => regex(several.join("|")),
    };
    Some(asked(":method", pattern))
}

fn asked(name: &str, pattern: MatchPattern) -> HeaderMatcher {
    let matcher = StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    };
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(matcher)),
        ..HeaderMatcher::default()
    }
}

fn regex(regex: String) -> MatchPattern {
    MatchPattern::SafeRegex(RegexMatcher {
        regex,
        ..RegexMatcher::default()
    })
}

fn forward(route: &documents::Route, cluster: &Cluster) -> RouteAction {
    let upstream = &cluster.upstream;
    let retries = retry::retries(upstream, cluster.connect_timeout, route.timeout.read);
    let websocket = UpgradeConfig {
        upgrade_type: "websocket".to_owned(),
        enabled: Some(boolean(true)),
        ..UpgradeConfig::default()
    };
    RouteAction {
        cluster_specifier: Some(ClusterSpecifier::Cluster(cluster.name.to_string())),
        // A bound on the whole answer would cut a stream that is alive: the bounds are on silence.
        timeout: Some(never()),
        idle_timeout: Some(duration(idle_timeout(
            &route.timeout,
            cluster.connect_timeout,
            retries,
        ))),
        retry_policy: Some(retry::policy(&upstream.members, retries, &route.timeout)),
        hash_policy: match &upstream.balancer {
            Balancer::Hash(hash) => hash::policies(&hash.keys),
            Balancer::RoundRobin | Balancer::LeastConnections => Vec::new(),
        },
        upgrade_configs: if route.websocket {
            vec![websocket]
        } else {
            Vec::new()
        },
        host_rewrite_specifier: match &upstream.pass_host {
            PassHost::Pass => None,
            PassHost::Node => Some(HostRewriteSpecifier::AutoHostRewrite(boolean(true))),
            PassHost::Rewrite(host) => {
                Some(HostRewriteSpecifier::HostRewriteLiteral(host.to_string()))
            }
        },
        ..RouteAction::default()
    }
}

/// How long the client's side may be silent. While Envoy connects, waits for an answer and tries again, it is: so this is
/// no shorter than all attempts together, and the time-out that the document means, and its 504, comes first.
fn idle_timeout(timeout: &Timeout, connect: Duration, retries: u32) -> Duration {
    let back_off = Duration::from_secs(1);
    let attempt = connect
        .saturating_add(timeout.read)
        .saturating_add(back_off);
    attempt
        .saturating_mul(retries.saturating_add(1))
        .max(timeout.send)
}
