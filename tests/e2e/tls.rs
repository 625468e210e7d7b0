//! HTTPS: which certificate a client sees, who is let in, and what stays when certificates come and go.

mod dotted;
mod http3;

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use bytes::Bytes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::certificates::{Authority, Identity};
use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::http::ANSWER;
use crate::support::instance::Instance;
use crate::support::secure::{Secure, der};
use crate::support::stage::{Stage, route_to, weights};
use crate::support::{eventually, many};
use crate::upstreams::tls::server;

/// Where the stage's gateway speaks HTTPS.
fn https(stage: &Stage) -> SocketAddr {
    (stage.address, 9443).into()
}

/// A stage whose gateway has an HTTPS listener with these fields too, and a route `/*` to `blue`.
async fn stage_with(fields: &Value) -> (Stage, Instance) {
    dress(Stage::set().await, fields).await
}

async fn dress(stage: Stage, fields: &Value) -> (Stage, Instance) {
    let blue = stage.instance("blue").await;
    stage
        .etcd
        .put("routes/all", &route_to("/*", &[&blue]))
        .await;
    let mut listener = json!({
        "name": "https", "address": stage.address, "port": 9443, "protocol": "https",
    });
    for (name, value) in fields.as_object().unwrap() {
        listener[name] = value.clone();
    }
    let http = json!({ "name": "http", "address": stage.address, "port": 9080 });
    let gateway = json!({ "listeners": [http, listener] });
    stage.etcd.put("gateways/default", &gateway).await;
    stage.envoy.answers_by("/", "blue").await;
    (stage, blue)
}

fn ssl(names: &[&str], identity: &Identity) -> Value {
    json!({ "snis": names, "cert": identity.cert, "key": identity.key })
}

/// Waits until a client that asks for `name` sees this certificate.
pub async fn shows(stage: &Stage, client: &Secure, name: &str, identity: &Identity) {
    eventually(async || {
        let connection = client.connect(https(stage), name).await?;
        ensure!(
            connection.certificate() == der(identity),
            "another certificate"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_came_over_http_is_redirected_and_what_came_over_https_goes_on() {
    let (stage, blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let client = Secure::trusting(&authority, None);
    let www = authority.identity(&["www.example.com"]);
    stage
        .etcd
        .put("ssls/www", &ssl(&["www.example.com"], &www))
        .await;
    let mut route = route_to("/*", &[&blue]);
    route["plugins"] = json!({ "redirect": { "http_to_https": true } });
    stage.etcd.put("routes/all", &route).await;
    let host = ("host", "www.example.com:9080");
    for (method, status) in [
        (Method::GET, 301),
        (Method::HEAD, 301),
        (Method::POST, 308),
        (Method::DELETE, 308),
    ] {
        eventually(async || {
            // What a client says of itself is not believed.
            let headers = [host, ("x-forwarded-proto", "https")];
            let answer = stage.envoy.send(method.clone(), "/a?b=c", &headers).await?;
            ensure!(answer.status == status, "{method}: {}", answer.status);
            let location = answer.headers["location"].to_str()?;
            ensure!(
                location == "https://www.example.com:443/a?b=c",
                "{location}"
            );
            Ok(())
        })
        .await;
    }
    shows(&stage, &client, "www.example.com", &www).await;
    let mut connection = client
        .connect(https(&stage), "www.example.com")
        .await
        .unwrap();
    let (status, answer) = connection.get("www.example.com", "/a").await.unwrap();
    assert!(status == 200 && answer.contains("blue"), "{answer}");
}

#[tokio::test]
async fn the_name_chooses_the_certificate_and_renewing_one_drops_nobody() {
    let (stage, _blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let client = Secure::trusting(&authority, None);
    let www = authority.identity(&["www.example.com"]);
    let wildcard = authority.identity(&["*.example.com"]);
    assert!(
        client
            .connect(https(&stage), "www.example.com")
            .await
            .is_err()
    );
    stage
        .etcd
        .put("ssls/www", &ssl(&["www.example.com"], &www))
        .await;
    stage
        .etcd
        .put("ssls/wildcard", &ssl(&["*.example.com"], &wildcard))
        .await;
    shows(&stage, &client, "www.example.com", &www).await;
    shows(&stage, &client, "a.example.com", &wildcard).await;
    for nobody in ["www.example.org", "127.0.0.1"] {
        assert!(
            client.connect(https(&stage), nobody).await.is_err(),
            "{nobody}"
        );
    }

    let mut kept = client
        .connect(https(&stage), "www.example.com")
        .await
        .unwrap();
    let (status, answer) = kept.get("www.example.com", "/").await.unwrap();
    assert!(status == 200 && answer.contains("blue"), "{answer}");
    assert!(
        answer.contains(r#""x-forwarded-proto":"https""#),
        "{answer}"
    );

    let before = stage.envoy.configured().await;
    let renewed = authority.identity(&["www.example.com"]);
    stage
        .etcd
        .put("ssls/www", &ssl(&["www.example.com"], &renewed))
        .await;
    shows(&stage, &client, "www.example.com", &renewed).await;
    assert_eq!(kept.get("www.example.com", "/").await.unwrap().0, 200);
    assert_eq!(
        stage.envoy.configured().await,
        before,
        "only the secret is another one"
    );

    let other = authority.identity(&["www.example.org"]);
    stage
        .etcd
        .put("ssls/other", &ssl(&["www.example.org"], &other))
        .await;
    shows(&stage, &client, "www.example.org", &other).await;
    stage.etcd.delete("ssls/other").await;
    eventually(async || {
        let refused = client
            .connect(https(&stage), "www.example.org")
            .await
            .is_err();
        ensure!(refused, "its certificate is still shown");
        Ok(())
    })
    .await;
    assert_eq!(kept.get("www.example.com", "/").await.unwrap().0, 200);

    let log = stage.chancery.process.output();
    assert!(!log.contains("PRIVATE KEY"), "a key in the log");
}

#[tokio::test]
async fn a_document_has_several_certificates() {
    let (stage, _blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let client = Secure::trusting(&authority, None);
    let one = authority.identity(&["one.example.com"]);
    let two = authority.identity(&["two.example.org"]);
    let mut both = ssl(&["*"], &one);
    both["certs"] = json!([two.cert]);
    both["keys"] = json!([two.key]);
    stage.etcd.put("ssls/both", &both).await;
    shows(&stage, &client, "one.example.com", &one).await;
    shows(&stage, &client, "two.example.org", &two).await;
}

#[tokio::test]
async fn clients_show_who_they_are_where_that_is_asked_for() {
    let stage = Stage::set_with(Protocol::Sotw, Memory::Forgets).await;
    let (stage, _blue) = dress(stage, &json!({})).await;
    let (authority, employees) = (Authority::new(), Authority::new());
    let open = authority.identity(&["www.example.com"]);
    let closed = authority.identity(&["admin.example.com"]);
    let mut admin = ssl(&["admin.example.com"], &closed);
    admin["client"] = json!({ "ca": employees.pem() });
    stage
        .etcd
        .put("ssls/www", &ssl(&["www.example.com"], &open))
        .await;
    stage.etcd.put("ssls/admin", &admin).await;
    let employee = employees.identity(&["employee"]);
    let employee = Secure::trusting(&authority, Some(&employee));
    let stranger = authority.identity(&["stranger"]);
    let stranger = Secure::trusting(&authority, Some(&stranger));
    let nobody = Secure::trusting(&authority, None);
    let ask = async |client: &Secure, name: &str, host: &str| {
        let mut connection = client.connect(https(&stage), name).await?;
        anyhow::Ok(connection.get(host, "/").await?.0)
    };
    eventually(async || {
        let status = ask(&employee, "admin.example.com", "admin.example.com").await?;
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await;
    for client in [&stranger, &nobody] {
        let name = "admin.example.com";
        assert!(ask(client, name, name).await.is_err());
    }
    let status = ask(&nobody, "www.example.com", "www.example.com").await;
    assert_eq!(status.unwrap(), 200);
    // Another Host than the name of the connection leads to no place where a certificate is asked for.
    for host in ["admin.example.com", "ADMIN.example.com:9443"] {
        let status = ask(&nobody, "www.example.com", host).await;
        assert_eq!(status.unwrap(), 403, "{host}");
    }
}

#[tokio::test]
async fn an_upstream_is_shown_the_certificate_of_an_ssl_document() {
    let stage = Stage::set().await;
    let authority = Authority::new();
    let identity = authority.identity(&["instance"]);
    let config = server(&identity, Some(&authority));
    let instance = Instance::secure("secure", stage.address, config).await;
    let client = |identity: &Identity| json!({ "type": "client", "cert": identity.cert, "key": identity.key });
    let route = json!({ "uri": "/*", "upstream": {
        "scheme": "https", "nodes": weights(&[&instance]), "tls": { "client_cert_id": "gateway" },
    } });
    stage
        .etcd
        .put("ssls/gateway", &client(&authority.identity(&["gateway"])))
        .await;
    stage.etcd.put("routes/all", &route).await;
    stage.envoy.answers_by("/", "secure").await;
    let before = stage.envoy.configured().await;
    let updates = "cluster.route/all.client_ssl_socket_factory.ssl_context_update_by_sds";
    let seen = stage.envoy.stat(updates).await;
    stage
        .etcd
        .put("ssls/gateway", &client(&authority.identity(&["renewed"])))
        .await;
    eventually(async || {
        ensure!(
            stage.envoy.stat(updates).await > seen,
            "the old certificate"
        );
        Ok(())
    })
    .await;
    stage.envoy.answers_by("/", "secure").await;
    assert_eq!(stage.envoy.configured().await, before);
}

#[tokio::test]
async fn a_grpc_call_over_tls() {
    let (stage, _blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let identity = authority.identity(&["grpc.example.com"]);
    stage
        .etcd
        .put("ssls/grpc", &ssl(&["grpc.example.com"], &identity))
        .await;
    let echo = Instance::grpc("echo", stage.address).await;
    let mut route = route_to("/test.Echo/*", &[&echo]);
    route["upstream"]["scheme"] = json!("grpc");
    stage.etcd.put("routes/echo", &route).await;
    let client = Secure::trusting(&authority, None).speaking(&["h2", "http/1.1"]);
    let message = Bytes::from_static(&[0, 0, 0, 0, 2, b'h', b'i']);
    let mut body = eventually(async || {
        let connection = client.connect(https(&stage), "grpc.example.com").await?;
        ensure!(connection.protocol().as_deref() == Some("h2"), "no HTTP/2");
        let (client, connection) = h2::client::handshake(connection.into_stream()).await?;
        tokio::spawn(connection);
        let request = http::Request::post("https://grpc.example.com/test.Echo/Say")
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let mut client = client.ready().await?;
        let (answer, mut sender) = client.send_request(request.body(())?, false)?;
        sender.send_data(message.clone(), true)?;
        let answer = tokio::time::timeout(ANSWER, answer).await??;
        let of_grpc = answer.headers().get("content-type");
        ensure!(
            of_grpc.is_some_and(|of| of == "application/grpc"),
            "{answer:?}"
        );
        Ok(answer.into_body())
    })
    .await;
    let heard = body.data().await.context("no message").unwrap().unwrap();
    assert_eq!(heard, message);
    while body.data().await.is_some() {}
    let trailers = body.trailers().await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

/// Every name has a filter chain of its own, so that what comes and goes beside it is nothing to its connections.
#[tokio::test]
async fn many_names_keep_their_connections_when_one_is_renewed_and_one_comes() {
    let names = many(200, 2_000);
    let (stage, _blue) = stage_with(&json!({})).await;
    let authority = Authority::new();
    let client = Secure::trusting(&authority, None);
    let shared = authority.identity(&["*.example.com"]);
    let name = |n: usize| format!("n{n}.example.com");
    for n in 0..names {
        let one = ssl(&[&name(n)], &shared);
        stage.etcd.put(&format!("ssls/n{n}"), &one).await;
    }
    let last = name(names - 1);
    shows(&stage, &client, &last, &shared).await;
    let mut kept = Vec::new();
    for n in (0..names).step_by(names / 20) {
        let connection = client.connect(https(&stage), &name(n)).await.unwrap();
        kept.push((name(n), connection));
    }
    let before = stage.envoy.configured().await;

    let renewed = authority.identity(&["*.example.com"]);
    stage.etcd.put("ssls/n1", &ssl(&[&name(1)], &renewed)).await;
    shows(&stage, &client, &name(1), &renewed).await;
    assert_eq!(stage.envoy.configured().await, before, "a secret alone");
    let other = authority.identity(&["www.example.org"]);
    stage
        .etcd
        .put("ssls/other", &ssl(&["www.example.org"], &other))
        .await;
    shows(&stage, &client, "www.example.org", &other).await;

    for (name, connection) in &mut kept {
        for _ in 0..2 {
            let (status, answer) = connection.get(name, "/").await.unwrap();
            assert_eq!(status, 200, "{answer}");
            let head = answer.to_ascii_lowercase();
            assert!(!head.contains("connection: close"), "{name} is drained");
        }
    }
}
