//! Stream routes: bytes by port, by where the client is, and TLS by the name that it asks for, unopened.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::certificates::Authority;
use crate::support::http::raw;
use crate::support::instance::Instance;
use crate::support::secure::{Secure, der};
use crate::support::stage::{Stage, route_to, weights};
use crate::support::{eventually, own_address};
use crate::upstreams::tls::server;

/// A stage whose gateway has a TCP listener on 9100 and a TLS listener on 9101 beside the HTTP listener.
async fn stage() -> Stage {
    let stage = Stage::set().await;
    let listener = |name: &str, port: u16| json!({ "name": name, "address": stage.address, "port": port, "protocol": name });
    let listeners = json!([
        listener("http", 9080),
        listener("tcp", 9100),
        listener("tls", 9101)
    ]);
    let gateway = json!({ "listeners": listeners });
    stage.etcd.put("gateways/default", &gateway).await;
    stage
}

fn upstream(to: &Instance) -> Value {
    json!({ "scheme": "tcp", "nodes": weights(&[to]) })
}

/// Waits until the bytes of a client at `from` go to this instance.
async fn answers(from: Ipv4Addr, to: SocketAddr, instance: &str) {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let wanted = format!("\"instance\":\"{instance}\"");
    eventually(async || {
        let answer = raw(from, to, request).await?;
        ensure!(answer.contains(&wanted), "{answer}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn bytes_go_by_port_and_by_where_the_client_is() {
    let stage = stage().await;
    let [blue, green, red] = [
        stage.instance("blue").await,
        stage.instance("green").await,
        stage.instance("red").await,
    ];
    let tcp = SocketAddr::from((stage.address, 9100));
    stage.etcd.put("routes/a", &route_to("/*", &[&red])).await;
    stage.envoy.answers_by("/", "red").await;
    let all = json!({ "server_port": 9100, "upstream": upstream(&blue) });
    stage.etcd.put("stream_routes/all", &all).await;
    answers(stage.address, tcp, "blue").await;

    let client = own_address();
    let some = json!({ "server_port": 9100, "remote_addr": client, "upstream": upstream(&green) });
    let drained = "listener_manager.lds.update_success";
    let before = stage.envoy.stat(drained).await;
    stage.etcd.put("stream_routes/some", &some).await;
    answers(client, tcp, "green").await;
    answers(stage.address, tcp, "blue").await;
    assert!(stage.envoy.stat(drained).await > before);

    stage.consul.register("red", "red-1", red.address).await;
    let by_service = json!({ "discovery_type": "consul", "service_name": "red", "scheme": "tcp" });
    let some = json!({ "remote_addr": client, "upstream": by_service });
    stage.etcd.put("stream_routes/some", &some).await;
    answers(client, tcp, "red").await;
    stage.etcd.delete("stream_routes/some").await;
    answers(client, tcp, "blue").await;

    let nowhere = json!({ "server_port": 9200, "upstream": upstream(&blue) });
    stage.etcd.put("stream_routes/nowhere", &nowhere).await;
    let line = stage.chancery.logs(0, "document rejected").await;
    let said = format!("{line:?}");
    assert!(
        said.contains("no listener of gateway `default` has this port"),
        "{said}"
    );
}

#[tokio::test]
async fn tls_passes_through_by_name() {
    let stage = stage().await;
    let authority = Authority::new();
    let client = Secure::trusting(&authority, None);
    let tls = SocketAddr::from((stage.address, 9101));
    let [one, two] = ["one.example.com", "two.example.com"].map(|name| authority.identity(&[name]));
    let first = Instance::secure("first", stage.address, server(&one, None)).await;
    let second = Instance::secure("second", stage.address, server(&two, None)).await;
    let to_first = json!({ "sni": "one.example.com", "upstream": upstream(&first) });
    let to_second = json!({ "sni": "*.example.com", "upstream": upstream(&second) });
    stage.etcd.put("stream_routes/first", &to_first).await;
    stage.etcd.put("stream_routes/second", &to_second).await;
    for (name, identity) in [("one.example.com", &one), ("two.example.com", &two)] {
        eventually(async || {
            let mut connection = client.connect(tls, name).await?;
            ensure!(
                connection.certificate() == der(identity),
                "another instance"
            );
            let (status, _) = connection.get(name, "/").await?;
            ensure!(status == 200, "{status}");
            Ok(())
        })
        .await;
    }
    assert!(client.connect(tls, "one.example.org").await.is_err());
}
