//! Stream routes: bytes by port, by where the client is, and TLS by the name that it asks for, unopened.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

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

#[tokio::test]
async fn only_some_clients_have_a_stream_route_and_no_instance_hears_of_the_others() {
    let stage = stage().await;
    let tcp = SocketAddr::from((stage.address, 9100));
    let (blue, greeting) = (
        stage.instance("blue").await,
        Greeting::start(stage.address).await,
    );
    let all = json!({ "server_port": 9100, "upstream": upstream(&blue) });
    stage.etcd.put("stream_routes/all", &all).await;
    answers(stage.address, tcp, "blue").await;
    let mut open = TcpStream::connect(tcp).await.unwrap();
    assert!(asked(&mut open).await.unwrap().contains("blue"));

    let client = own_address();
    let restricted = |list: &str, who: Ipv4Addr| {
        let plugins = json!({ "ip-restriction": { list: [who] } });
        json!({ "server_port": 9100, "remote_addr": client, "plugins": plugins, "upstream": {
            "scheme": "tcp", "nodes": { greeting.address.to_string(): 1 },
        } })
    };
    let denied = restricted("blacklist", client);
    stage.etcd.put("stream_routes/some", &denied).await;
    greeted(client, tcp, "").await;
    // Whoever connects is greeted before a word of the client: nobody was connected.
    assert_eq!(greeting.connections(), 0);
    assert!(asked(&mut open).await.unwrap().contains("blue"));
    for (list, who, heard) in [
        ("whitelist", client, "welcome"),
        ("whitelist", stage.address, ""),
        ("blacklist", stage.address, "welcome"),
    ] {
        let document = restricted(list, who);
        stage.etcd.put("stream_routes/some", &document).await;
        greeted(client, tcp, heard).await;
        // Connections of another stream route of the same port live on.
        assert!(asked(&mut open).await.unwrap().contains("blue"));
    }
    answers(stage.address, tcp, "blue").await;
}

/// Says a word to whoever connects.
struct Greeting {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Greeting {
    async fn start(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = connection.write_all(b"welcome").await;
            }
        });
        Self {
            address,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Waits until a client that says nothing hears this, until its connection is closed.
async fn greeted(from: Ipv4Addr, to: SocketAddr, wanted: &str) {
    eventually(async || {
        // An instance that waits for a request says nothing.
        let heard = timeout(Duration::from_secs(2), raw(from, to, "")).await??;
        ensure!(heard == wanted, "{heard:?}");
        Ok(())
    })
    .await;
}

/// Sends a request and reads what comes first of its answer.
async fn asked(connection: &mut TcpStream) -> anyhow::Result<String> {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    connection.write_all(request).await?;
    let mut answer = vec![0; 4096];
    let mut text = String::new();
    while !text.contains("\"instance\"") {
        let read = connection.read(&mut answer).await?;
        ensure!(read > 0, "closed: {text}");
        text.push_str(&String::from_utf8_lossy(&answer[..read]));
    }
    Ok(text)
}
