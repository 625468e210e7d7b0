//! TLS to instances: who proves to be whom, on both sides.

use std::net::Ipv4Addr;
use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::route;
use crate::support::certificates::{Authority, Identity};
use crate::support::instance::Instance;
use crate::support::stage::Stage;

/// What an instance shows; with an authority, it asks for a certificate of that.
pub fn server(identity: &Identity, clients: Option<&Authority>) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let pem = authority.pem().as_bytes();
            roots
                .add(CertificateDer::from_pem_slice(pem).unwrap())
                .unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    builder.with_single_cert(vec![certificate], key).unwrap()
}

/// Puts a route over TLS: `tls`, and what else its upstream holds.
async fn put(stage: &Stage, path: &str, node: &str, tls: &Value, more: &Value) {
    let mut upstream = json!({ "scheme": "https", "nodes": { node: 1 }, "tls": tls });
    for (field, value) in more.as_object().unwrap() {
        upstream[field] = value.clone();
    }
    let key = format!("routes/{}", &path[1..]);
    stage.etcd.put(&key, &route(path, &upstream)).await;
}

async fn status(stage: &Stage, path: &str, host: &str) -> u16 {
    let answer = stage.envoy.send(Method::GET, path, &[("host", host)]).await;
    answer.unwrap().status
}

#[tokio::test]
async fn an_instance_must_prove_who_it_is_where_that_is_asked_for() {
    let stage = Stage::set().await;
    let (authority, another) = (Authority::new(), Authority::new());
    let identity = authority.identity(&["one.example.com", "localhost", "10.9.8.7"]);
    let instance = Instance::secure("secure", stage.address, server(&identity, None)).await;
    let local = Instance::secure("local", Ipv4Addr::LOCALHOST, server(&identity, None)).await;
    let node = instance.node();
    let named = format!("localhost:{}", local.address.port());
    let ca = authority.pem();
    let none = json!({});
    let trusted = json!({ "verify": true, "ca": ca });
    let sni = |name: &str| json!({ "verify": true, "ca": ca, "sni": name });
    let wrong = json!({ "verify": true, "ca": another.pem(), "sni": "one.example.com" });
    let rewrite = |host: &str| json!({ "pass_host": "rewrite", "upstream_host": host });
    let by_node = json!({ "pass_host": "node" });

    put(&stage, "/unverified", &node, &none, &none).await;
    put(&stage, "/sni", &node, &sni("one.example.com"), &none).await;
    put(&stage, "/other-name", &node, &sni("two.example.com"), &none).await;
    put(&stage, "/other-authority", &node, &wrong, &none).await;
    put(
        &stage,
        "/rewrite",
        &node,
        &trusted,
        &rewrite("one.example.com:1"),
    )
    .await;
    put(
        &stage,
        "/rewrite-other",
        &node,
        &trusted,
        &rewrite("two.example.com"),
    )
    .await;
    put(
        &stage,
        "/rewrite-address",
        &node,
        &trusted,
        &rewrite("10.9.8.7"),
    )
    .await;
    put(&stage, "/named", &named, &trusted, &by_node).await;
    put(&stage, "/system", &node, &json!({ "verify": true }), &none).await;
    put(&stage, "/host", &node, &trusted, &none).await;

    let good = [
        "/unverified",
        "/sni",
        "/rewrite",
        "/rewrite-address",
        "/named",
    ];
    for path in good {
        stage.envoy.answers_with(path, 200).await;
    }
    for (path, why) in [
        ("/other-name", "fail_verify_san"),
        ("/rewrite-other", "fail_verify_san"),
        ("/other-authority", "fail_verify_error"),
        ("/system", "fail_verify_error"),
    ] {
        stage.envoy.answers_with(path, 502).await;
        let stat = format!("cluster.route{path}.ssl.{why}");
        assert!(
            stage.envoy.stat(&stat).await > 0,
            "{path} fails for another reason"
        );
    }
    stage.envoy.answers_with("/host", 502).await;
    assert_eq!(status(&stage, "/host", "one.example.com").await, 200);
    assert_eq!(status(&stage, "/host", "two.example.com").await, 502);
    // A connection that was verified for one name serves no other.
    assert_eq!(status(&stage, "/host", "one.example.com").await, 200);
}

#[tokio::test]
async fn an_instance_sees_a_certificate_where_it_asks_for_one() {
    let stage = Stage::set().await;
    let authority = Authority::new();
    let identity = authority.identity(&["one.example.com"]);
    let config = server(&identity, Some(&authority));
    let instance = Instance::secure("strict", stage.address, config).await;
    let client = authority.identity(&["gateway"]);
    let tls = |shown: bool| {
        let mut tls = json!({ "verify": true, "ca": authority.pem(), "sni": "one.example.com" });
        if shown {
            tls["client_cert"] = json!(client.cert);
            tls["client_key"] = json!(client.key);
        }
        tls
    };
    // Checks, too, come with the certificate.
    let checks = json!({ "checks": { "active": { "type": "https" } } });
    put(&stage, "/shown", &instance.node(), &tls(true), &checks).await;
    put(
        &stage,
        "/not-shown",
        &instance.node(),
        &tls(false),
        &json!({}),
    )
    .await;
    stage.envoy.answers_with("/shown", 200).await;
    stage.envoy.answers_with("/not-shown", 502).await;

    let asked = ["snapshot", "default", "--type", "clusters", "-o", "json"];
    let told = String::from_utf8(stage.chancery.ask(&asked).await.stdout).unwrap();
    let secret = client.key.lines().nth(1).unwrap();
    assert!(
        told.contains("route/shown") && told.contains("[redacted]"),
        "{told}"
    );
    assert!(!told.contains(secret), "the key is shown");
}
