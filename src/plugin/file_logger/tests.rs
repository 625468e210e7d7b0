use envoy_types::pb::envoy::config::accesslog::v3::access_log::ConfigType;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::{
    FileAccessLog, file_access_log::AccessLogFormat,
};
use envoy_types::pb::envoy::extensions::filters::http::filter_chain::v3::FilterChainConfigPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::{Value, json};

use crate::plugin::tests::{applied, branched, refusal, warned};

/// The file of a route's log, and the fields of its lines; nothing when it has none.
fn logged(route: &Route) -> Option<(String, Value)> {
    let own = route.typed_per_filter_config.get("chancery.router")?;
    let place = FilterChainConfigPerRoute::decode(own.value.as_slice()).unwrap();
    let filter = place.filter_chain.unwrap().filters.remove(0);
    let router = Router::decode(filter.typed_config.unwrap().value.as_slice()).unwrap();
    assert!(router.suppress_envoy_headers, "as all routes have it");
    let Some(ConfigType::TypedConfig(config)) = &router.upstream_log[0].config_type else {
        panic!("no log: {router:?}");
    };
    let file = FileAccessLog::decode(config.value.as_slice()).unwrap();
    let Some(AccessLogFormat::LogFormat(format)) = file.access_log_format else {
        panic!("no format: {file:?}");
    };
    let Some(Format::JsonFormat(fields)) = format.format else {
        panic!("not JSON: {format:?}");
    };
    let field = |(name, value): (_, envoy_types::pb::google::protobuf::Value)| match value.kind {
        Some(Kind::StringValue(text)) => (name, Value::from(text)),
        other => panic!("not a text: {other:?}"),
    };
    Some((file.path, fields.fields.into_iter().map(field).collect()))
}

#[test]
fn lines_have_the_fields_that_are_asked_for() {
    let route = applied(
        json!({"file-logger": {"path": "/var/log/a.log", "log_format": {
            "@timestamp": "$time_iso8601", "client_ip": "$remote_addr", "status": "$status", "who": "100% $host",
        }}}),
    );
    let fields = json!({
        "@timestamp": "%START_TIME%",
        "client_ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "route_id": "",
        "status": "%RESPONSE_CODE%",
        "who": "100%% $host",
    });
    assert_eq!(logged(&route), Some(("/var/log/a.log".to_owned(), fields)));
}

#[test]
fn only_requests_that_match_are_written_down() {
    let routes = branched(json!({"file-logger": {
        "path": "/a", "match": [[["arg_a", "==", "1"]], [["arg_b", "==", "1"]]],
    }}));
    let logged: Vec<bool> = routes.iter().map(|route| logged(route).is_some()).collect();
    assert_eq!(logged, [true, true, false]);
}

#[test]
fn what_lines_lack_is_told() {
    let full = json!({"path": "/a", "log_format": {"host": "$host"}});
    assert_eq!(
        warned("file-logger", full),
        [
            ": has a line for each attempt to send a request to an instance, and none for requests that Envoy answers by \
             itself; those are in `access_log` of the gateway",
            "log_format.host: `$host` holds the port as well where the client names one",
        ]
    );
    let said = warned("file-logger", json!({"path": "/a"}));
    assert_eq!(
        said[1],
        "log_format: is missing: lines have client_ip, latency (in milliseconds), method, route_id, start_time, status, \
         upstream, uri, and no headers, unless `plugin_metadata/file-logger` says what they have"
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"path":"logs/file.log"}"#,
            r#"path: found "logs/file.log", allowed: a file's whole path on Envoy's machine"#,
        ),
        (
            r#"{"path":"/a","include_req_body":true}"#,
            "include_req_body: found true, allowed: false, as Envoy writes no bodies to its logs",
        ),
        (
            r#"{"path":"/a","include_resp_body_expr":[]}"#,
            "include_resp_body_expr: `include_resp_body_expr` is not served: Envoy writes no bodies to its logs",
        ),
        (
            r#"{"path":"/a","log_format":{"a":"$request_time"}}"#,
            "log_format.a: found the variable \"$request_time\", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, \
             $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri, $status, $time_iso8601, $upstream_addr",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("file-logger", configuration),
            said,
            "of {configuration}"
        );
    }
}
