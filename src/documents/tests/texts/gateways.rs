//! What a gateway's document means, and what in it is refused.

use std::sync::Arc;
use std::time::Duration;

use super::{json, refused, settled};
use crate::model::Gateway;
use crate::model::gateway::Http;
use crate::model::gateway::access_log::{Format, Target};
use crate::model::gateway::http::Underscores;
use crate::model::gateway::real_ip::By;

/// A gateway with one listener and these fields.
fn with(fields: &str) -> String {
    format!(r#"{{"listeners":[{{"name":"http","port":80}}],{fields}}}"#)
}

fn gateway(text: &str) -> Arc<Gateway> {
    let changes = settled(json("gateways/g", text));
    assert_eq!(changes.problems, []);
    let mut gateways = changes.gateways.into_iter();
    let (_, gateway) = gateways.find(|(id, _)| id.as_str() == "g").unwrap();
    gateway.unwrap()
}

#[test]
fn what_is_not_written_is_safe() {
    let gateway = gateway(&with(r#""http":{"idle_timeout":75}"#));
    let expected = Http {
        idle_timeout: Duration::from_secs(75),
        ..Http::default()
    };
    assert_eq!(gateway.http, expected);
    assert_eq!(gateway.http.headers_with_underscores, Underscores::Reject);
    assert_eq!(gateway.http.http2.max_concurrent_streams, 100);
    assert_eq!((&gateway.access_log, &gateway.real_ip), (&None, &None));
    assert_eq!(gateway.listeners[0].buffer_bytes, 32 * 1024);
}

#[test]
fn logs_go_to_envoys_own_streams_or_to_a_file() {
    for (path, target) in [
        ("/dev/stdout", Target::Stdout),
        ("/dev/stderr", Target::Stderr),
        ("/var/log/a.log", Target::File("/var/log/a.log".into())),
    ] {
        let gateway = gateway(&with(&format!(r#""access_log":{{"path":"{path}"}}"#)));
        assert_eq!(gateway.access_log.as_ref().unwrap().target, target);
    }
}

#[test]
fn a_line_ends_once_and_holds_no_query_by_itself() {
    let format = |fields: &str| {
        let text = with(&format!(r#""access_log":{{"path":"/a",{fields}}}"#));
        gateway(&text).access_log.clone().unwrap().format
    };
    for line in ["%PROTOCOL%", r"%PROTOCOL%\n"] {
        let read = format(&format!(r#""line":"{line}""#));
        assert_eq!(read, Format::Line("%PROTOCOL%\n".into()));
    }
    let Format::Line(line) = format(r#""format":"text""#) else {
        panic!("no line");
    };
    let Format::Fields(fields) = format(r#""format":"json""#) else {
        panic!("no fields");
    };
    assert!(line.contains("%PATH(NQ)%") && line.ends_with("%\n"));
    assert_eq!(fields["path"], "%PATH(NQ)%");
}

#[test]
fn who_is_behind_a_proxy() {
    let real_ip = |fields: &str| {
        let text = with(&format!(r#""real_ip":{{{fields}}}"#));
        gateway(&text).real_ip.clone().unwrap()
    };
    let by_addresses = real_ip(r#""trusted_addresses":["10.1.2.3/8","::1"]"#);
    let shown: Vec<_> = by_addresses
        .trusted_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(by_addresses.by, By::TrustedAddresses);
    let by_hops = real_ip(r#""header":"X-Forwarded-For","trusted_hops":2"#);
    assert_eq!(by_hops.by, By::TrustedHops(2));
    let by_header = real_ip(r#""header":"CF-Connecting-IP","trusted_addresses":["1.1.1.1"]"#);
    assert_eq!(by_header.by, By::Header("cf-connecting-ip".into()));
}

#[test]
fn what_a_listener_cannot_be() {
    let table = [
        ("", "listeners: found an empty list, allowed: at least one"),
        (r#"{"name":"http"}"#, "listeners[0]: `port` is missing"),
        (
            r#"{"name":"http","port":70000}"#,
            "listeners[0].port: found 70000, allowed: 1–65535",
        ),
        (
            r#"{"name":"a b","port":80}"#,
            "listeners[0].name: found the id `a b`, allowed: 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            r#"{"name":"http","port":80,"address":"localhost"}"#,
            r#"listeners[0].address: found "localhost", allowed: an IP address"#,
        ),
        (
            r#"{"name":"http","port":80,"protocol":"quic"}"#,
            r#"listeners[0].protocol: found "quic", allowed: http, https, tcp, tls"#,
        ),
        (
            r#"{"name":"http","port":80,"http3":true}"#,
            "listeners[0].http3: found true, allowed: on a listener of `protocol: https` only",
        ),
        (
            r#"{"name":"a","port":443,"protocol":"https","http3":true,"proxy_protocol":true}"#,
            "listeners[0].proxy_protocol: found true beside `http3`, allowed: one of the two, as HTTP/3 has no PROXY protocol",
        ),
        (
            r#"{"name":"http","port":80,"max_connections":0}"#,
            "listeners[0].max_connections: found 0, allowed: 1–4294967295",
        ),
        (
            r#"{"name":"http","port":80,"buffer_bytes":1}"#,
            "listeners[0].buffer_bytes: found 1, allowed: 4096–1073741824",
        ),
        (
            r#"{"name":"http","port":80},{"name":"http","port":81}"#,
            r#"listeners[1].name: found "http" a second time, allowed: once"#,
        ),
        (
            r#"{"name":"a","port":80},{"name":"b","port":80}"#,
            r#"listeners[1].port: found 80, which listener "a" has at the same address"#,
        ),
        (
            r#"{"name":"a","port":80},{"name":"b","port":80,"address":"::"}"#,
            r#"listeners[1].port: found 80, which listener "a" has at the same address"#,
        ),
    ];
    for (listeners, said) in table {
        let text = format!(r#"{{"listeners":[{listeners}]}}"#);
        refused(&[("gateways/g", &text, said)]);
    }
    refused(&[("gateways/g", "{}", "`listeners` is missing")]);
}

#[test]
fn what_a_gateway_cannot_do() {
    let table = [
        (
            r#""http":{"max_request_headers_kb":9000}"#,
            "http.max_request_headers_kb: found 9000, allowed: 1–8192",
        ),
        (
            r#""http":{"idle_timeout":0}"#,
            "http.idle_timeout: found 0, allowed: seconds, 0.001–31536000",
        ),
        (
            r#""http":{"headers_with_underscores":"keep"}"#,
            r#"http.headers_with_underscores: found "keep", allowed: reject, drop, allow"#,
        ),
        (
            r#""http":{"http2":{"initial_stream_window_size":1}}"#,
            "http.http2.initial_stream_window_size: found 1, allowed: 65535–2147483647",
        ),
        (
            r#""access_log":{"path":"access.log"}"#,
            r#"access_log.path: found "access.log", allowed: a file's whole path on Envoy's machine, /dev/stdout, /dev/stderr"#,
        ),
        (
            r#""access_log":{"path":"/a","fields":{}}"#,
            "access_log.fields: found, allowed: with `format: json` only",
        ),
        (
            r#""access_log":{"path":"/a","format":"json","line":"a"}"#,
            "access_log.line: found, allowed: with `format: text` only",
        ),
        (
            r#""access_log":{"path":"/a","format":"json","fields":{}}"#,
            "access_log.fields: found none, allowed: at least one",
        ),
        (
            r#""access_log":{"path":"/a","line":"a\nb"}"#,
            r#"access_log.line: found "a\nb", allowed: one line"#,
        ),
        (
            r#""tracing":{"provider":"jaeger","upstream_id":"u"}"#,
            r#"tracing.provider: found "jaeger", allowed: opentelemetry, zipkin"#,
        ),
        (
            r#""tracing":{"provider":"zipkin","upstream_id":"u","sampling":0.001}"#,
            "tracing.sampling: found 0.001, allowed: percent, 0–100, in steps of 0.01",
        ),
        (
            r#""tracing":{"provider":"zipkin","upstream_id":"u","service_name":"a"}"#,
            "tracing.service_name: found, allowed: with `provider: opentelemetry` only",
        ),
        (
            r#""tracing":{"provider":"zipkin","upstream_id":"u","path":"spans"}"#,
            r#"tracing.path: found "spans", allowed: a path that starts with `/`"#,
        ),
        (
            r#""tracing":{"provider":"zipkin","upstream_id":"u"}"#,
            "tracing.upstream_id: refers to `upstreams/u`, which does not exist",
        ),
        (
            r#""real_ip":{"header":"X-Real-IP"}"#,
            "real_ip.trusted_addresses: is missing: without it every client could say that it is another one",
        ),
        (
            r#""real_ip":{"header":"X-Real-IP","trusted_hops":1}"#,
            "real_ip.trusted_hops: found beside another `header` than `X-Forwarded-For`, which holds one address only",
        ),
        (
            r#""real_ip":{"trusted_addresses":["10.0.0.0/33"]}"#,
            r#"real_ip.trusted_addresses[0]: found "10.0.0.0/33", allowed: an IP address or a range such as "10.0.0.0/8""#,
        ),
        (
            r#""real_ip":{"trusted_addresses":["10.0.0.0/8","10.1.0.0/8"]}"#,
            "real_ip.trusted_addresses[1]: found a second time, allowed: once",
        ),
    ];
    for (fields, said) in table {
        refused(&[("gateways/g", &with(fields), said)]);
    }
}
