use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::check_settings::ServiceOverride;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::ext_authz_per_route::Override;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    ExtAuthzPerRoute, HttpService,
};
use prost::Message;
use serde_json::{Value, json};

use super::{ForwardAuth, form};
use crate::model::problem::Remark;
use crate::model::upstream::{Check, Cluster, Target};
use crate::plugin::contract::{Plugin, Reading};
use crate::plugin::tests::{refusal, warned};

fn read(configuration: Value) -> (ForwardAuth, Cluster) {
    let mut reading = Reading {
        key: &"routes/r".parse().unwrap(),
        name: "forward-auth",
        upstreams: 0,
        warnings: Vec::new(),
    };
    let plugin = form::read(&configuration, &mut reading)
        .map_err(|Remark { field, message }| format!("{field}: {message}"))
        .unwrap();
    let Target::Inline(cluster) = plugin.target.clone() else {
        panic!("an upstream of its own");
    };
    (plugin, (*cluster).clone())
}

fn service(plugin: &ForwardAuth, cluster: Cluster, filter: &str) -> HttpService {
    let mut route = Route::default();
    plugin.apply(&mut route, &[cluster.into()]);
    let config = &route.typed_per_filter_config[filter].value;
    let per_route = ExtAuthzPerRoute::decode(config.as_slice()).unwrap();
    match per_route.r#override {
        Some(Override::CheckSettings(settings)) => match settings.service_override {
            Some(ServiceOverride::HttpService(service)) => service,
            other => panic!("no service: {other:?}"),
        },
        other => panic!("no settings: {other:?}"),
    }
}

#[test]
fn the_service_is_asked_about_the_request() {
    let (plugin, cluster) = read(json!({
        "uri": "http://auth.example.com:8080/check?a=b",
        "request_headers": ["Authorization", "X-Extra"],
        "extra_headers": {"X-Extra": "$request_uri", "x-forwarded-proto": "https"},
        "upstream_headers": ["X-User"],
        "client_headers": ["Location"],
        "timeout": 250,
    }));
    assert_eq!(&*cluster.name, "route/r/forward-auth/0");
    let check = Check {
        method: "GET",
        host: "auth.example.com:8080".into(),
        replaced: vec!["x-user".into()],
        hidden: vec!["www-authenticate".into()],
    };
    assert_eq!(cluster.check.as_deref(), Some(&check));
    let service = service(&plugin, cluster, "forward-auth");
    assert_eq!(service.path_override, "/check?a=b");
    let server = service.server_uri.unwrap();
    assert_eq!(server.timeout.unwrap().nanos, 250_000_000);
    let headers = service.authorization_request.unwrap().headers_to_add;
    let sent: Vec<_> = headers
        .iter()
        .map(|header| format!("{}: {}", header.key, header.value))
        .collect();
    assert_eq!(
        sent,
        [
            "x-forwarded-method: %REQ(:METHOD)%",
            "x-forwarded-host: %REQ(:AUTHORITY)%",
            "x-forwarded-uri: %REQ(:PATH)%",
            "x-forwarded-for: %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
            "x-extra: %REQ(:PATH)%",
            "x-forwarded-proto: https",
            "authorization: %REQ(authorization)%",
        ]
    );
}

#[test]
fn a_service_that_may_be_away_has_a_filter_of_its_own() {
    let (plugin, cluster) = read(json!({"uri": "http://10.0.0.1", "allow_degradation": true}));
    let service = service(&plugin, cluster, "forward-auth/degraded");
    assert_eq!(service.path_override, "/");
}

#[test]
fn what_envoy_does_otherwise_is_told() {
    let told = warned("forward-auth", json!({"uri": "http://10.0.0.1"}));
    assert_eq!(
        told,
        [
            "status_on_error: an answer of 5xx counts as none: the status is this one, or the request passes with \
          `allow_degradation`"
        ]
    );
}

#[test]
fn the_service_is_sent_the_body_where_it_is_asked_by_post() {
    for (method, largest) in [("GET", None), ("POST", Some(1024 * 1024))] {
        let (plugin, cluster) = read(json!({"uri": "http://a", "request_method": method}));
        assert_eq!(cluster.check.as_ref().unwrap().method, method);
        let mut route = Route::default();
        plugin.apply(&mut route, &[cluster.into()]);
        let config = &route.typed_per_filter_config["forward-auth"].value;
        let per_route = ExtAuthzPerRoute::decode(config.as_slice()).unwrap();
        let Some(Override::CheckSettings(settings)) = per_route.r#override else {
            panic!("no settings");
        };
        assert_eq!(settings.disable_request_body_buffering, largest.is_none());
        let body = settings.with_request_body;
        assert_eq!(body.map(|body| body.max_request_bytes), largest);
    }
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{}"#, "`uri` is missing"),
        (
            r#"{"uri":"/check"}"#,
            r#"uri: found "/check", allowed: a URI such as http://auth.example.com:8080/check"#,
        ),
        (
            r#"{"uri":"http://a","status_on_error":100}"#,
            "status_on_error: found 100, allowed: 200–599",
        ),
        (
            r#"{"uri":"http://a","request_headers":["Host"]}"#,
            "request_headers: found \"host\", which is the one of `uri`; the client's is sent as `x-forwarded-host`",
        ),
        (
            r#"{"uri":"http://a","request_headers":[":method"]}"#,
            r#"request_headers[0]: found the name ":method", allowed: letters, digits and `-`"#,
        ),
        (
            r#"{"uri":"http://a","timeout":60001}"#,
            "timeout: found 60001, allowed: 1–60000",
        ),
        (
            r#"{"uri":"http://a","consumer_header":"x"}"#,
            "consumer_header: `consumer_header` is not served: Envoy knows no consumer by the word of a service; have \
             `upstream_headers` tell the instance who it is",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("forward-auth", configuration),
            said,
            "of {configuration}"
        );
    }
}
