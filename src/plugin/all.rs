//! All plugins there are: the one list of them, and what follows from it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::contract::Definition;
use super::shared::asked::TELLS;
use super::shared::reply::Reply;
use super::shared::{denial, identity, late, logged, login, rule};
use super::{
    api_breaker, attach_consumer_label, basic_auth, brotli, clickhouse_logger, client_control,
    consumer_restriction, cors, csrf, degraphql, echo, elasticsearch_logger, fault_injection,
    file_logger, forward_auth, grpc_transcode, grpc_web, gzip, http_logger, ip_restriction,
    jwt_auth, kafka_logger, key_auth, limit_conn, limit_count, limit_req, loki_logger, mocking,
    multi_auth, opa, openid_connect, opentelemetry, prometheus, proxy_buffering, proxy_control,
    proxy_mirror, proxy_rewrite, real_ip, redirect, referer_restriction, request_id,
    request_validation, response_rewrite, server_info, syslog, tcp_logger, traffic_split,
    ua_restriction, udp_logger, uri_blocker, workflow, zipkin,
};
use crate::envoy::filter::Whose;

/// Every plugin, in the order in which APISIX runs them: by its priority there, the highest first; but those that it asks only
/// once it is known who sends a request (its phase `access`, and behind that `before_proxy`) behind all that find that out.
pub const ALL: &[Definition] = &[
    real_ip::ENTRY,
    client_control::ENTRY,
    proxy_control::ENTRY,
    request_id::ENTRY,
    zipkin::ENTRY,
    opentelemetry::ENTRY,
    fault_injection::ENTRY,
    cors::ENTRY,
    uri_blocker::ENTRY,
    request_validation::ENTRY,
    multi_auth::ENTRY,
    openid_connect::ENTRY,
    basic_auth::ENTRY,
    jwt_auth::ENTRY,
    key_auth::ENTRY,
    mocking::ENTRY,
    ip_restriction::ENTRY,
    ua_restriction::ENTRY,
    referer_restriction::ENTRY,
    csrf::ENTRY,
    consumer_restriction::ENTRY,
    forward_auth::ENTRY,
    opa::ENTRY,
    proxy_mirror::ENTRY,
    proxy_rewrite::ENTRY,
    workflow::ENTRY,
    api_breaker::ENTRY,
    limit_conn::ENTRY,
    limit_count::ENTRY,
    limit_req::ENTRY,
    brotli::ENTRY,
    gzip::ENTRY,
    server_info::ENTRY,
    traffic_split::ENTRY,
    redirect::ENTRY,
    attach_consumer_label::ENTRY,
    response_rewrite::ENTRY,
    degraphql::ENTRY,
    grpc_transcode::ENTRY,
    grpc_web::ENTRY,
    prometheus::ENTRY,
    loki_logger::ENTRY,
    elasticsearch_logger::ENTRY,
    echo::ENTRY,
    http_logger::ENTRY,
    tcp_logger::ENTRY,
    kafka_logger::ENTRY,
    syslog::ENTRY,
    udp_logger::ENTRY,
    file_logger::ENTRY,
    clickhouse_logger::ENTRY,
    proxy_buffering::ENTRY,
];

/// Plugins of APISIX that Envoy has nothing for, and what to do.
pub const NOT_IN_ENVOY: &[(&str, &str)] = &[
    ("body-transformer", TEMPLATES),
    ("ext-plugin-post-req", RUNNERS),
    ("ext-plugin-post-resp", RUNNERS),
    ("ext-plugin-pre-req", RUNNERS),
    (
        "hmac-auth",
        "Envoy does not verify these signatures; let a service of yours do it, with forward-auth",
    ),
    (
        "proxy-cache",
        "Envoy's cache keeps only what `cache-control` says, and has no bound; put a cache before the instances",
    ),
    (
        "public-api",
        "Envoy has none of APISIX's own addresses; ask the admin port, or the proxy's for metrics",
    ),
    ("rocketmq-logger", NO_LOG),
    ("serverless-post-function", LUA),
    ("serverless-pre-function", LUA),
];

const LUA: &str =
    "Envoy does not run the Lua of a document; write the plugin that does it, or forward-auth";
const NO_LOG: &str = "Envoy does not speak its protocol; write http-logger, or `access_log` of the gateway, to a collector that does";
const RUNNERS: &str = "Envoy does not speak with the runners of APISIX; let a service of yours do it, with forward-auth";
const TEMPLATES: &str = "Envoy makes no bodies of templates; let a service do it";

/// Plugins that consumers and their groups may have: those of which all that Envoy does follows the route that is chosen once
/// the consumer is known, or whose filters stand behind that choice once more.
pub(super) const OF_CONSUMERS: [&str; 36] = [
    request_id::ENTRY.name,
    fault_injection::ENTRY.name,
    cors::ENTRY.name,
    uri_blocker::ENTRY.name,
    request_validation::ENTRY.name,
    openid_connect::ENTRY.name,
    mocking::ENTRY.name,
    ip_restriction::ENTRY.name,
    ua_restriction::ENTRY.name,
    referer_restriction::ENTRY.name,
    csrf::ENTRY.name,
    consumer_restriction::ENTRY.name,
    forward_auth::ENTRY.name,
    opa::ENTRY.name,
    proxy_mirror::ENTRY.name,
    proxy_rewrite::ENTRY.name,
    workflow::ENTRY.name,
    limit_count::ENTRY.name,
    limit_req::ENTRY.name,
    server_info::ENTRY.name,
    traffic_split::ENTRY.name,
    redirect::ENTRY.name,
    attach_consumer_label::ENTRY.name,
    response_rewrite::ENTRY.name,
    degraphql::ENTRY.name,
    grpc_transcode::ENTRY.name,
    echo::ENTRY.name,
    loki_logger::ENTRY.name,
    elasticsearch_logger::ENTRY.name,
    http_logger::ENTRY.name,
    tcp_logger::ENTRY.name,
    kafka_logger::ENTRY.name,
    syslog::ENTRY.name,
    udp_logger::ENTRY.name,
    clickhouse_logger::ENTRY.name,
    proxy_buffering::ENTRY.name,
];

/// Those of them that APISIX runs before it knows the consumer, on a route that has them: the consumer's have no effect there.
const SETTLED_BY_ROUTES: [&str; 8] = [
    request_id::ENTRY.name,
    fault_injection::ENTRY.name,
    uri_blocker::ENTRY.name,
    request_validation::ENTRY.name,
    openid_connect::ENTRY.name,
    proxy_mirror::ENTRY.name,
    proxy_rewrite::ENTRY.name,
    redirect::ENTRY.name,
];

/// Whether the plugin at this place is a route's own, where it has one, whoever sends a request.
pub(super) fn is_settled_by_routes(at: usize) -> bool {
    SETTLED_BY_ROUTES.contains(&ALL[at].name)
}

/// The place behind all plugins that find the consumer.
pub(super) fn behind_consumers() -> usize {
    let last = ALL.iter().position(|entry| entry.name == LAST_OF_CONSUMERS);
    last.map_or(0, |last| last + 1)
}

/// The last plugin that finds the consumer.
const LAST_OF_CONSUMERS: &str = key_auth::ENTRY.name;

/// Why no consumer may have a plugin.
pub(super) fn not_of_consumers(name: &str) -> &'static str {
    let has_place = [
        client_control::ENTRY.name,
        brotli::ENTRY.name,
        gzip::ENTRY.name,
        grpc_web::ENTRY.name,
        file_logger::ENTRY.name,
    ];
    let at_first = [
        real_ip::ENTRY.name,
        proxy_control::ENTRY.name,
        zipkin::ENTRY.name,
        opentelemetry::ENTRY.name,
    ];
    if has_place.contains(&name) {
        ": Envoy puts the filter that a route has for it into the chain before it is known who sends a request, and keeps that"
    } else if at_first.contains(&name) {
        ": Envoy has done it before it is known who sends a request"
    } else if name == api_breaker::ENTRY.name || name == prometheus::ENTRY.name {
        ": Envoy counts by route and cluster, whoever sends a request"
    } else if name == limit_conn::ENTRY.name {
        ": it counts in Redis, which this version does for routes only"
    } else if name == multi_auth::ENTRY.name {
        ": it is known by then who sends a request"
    } else {
        ""
    }
}

/// Whether the plugin at this place runs before those that find the consumer.
pub(super) fn is_before_consumers(at: usize) -> bool {
    let mut first = ALL.iter();
    let first = first.position(|entry| entry.name == basic_auth::ENTRY.name);
    first.is_some_and(|first| at < first)
}

/// Plugins that change answers, which pass the chain from its end to its beginning.
const OF_ANSWERS: [&str; 3] = [
    brotli::ENTRY.name,
    gzip::ENTRY.name,
    response_rewrite::ENTRY.name,
];

/// The plugin whose filters have all others see JSON: they stand next to where requests go.
const NEXT_TO_UPSTREAMS: &str = grpc_transcode::ENTRY.name;

/// The filters that the plugins need in the chain of every listener, each `disabled`; in the order of the plugins. Requests pass
/// those of global rules first, and so do answers; before all stands what writes requests down, then what says which answer one gets.
pub fn http_filters() -> Vec<HttpFilter> {
    let filters = |entry: &Definition| (entry.http_filters)();
    let all = || {
        let all = ALL.iter();
        all.filter(|entry| entry.name != NEXT_TO_UPSTREAMS)
    };
    let of_rules = |of_answers: bool| {
        let some = all().filter(move |entry| OF_ANSWERS.contains(&entry.name) == of_answers);
        some.flat_map(filters).map(rule::filter)
    };
    let of_routes = all().flat_map(|entry| {
        let late = (entry.name == LAST_OF_CONSUMERS).then(of_consumers);
        filters(entry).into_iter().chain(late.into_iter().flatten())
    });
    let last = || (grpc_transcode::ENTRY.http_filters)().into_iter();
    let first = [
        rule::filter(logged::filter()),
        logged::filter(),
        rule::filter(response_rewrite::which()),
        response_rewrite::which(),
    ];
    first
        .into_iter()
        .chain(of_rules(false))
        .chain(of_routes)
        .chain(of_rules(true))
        .chain(last().map(rule::filter))
        .chain(last())
        .collect()
}

/// The filters before those that find the consumer which consumers have behind them.
pub(super) fn of_consumers() -> Vec<HttpFilter> {
    let before = ALL.iter().enumerate();
    let before =
        before.filter(|(at, entry)| is_before_consumers(*at) && OF_CONSUMERS.contains(&entry.name));
    let filters = before.flat_map(|(_, entry)| (entry.http_filters)());
    // Nobody logs in once it is known who sends a request.
    let filters = filters.filter(|filter| !login::is_one(filter) && filter.name != TELLS);
    let first = [logged::filter(), response_rewrite::which()];
    first.into_iter().chain(filters).map(late::filter).collect()
}

/// The filters of routes that consumers have beside them.
pub(super) static DOUBLED: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let all = http_filters();
    let names: BTreeSet<&str> = all.iter().map(|filter| &*filter.name).collect();
    let doubled = names
        .iter()
        .filter(|name| names.contains(&*Whose::Consumers.name(name)));
    doubled.map(|name| (*name).to_owned()).collect()
});

pub fn plugins_schema(generator: &mut SchemaGenerator) -> Schema {
    let schemas = ALL.iter().map(|entry| {
        let schema = (entry.schema)(generator);
        (entry.name.to_owned(), Value::from(schema))
    });
    let fields: serde_json::Map<_, _> = schemas.collect();
    json_schema!({"type": "object", "properties": fields, "additionalProperties": false})
}

/// The names of all plugins, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|entry| entry.name)
}

/// The plugin of that name.
pub(super) fn definition(name: &str) -> Option<&'static Definition> {
    ALL.iter().find(|entry| entry.name == name)
}

/// What makes the schema of the plugin of that name.
pub fn schema_of(name: &str) -> Option<fn(&mut SchemaGenerator) -> Schema> {
    definition(name).map(|entry| entry.schema)
}

/// The answers that Envoy gives for plugins, each by its own details.
pub fn replies() -> Vec<Reply> {
    let filters = crate::plugin::http_filters();
    let denials = filters.iter().flat_map(denial::replies);
    let of_keys = [identity::NOBODY, identity::MISSING, identity::UNKNOWN];
    let of_keys = of_keys.map(|reason| identity::reply(reason, identity::KEY_CHALLENGE));
    let basic = basic_auth::REASONS;
    let basic = basic.map(|(reason, _)| identity::reply(reason, identity::BASIC_CHALLENGE));
    let jwt = jwt_auth::REASONS;
    let jwt = jwt.map(|(reason, _)| identity::reply(reason, identity::JWT_CHALLENGE));
    let unknown = of_keys.into_iter().chain(basic).chain(jwt);
    denials.chain(unknown).collect()
}
