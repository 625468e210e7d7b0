//! Checks of a cluster's instances: `checks.active` as Envoy's health check, `checks.passive` as its outlier detection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{
    OutlierDetection, cluster::TransportSocketMatch,
};
use envoy_types::pb::envoy::config::common::matcher::v3::{
    HttpHeadersMatch, MatchPredicate, match_predicate::Rule,
};
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, HealthCheck, TransportSocket,
    header_value_option::HeaderAppendAction,
    health_check::{HealthChecker, HttpHealthCheck, TcpHealthCheck},
    transport_socket::ConfigType,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use envoy_types::pb::envoy::r#type::v3::{Int64Range, Percent};
use envoy_types::pb::google::protobuf::Struct;
use serde_json::{Map, Value};

use super::tls;
use crate::envoy::any;
use crate::envoy::proto::{boolean, duration, structure, uint32};
use crate::model::Upstream;
use crate::model::upstream::{
    Active, Checks, Header, HttpProbe, Passive, Probe, Scheme, ServerName, Tls, Verify,
};

/// The registry decides who is healthy; nobody else is asked, however few these are. Where checks decide and find nobody,
/// as in APISIX all nodes are asked: it is likelier that the checks are wrong. 1 % is Envoy's word for nobody.
pub(super) fn panic_threshold(checks: &Checks) -> Percent {
    let decide = checks.active.is_some() || checks.passive.is_some();
    Percent {
        value: if decide { 1.0 } else { 0.0 },
    }
}

pub(super) fn active(upstream: &Upstream) -> Option<HealthCheck> {
    let active = upstream.checks.active.as_ref()?;
    Some(HealthCheck {
        timeout: Some(duration(active.timeout)),
        interval: Some(duration(active.healthy_interval)),
        unhealthy_interval: Some(duration(active.unhealthy_interval)),
        // By default Envoy asks once a minute where there is no traffic.
        no_traffic_interval: Some(duration(active.unhealthy_interval)),
        no_traffic_healthy_interval: Some(duration(active.healthy_interval)),
        healthy_threshold: Some(uint32(active.successes)),
        unhealthy_threshold: Some(uint32(active.failures)),
        transport_socket_match_criteria: socket(upstream).map(|_| criteria()),
        health_checker: Some(match &active.probe {
            Probe::Tcp => HealthChecker::TcpHealthCheck(TcpHealthCheck::default()),
            Probe::Http(probe) => HealthChecker::HttpHealthCheck(http(probe)),
        }),
        ..HealthCheck::default()
    })
}

fn http(probe: &HttpProbe) -> HttpHealthCheck {
    HttpHealthCheck {
        host: probe.host.as_deref().unwrap_or_default().to_owned(),
        path: probe.path.to_string(),
        request_headers_to_add: probe.headers.iter().map(header).collect(),
        expected_statuses: others(&probe.unhealthy),
        // Whatever is not expected counts; else the first would be the last.
        retriable_statuses: vec![from_to(100, 600)],
        ..HttpHealthCheck::default()
    }
}

/// The value is taken as it is written: Envoy would see a format in it.
fn header((name, value): &Header) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_string(),
            value: value.replace('%', "%%"),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        keep_empty_value: true,
        ..HeaderValueOption::default()
    }
}

/// The ranges of statuses that are not in the set.
fn others(statuses: &BTreeSet<u32>) -> Vec<Int64Range> {
    let mut ranges = Vec::new();
    let mut from = 200;
    for &status in statuses.iter().chain([&600]) {
        if from < status {
            ranges.push(from_to(from, status));
        }
        from = status + 1;
    }
    ranges
}

fn from_to(start: u32, end: u32) -> Int64Range {
    Int64Range {
        start: start.into(),
        end: end.into(),
    }
}

/// A transport socket for checks, where they go another way than requests do.
pub(super) fn socket(upstream: &Upstream) -> Option<TransportSocketMatch> {
    let active = upstream.checks.active.as_ref()?;
    Some(TransportSocketMatch {
        name: "check".to_owned(),
        r#match: Some(criteria()),
        transport_socket: Some(match tls_of(active) {
            None => raw(upstream.scheme)?,
            Some((verify, host)) => {
                let tls = own_tls(upstream.tls.as_ref(), verify, host);
                tls::transport_socket(&tls::context(&tls, &["http/1.1"]))
            }
        }),
    })
}

fn tls_of(active: &Active) -> Option<(Verify, Option<&Arc<str>>)> {
    match &active.probe {
        Probe::Http(probe) => Some((probe.tls?, probe.host.as_ref())),
        Probe::Tcp => None,
    }
}

/// As for requests, except that a check has no request whose Host could be the name.
fn own_tls(requests: Option<&Tls>, verify: Verify, host: Option<&Arc<str>>) -> Tls {
    let name = match (requests.map(|tls| &tls.name), host) {
        (Some(ServerName::Fixed(name)), _) | (_, Some(name)) => ServerName::Fixed(name.clone()),
        (Some(ServerName::Node), None) => ServerName::Node,
        _ => ServerName::Nameless,
    };
    Tls {
        name,
        verify: match verify {
            Verify::AsUpstream => requests.and_then(|tls| tls.verify.clone()),
            Verify::Never => None,
        },
        identity: requests.and_then(|tls| tls.identity.clone()),
        client_cert: requests.and_then(|tls| tls.client_cert.clone()),
    }
}

/// Without TLS, where requests have it.
fn raw(scheme: Scheme) -> Option<TransportSocket> {
    scheme.is_tls().then(|| TransportSocket {
        name: "envoy.transport_sockets.raw_buffer".to_owned(),
        config_type: Some(ConfigType::TypedConfig(any(&RawBuffer {}))),
    })
}

/// What no endpoint has: its sockets are those for requests.
fn criteria() -> Struct {
    structure(&Map::from_iter([("check".to_owned(), Value::Bool(true))]))
}

pub(super) fn passive(passive: &Passive) -> OutlierDetection {
    OutlierDetection {
        consecutive_5xx: Some(uint32(passive.http_failures)),
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: Some(uint32(passive.tcp_failures)),
        // How exactly a node is back in time.
        interval: Some(duration(Duration::from_secs(1))),
        base_ejection_time: Some(duration(Duration::from_secs(30))),
        max_ejection_percent: Some(uint32(100)),
        // Nobody asked for these.
        enforcing_success_rate: Some(uint32(0)),
        enforcing_local_origin_success_rate: Some(uint32(0)),
        successful_active_health_check_uneject_host: Some(boolean(true)),
        ..OutlierDetection::default()
    }
}

/// Which answers count as errors.
pub(super) fn errors(statuses: &BTreeSet<u32>) -> http_protocol_options::OutlierDetection {
    let texts: Vec<String> = statuses.iter().map(u32::to_string).collect();
    let regex = RegexMatcher {
        regex: texts.join("|"),
        ..RegexMatcher::default()
    };
    let status = HeaderMatcher {
        name: ":status".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
            match_pattern: Some(MatchPattern::SafeRegex(regex)),
            ..StringMatcher::default()
        })),
        ..HeaderMatcher::default()
    };
    http_protocol_options::OutlierDetection {
        error_matcher: Some(MatchPredicate {
            rule: Some(Rule::HttpResponseHeadersMatch(HttpHeadersMatch {
                headers: vec![status],
            })),
        }),
    }
}
