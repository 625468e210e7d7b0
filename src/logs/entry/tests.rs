use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::data::accesslog::v3::{HttpRequestProperties, HttpResponseProperties};
use envoy_types::pb::google::protobuf::{ListValue, Timestamp, UInt32Value};

use super::*;
use crate::model::log_target::{Batching, To};

fn address(host: &str, port: u32) -> Option<Address> {
    let socket = SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port)),
        ..SocketAddress::default()
    };
    Some(Address {
        address: Some(address::Address::SocketAddress(socket)),
    })
}

fn text(text: &str) -> protobuf::Value {
    protobuf::Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    }
}

fn object<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [&'a str])>) -> protobuf::Value {
    let fields = headers.into_iter().map(|(name, values)| {
        let values = values.iter().map(|value| text(value)).collect();
        let kind = Some(Kind::ListValue(ListValue { values }));
        (name.to_owned(), protobuf::Value { kind })
    });
    protobuf::Value {
        kind: Some(Kind::StructValue(Struct {
            fields: fields.collect(),
        })),
    }
}

fn nanos(millis: i32) -> Option<protobuf::Duration> {
    Some(protobuf::Duration {
        seconds: 0,
        nanos: millis * 1_000_000,
    })
}

pub(in crate::logs) fn told(route: &str) -> HttpAccessLogEntry {
    let request = object([
        (":method", &["GET"][..]),
        (":path", &["/a%2520b?x=1&x=%2532&y&z=a+b"]),
        (":scheme", &["http"]),
        (":authority", &["WWW.example.com:9080"]),
        ("x-a", &["1", "2"]),
        ("x-b", &["gr%C3%BC%FF 100%25"]),
        ("cookie", &["a=1; B=2"]),
    ]);
    let response = object([(":status", &["201"][..]), ("x-c", &["3"])]);
    let told = Struct {
        fields: [
            ("to", text("one\ntwo")),
            ("request", request),
            ("response", response),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    };
    let common = AccessLogCommon {
        downstream_remote_address: address("10.0.0.1", 5000),
        downstream_local_address: address("10.0.0.2", 9080),
        upstream_remote_address: address("::1", 8081),
        start_time: Some(Timestamp {
            seconds: 1_600_902_545,
            nanos: 250_000_000,
        }),
        duration: nanos(12),
        time_to_first_upstream_tx_byte: nanos(2),
        time_to_last_upstream_rx_byte: nanos(9),
        downstream_wire_bytes_received: 100,
        downstream_wire_bytes_sent: 200,
        route_name: route.to_owned(),
        metadata: Some(Metadata {
            filter_metadata: [(METADATA.to_owned(), told)].into(),
            ..Metadata::default()
        }),
        ..AccessLogCommon::default()
    };
    HttpAccessLogEntry {
        common_properties: Some(common),
        request: Some(HttpRequestProperties {
            request_headers: [(CONSUMER.to_owned(), "jack".to_owned())].into(),
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_code: Some(UInt32Value { value: 201 }),
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

pub(in crate::logs) fn target(format: Option<&[(&str, &str)]>) -> LogTarget {
    let owned = |(name, text): &(&str, &str)| {
        let text = Field::Text((*text).to_owned());
        ((*name).to_owned(), text)
    };
    LogTarget {
        to: To::Http {
            uri: "http://a".to_owned(),
            timeout: 1,
            verify: false,
            lines: false,
        },
        batch: Batching {
            most: 1,
            idle: 1,
            age: 1,
            retries: 0,
            pause: 1,
            pending: None,
        },
        format: format.map(|fields| fields.iter().map(owned).collect()),
        service: Some("s".to_owned()),
    }
}

fn json_of(entry: &HttpAccessLogEntry, target: &LogTarget) -> Value {
    let proxy = Proxy {
        hostname: "edge-1".to_owned(),
        version: "1.40.0".to_owned(),
    };
    Entry::read(entry, &proxy).object(target).into()
}

#[test]
fn an_entry_is_what_apisix_writes() {
    let entry = told("route/echo");
    assert_eq!(
        json_of(&entry, &target(None)),
        json!({
            "request": {
                "method": "GET",
                "uri": "/a%20b?x=1&x=%32&y&z=a+b",
                "url": "http://www.example.com:9080/a%20b?x=1&x=%32&y&z=a+b",
                "headers": {
                    "host": "WWW.example.com:9080", "x-a": ["1", "2"], "x-b": "grü\u{fffd} 100%", "cookie": "a=1; B=2",
                },
                "querystring": {"x": ["1", "2"], "y": true, "z": "a b"},
                "size": 100,
            },
            "response": {"status": 201, "headers": {"x-c": "3"}, "size": 200},
            "server": {"hostname": "edge-1", "version": "1.40.0"},
            "service_id": "s",
            "route_id": "echo",
            "consumer": {"username": "jack"},
            "upstream": "[::1]:8081",
            "client_ip": "10.0.0.1",
            "start_time": 1_600_902_545_250_u64,
            "latency": 12.0,
            "upstream_latency": 7.0,
            "apisix_latency": 5.0,
        })
    );
    let proxy = Proxy::default();
    let entry = Entry::read(&entry, &proxy);
    assert_eq!(entry.targets().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn an_entry_has_the_fields_that_are_asked_for() {
    let format = [
        ("@timestamp", "$time_iso8601"),
        ("arg", "$arg_X"),
        ("cookie", "$cookie_b"),
        ("consumer", "$consumer_name"),
        ("header", "$http_x_a"),
        ("host", "$host"),
        ("http_host", "$http_host"),
        ("method", "$request_method"),
        ("nothing", "$http_x_nothing"),
        ("port", "$server_port"),
        ("status", "$status"),
        ("text", "100% $"),
        ("uri", "$uri"),
        ("whole", "$request_uri"),
    ];
    assert_eq!(
        json_of(&told("route/echo"), &target(Some(&format))),
        json!({
            "@timestamp": "2020-09-23T23:09:05+00:00",
            "arg": "1",
            "cookie": "2",
            "consumer": "jack",
            "header": "1, 2",
            "host": "www.example.com",
            "http_host": "WWW.example.com:9080",
            "method": "GET",
            "port": "9080",
            "status": "201",
            "text": "100% $",
            "uri": "/a%20b",
            "whole": "/a%20b?x=1&x=%32&y&z=a+b",
            "route_id": "echo",
            "service_id": "s",
        })
    );
}

#[test]
fn a_request_that_no_route_took_has_no_route() {
    let entry = json_of(&told("route/chancery.no-route"), &target(None));
    assert_eq!(entry["service_id"], "www.example.com");
    assert!(entry.get("route_id").is_none(), "{entry}");
}

#[test]
fn an_entry_of_nothing_is_one() {
    let empty = HttpAccessLogEntry::default();
    let entry = json_of(&empty, &target(None));
    assert_eq!(entry["response"]["status"], 0);
    assert_eq!(entry["request"]["querystring"], json!({}));
    assert!(entry.get("upstream").is_none(), "{entry}");
}

#[test]
fn an_entry_has_objects_of_what_is_asked_for() {
    let format = json!({
        "request": {"method": "$request_method", "none": "$http_x_nothing", "deep": {"uri": "$uri"}},
        "empty": {"none": "$http_x_nothing"},
        "route_id": {"not": "this"},
    });
    let mut target = target(None);
    target.format = Some(serde_json::from_value(format).unwrap());
    assert_eq!(
        json_of(&told("route/echo"), &target),
        json!({
            "request": {"method": "GET", "deep": {"uri": "/a%20b"}},
            "empty": {},
            "route_id": "echo",
            "service_id": "s",
        })
    );
}
