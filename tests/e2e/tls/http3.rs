//! HTTP/3. The client is an Envoy too, which asks over HTTP/3 whatever it is asked over HTTP/1.1.

use std::net::SocketAddr;

use anyhow::ensure;
use serde_json::{Value, json};

use super::{https, shows, ssl, stage_with};
use crate::support::certificates::Authority;
use crate::support::process::Process;
use crate::support::secure::Secure;
use crate::support::tools::tool;
use crate::support::{eventually, http, own_address};

const NAME: &str = "www.example.com";

fn address(of: SocketAddr) -> Value {
    json!({ "socket_address": { "address": of.ip(), "port_value": of.port() } })
}

fn of_type(name: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/envoy.{name}").into();
    config
}

/// An Envoy that listens at `from` and speaks nothing but HTTP/3 with `to`.
fn client(from: SocketAddr, to: SocketAddr, ca: &str) -> Value {
    let context = json!({
        "sni": NAME,
        "common_tls_context": { "validation_context": { "trusted_ca": { "inline_string": ca } } },
    });
    let transport = "extensions.transport_sockets.quic.v3.QuicUpstreamTransport";
    let options = "extensions.upstreams.http.v3.HttpProtocolOptions";
    let cluster = json!({
        "name": "gateway",
        "type": "STATIC",
        "load_assignment": { "cluster_name": "gateway", "endpoints": [
            { "lb_endpoints": [{ "endpoint": { "address": address(to) } }] },
        ] },
        "transport_socket": {
            "name": "envoy.transport_sockets.quic",
            "typed_config": of_type(transport, json!({ "upstream_tls_context": context })),
        },
        "typed_extension_protocol_options": {
            format!("envoy.{options}"): of_type(options, json!({
                "explicit_http_config": { "http3_protocol_options": {} },
            })),
        },
    });
    let router = of_type("extensions.filters.http.router.v3.Router", json!({}));
    let manager = json!({
        "stat_prefix": "client",
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": router }],
        "route_config": { "virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "route": {
                "cluster": "gateway", "host_rewrite_literal": NAME,
            } }],
        }] },
    });
    let manager = of_type(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    );
    let filter = json!({
        "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
    });
    json!({ "static_resources": {
        "clusters": [cluster],
        "listeners": [{
            "name": "in", "address": address(from), "filter_chains": [{ "filters": [filter] }],
        }],
    } })
}

#[tokio::test]
async fn http3_is_spoken_by_choice_and_offered_over_https() {
    let (stage, _blue) = stage_with(&json!({ "http3": true, "max_connections": 100 })).await;
    let authority = Authority::new();
    let identity = authority.identity(&[NAME]);
    stage.etcd.put("ssls/www", &ssl(&[NAME], &identity)).await;
    let over_tcp = Secure::trusting(&authority, None);
    shows(&stage, &over_tcp, NAME, &identity).await;
    let mut connection = over_tcp.connect(https(&stage), NAME).await.unwrap();
    let (_, answer) = connection.get(NAME, "/").await.unwrap();
    assert!(
        answer.contains("alt-svc: h3=\":9443\"; ma=86400"),
        "{answer}"
    );

    let from = SocketAddr::from((own_address(), 9080));
    let file = stage.folder().join("client.json");
    let bootstrap = client(from, https(&stage), authority.pem());
    std::fs::write(&file, bootstrap.to_string()).unwrap();
    let path = file.display().to_string();
    let arguments = ["-c", &path, "--concurrency", "1", "--disable-hot-restart"];
    let mut envoy = Process::start("http3-client", &tool("envoy"), arguments, stage.folder());
    let url = format!("http://{from}/over-quic");
    eventually(async || {
        envoy.alive()?;
        let answer = http::send(&http::client(), reqwest::Method::GET, &url, &[]).await?;
        let seen = answer.seen()?;
        ensure!(seen["instance"] == "blue", "{seen}");
        ensure!(seen["headers"]["x-forwarded-proto"] == "https", "{seen}");
        Ok(())
    })
    .await;
    let connections = "http.default/https/http3.downstream_cx_http3_total";
    let before = stage.envoy.stat(connections).await;
    assert!(before > 0);

    // A certificate that comes is one for HTTP/3 too, and takes no connection away.
    let other = authority.identity(&["www.example.org"]);
    stage
        .etcd
        .put("ssls/other", &ssl(&["www.example.org"], &other))
        .await;
    shows(&stage, &over_tcp, "www.example.org", &other).await;
    for _ in 0..50 {
        let answer = http::send(&http::client(), reqwest::Method::GET, &url, &[]).await;
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(stage.envoy.stat(connections).await, before);
}
