//! What the real Envoy waits for when a parent changes: secrets of clusters and listeners, extension configs of listeners.
//! Resources made by hand, in both protocols.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use chancery::envoy::descriptors;
use chancery::snapshot::{Change, Child, Resource, ResourceType, Snapshot};
use chancery::xds::Limits;
use chancery::xds::stream::GATE;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::port::Port;
use crate::support::certificates::Authority;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::{eventually, own_address};

use ResourceType::{
    Cluster, ExtensionConfig, Listener, LoadAssignment, RouteConfiguration, Secret,
};

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const HTTP: &str = "type.googleapis.com/envoy.extensions.filters.http";
const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// An Envoy, and the port that it is served by.
struct Scene {
    port: Port,
    pool: DescriptorPool,
    envoy: Envoy,
    _folder: TempDir,
}

impl Scene {
    async fn start(protocol: Protocol) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = Port::open(Limits::default()).await;
        let listener = (own_address(), 9443).into();
        let envoy = Envoy::start("default", protocol, port.address, listener, folder.path());
        let mut pool = DescriptorPool::new();
        for files in [descriptors::SERVICES, descriptors::TYPES] {
            pool.decode_file_descriptor_set(files).unwrap();
        }
        Self {
            envoy: envoy.await,
            port,
            pool,
            _folder: folder,
        }
    }

    /// A resource that comes or changes.
    fn set(&self, of: ResourceType, name: &str, children: &[Child], message: Value) -> Change {
        let full_name = of.type_url().rsplit('/').next().unwrap();
        let descriptor = self.pool.get_message_by_name(full_name).unwrap();
        let message = DynamicMessage::deserialize(descriptor, message).unwrap();
        let resource = Resource::new(of, name, &message.encode_to_vec(), children.into());
        Change {
            resource_type: of,
            name: name.into(),
            resource: Some(Arc::new(resource)),
        }
    }

    fn secret(&self, authority: &Authority) -> Change {
        let identity = authority.identity(&["127.0.0.1", "localhost"]);
        let message = json!({ "name": "ssl/a", "tls_certificate": {
            "certificate_chain": { "inline_string": identity.cert },
            "private_key": { "inline_string": identity.key },
        } });
        self.set(Secret, "ssl/a", &[], message)
    }

    fn extension(&self, key: &str) -> Change {
        let message = json!({ "name": "auth", "typed_config": {
            "@type": format!("{HTTP}.api_key_auth.v3.ApiKeyAuth"),
            "credentials": [{ "key": key, "client": "someone" }],
            "key_sources": [{ "header": "apikey" }],
        } });
        self.set(ExtensionConfig, "auth", &[], message)
    }

    fn cluster(&self, name: &str, timeout: &str) -> [Change; 2] {
        let children = [(LoadAssignment, name.into()), (Secret, "ssl/a".into())];
        let cluster = json!({
            "name": name,
            "type": "EDS",
            "connect_timeout": timeout,
            "eds_cluster_config": { "eds_config": ads() },
            "transport_socket": { "name": "tls", "typed_config": {
                "@type": format!("{TLS}.UpstreamTlsContext"),
                "common_tls_context": { "tls_certificate_sds_secret_configs": [sds()] },
            } },
        });
        let endpoints = json!({ "cluster_name": name });
        [
            self.set(Cluster, name, &children, cluster),
            self.set(LoadAssignment, name, &[], endpoints),
        ]
    }

    fn listener(&self, idle: &str) -> [Change; 2] {
        let at = self.envoy.listener();
        let routes = json!({ "name": "default", "virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 200 } }],
        }] });
        let manager = json!({
            "@type": MANAGER,
            "stat_prefix": "scene",
            "common_http_protocol_options": { "idle_timeout": idle },
            "rds": { "config_source": ads(), "route_config_name": "default" },
            "http_filters": [
                { "name": "auth", "config_discovery": {
                    "config_source": ads(),
                    "type_urls": [format!("{HTTP}.api_key_auth.v3.ApiKeyAuth")],
                } },
                { "name": "router", "typed_config": { "@type": format!("{HTTP}.router.v3.Router") } },
            ],
        });
        let listener = json!({
            "name": "web",
            "address": { "socket_address": { "address": at.ip(), "port_value": at.port() } },
            "filter_chains": [{
                "filters": [{ "name": "http", "typed_config": manager }],
                "transport_socket": { "name": "tls", "typed_config": {
                    "@type": format!("{TLS}.DownstreamTlsContext"),
                    "common_tls_context": { "tls_certificate_sds_secret_configs": [sds()] },
                } },
            }],
        });
        let children = [
            (RouteConfiguration, "default".into()),
            (Secret, "ssl/a".into()),
            (ExtensionConfig, "auth".into()),
        ];
        [
            self.set(Listener, "web", &children, listener),
            self.set(RouteConfiguration, "default", &[], routes),
        ]
    }

    /// Publishes changes, and waits until Envoy has accepted them and nothing warms. Envoy waits for ever; fails where
    /// Chancery had to give up waiting for it.
    async fn settles(&self, what: &str, changes: impl IntoIterator<Item = Change>) {
        let gateways = &self.port.ads.gateways;
        let cohort = eventually(async || {
            let nodes = self.port.ads.nodes.connected();
            let node = nodes.first().context("Envoy has not come yet")?;
            Ok(node.cohort.clone())
        })
        .await;
        let before = gateways.watch("default", Some(&cohort)).borrow().clone();
        let before = before.unwrap_or_else(|| Arc::new(Snapshot::empty("default".into())));
        let (snapshot, _) = before.next(changes, before.revision + 1);
        let revision = snapshot.revision;
        gateways.publish("default", Some(&cohort), Some(Arc::new(snapshot)));
        let start = Instant::now();
        eventually(async || {
            let nodes = self.port.ads.nodes.connected();
            let node = nodes.first();
            ensure!(
                node.is_some_and(|node| node.status.synced && node.status.revision == revision),
                "{what}: not accepted"
            );
            for stat in [
                "cluster_manager.warming_clusters",
                "listener_manager.total_listeners_warming",
            ] {
                ensure!(self.envoy.stat(stat).await == 0, "{what}: {stat}");
            }
            Ok(())
        })
        .await;
        let took = start.elapsed();
        assert!(took < GATE, "{what} took {took:?}");
    }

    /// All is taken away at once, but for a connection that drains, and made again.
    async fn all_goes_and_comes(&self, keeps: &Client, authority: &Authority) {
        let names = [
            (Cluster, "a"),
            (Cluster, "b"),
            (LoadAssignment, "a"),
            (LoadAssignment, "b"),
            (Listener, "web"),
            (Secret, "ssl/a"),
            (ExtensionConfig, "auth"),
        ];
        let gone = names.map(|(resource_type, name)| Change {
            resource_type,
            name: name.into(),
            resource: None,
        });
        self.settles("all gone", gone).await;
        assert_eq!(self.status(keeps, "two").await.unwrap(), 200);
        let named = [self.secret(authority), self.extension("three")];
        let parents = self.cluster("a", "1s").into_iter();
        let parents = parents.chain(self.listener("60s"));
        self.settles("all again", named.into_iter().chain(parents))
            .await;
        self.answers(&client(authority), "three").await;
    }

    /// Waits until that key is let in.
    async fn answers(&self, client: &Client, key: &str) {
        eventually(async || {
            let status = self.status(client, key).await?;
            ensure!(status == 200, "{status}");
            Ok(())
        })
        .await;
    }

    /// The status of a request with that key.
    async fn status(&self, client: &Client, key: &str) -> anyhow::Result<u16> {
        let request = client.get(format!("https://{}/", self.envoy.listener()));
        Ok(request
            .header("apikey", key)
            .send()
            .await?
            .status()
            .as_u16())
    }
}

fn ads() -> Value {
    json!({ "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s" })
}

fn sds() -> Value {
    json!({ "name": "ssl/a", "sds_config": ads() })
}

/// A client with connections of its own that trusts this authority alone, whatever name the certificate is for.
fn client(authority: &Authority) -> Client {
    let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let builder = Client::builder().tls_certs_only([root]);
    builder
        .danger_accept_invalid_hostnames(true)
        .build()
        .unwrap()
}

async fn play(protocol: Protocol) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let scene = Scene::start(protocol).await;
    let (old, new) = (Authority::new(), Authority::new());
    let first = [scene.secret(&old), scene.extension("one")];
    let first = first
        .into_iter()
        .chain(scene.cluster("a", "1s"))
        .chain(scene.listener("60s"));
    scene.settles("everything at once", first).await;
    let keeps = client(&old);
    scene.answers(&keeps, "one").await;
    assert_eq!(scene.status(&keeps, "two").await.unwrap(), 401);

    scene
        .settles("a changed cluster", scene.cluster("a", "2s"))
        .await;
    scene
        .settles("another cluster with the secret", scene.cluster("b", "1s"))
        .await;
    scene
        .settles("a changed listener", scene.listener("61s"))
        .await;
    let both = scene
        .cluster("a", "3s")
        .into_iter()
        .chain(scene.listener("62s"));
    scene.settles("a changed cluster and listener", both).await;

    let stat = "http.scene.downstream_cx_total";
    let connections = scene.envoy.stat(stat).await;
    assert_eq!(scene.status(&keeps, "one").await.unwrap(), 200);
    scene
        .settles("a renewed secret", [scene.secret(&new)])
        .await;
    scene
        .settles("a changed extension", [scene.extension("two")])
        .await;
    scene.answers(&keeps, "two").await;
    assert_eq!(scene.envoy.stat(stat).await, connections, "it was dropped");
    assert_eq!(scene.status(&client(&new), "two").await.unwrap(), 200);
    assert!(scene.status(&client(&old), "two").await.is_err());

    scene.all_goes_and_comes(&keeps, &old).await;
}

#[tokio::test]
async fn secrets_and_extensions_hold_nothing_up_in_delta() {
    play(Protocol::Delta).await;
}

#[tokio::test]
async fn secrets_and_extensions_hold_nothing_up_in_sotw() {
    play(Protocol::Sotw).await;
}
