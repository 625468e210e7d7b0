//! Certificates on the xDS port: who is let in, who may act as which gateway, and new ones while it runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use chancery::snapshot::ResourceType;
use chancery::tls;
use chancery::xds::{Clients, Limits};
use envoy_types::pb::envoy::service::status::v3::ClientStatusRequest;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_client::ClientStatusDiscoveryServiceClient;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::port::{CLUSTERS, Port, SOTW, Sotw, assert_code, wish};
use crate::support::certificates::{Authority, Identity};
use crate::support::chancery::Chancery;
use crate::support::envoy::Envoy;
use crate::support::instance::Instance;
use crate::support::{PATIENCE, eventually, own_address};

pub const EDGE: &str = "spiffe://example.com/edge";

/// An xDS port with certificates of `authority`, which clients' must come from as well.
pub async fn open(authority: &Authority, clients: Clients, folder: &Path) -> (Port, tls::Files) {
    open_with(authority, clients, Limits::default(), None, folder).await
}

/// The same, with bounds, and a list of what the authority has taken back.
pub async fn open_with(
    authority: &Authority,
    clients: Clients,
    limits: Limits,
    revoked: Option<&str>,
    folder: &Path,
) -> (Port, tls::Files) {
    let files = authority.write(&authority.identity(&["chancery"]), folder, "chancery");
    let client_crl = revoked.map(|revoked| {
        let path = folder.join("revoked.pem");
        fs::write(&path, revoked).unwrap();
        path
    });
    let files = tls::Files {
        listener: tls::Listener::Xds,
        cert: files.cert,
        key: files.key,
        client_ca: Some(files.ca),
        client_crl,
    };
    let port = Port::with(limits, clients, Some(files.clone())).await;
    port.publish([(ResourceType::Cluster, "clusters", b"".as_slice())]);
    (port, files)
}

/// Connects with a certificate, or without one, to a server that `trusted` vouches for.
pub async fn connect(
    port: &Port,
    trusted: &Authority,
    identity: Option<&Identity>,
) -> Result<Channel, tonic::transport::Error> {
    let mut config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(trusted.pem()))
        .domain_name("chancery");
    if let Some(Identity { cert, key }) = identity {
        config = config.identity(tonic::transport::Identity::from_pem(cert, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", port.address))?;
    endpoint.tls_config(config)?.connect().await
}

/// Whether a client of that connection is served.
pub async fn is_served(channel: &Channel) -> bool {
    let Ok(mut client) = Sotw::try_open(channel, SOTW).await else {
        return false;
    };
    client.send(wish(CLUSTERS)).await;
    matches!(client.next().await, Ok(Some(_)))
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (port, _) = open(&authority, Clients::default(), folder.path()).await;
    let known = connect(&port, &authority, Some(&authority.identity(&[EDGE]))).await;
    assert!(is_served(&known.unwrap()).await);
    let stranger = Authority::new().identity(&[EDGE]);
    for refused in [Some(&stranger), None] {
        // In TLS 1.3 a client learns only with its first answer that it is refused.
        if let Ok(channel) = connect(&port, &authority, refused).await {
            assert!(!is_served(&channel).await);
        }
    }
    eventually(async || {
        let refused = port.refused("handshake");
        ensure!(refused >= 2, "{refused} refused");
        Ok(())
    })
    .await;
    assert_eq!(port.ads.nodes.connected().len(), 0);
}

#[tokio::test]
async fn a_client_acts_as_the_gateways_of_its_rule_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let rule = (
        EDGE.to_owned(),
        vec!["default".to_owned(), "edge".to_owned()],
    );
    let clients = Clients([rule].into());
    let (port, _) = open(&authority, clients, folder.path()).await;
    let edge = authority.identity(&[EDGE]);
    let edge = connect(&port, &authority, Some(&edge)).await.unwrap();
    assert!(is_served(&edge).await);

    let mut client = Sotw::open(&edge, SOTW).await;
    let mut request = wish(CLUSTERS);
    request.node.as_mut().unwrap().cluster = "inner".into();
    client.send(request).await;
    let status = client.ends().await;
    assert_code(&status, Code::PermissionDenied);
    for said in [EDGE, "\"inner\"", "default, edge"] {
        assert!(status.message().contains(said), "{status:?}");
    }

    let other = authority.identity(&["spiffe://example.com/other"]);
    let other = connect(&port, &authority, Some(&other)).await.unwrap();
    let mut client = Sotw::open(&other, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    assert_code(&client.ends().await, Code::PermissionDenied);
    assert_eq!(port.refused("not_allowed"), 2);
}

#[tokio::test]
async fn a_client_is_shown_the_nodes_of_its_own_gateways_alone() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let inner = "spiffe://example.com/inner";
    let rules = [(EDGE, "default"), (inner, "inner")];
    let rules = rules.map(|(name, gateway)| (name.to_owned(), vec![gateway.to_owned()]));
    let (port, _) = open(&authority, Clients(rules.into()), folder.path()).await;
    let edge = authority.identity(&[EDGE]);
    let edge = connect(&port, &authority, Some(&edge)).await.unwrap();
    let mut client = Sotw::open(&edge, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    client.next().await.unwrap().unwrap();
    let inner = authority.identity(&[inner]);
    let inner = connect(&port, &authority, Some(&inner)).await.unwrap();
    for (channel, expected) in [(edge, 1), (inner, 0)] {
        let mut csds = ClientStatusDiscoveryServiceClient::new(channel);
        let answer = csds.fetch_client_status(ClientStatusRequest::default());
        let nodes = answer.await.unwrap().into_inner().config;
        assert_eq!(nodes.len(), expected);
    }
}

#[tokio::test]
async fn new_certificates_are_taken_while_streams_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let (port, files) = open(&old, Clients::default(), folder.path()).await;
    let (old_client, new_client) = (old.identity(&[EDGE]), new.identity(&[EDGE]));
    let before = connect(&port, &old, Some(&old_client)).await.unwrap();
    assert!(is_served(&before).await);

    // Half a renewal: the new certificate with the old key. Nothing of it is used.
    let renewed = new.identity(&["chancery"]);
    fs::write(&files.cert, &renewed.cert).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let between = connect(&port, &old, Some(&old_client)).await.unwrap();
    assert!(is_served(&between).await);

    fs::write(&files.key, &renewed.key).unwrap();
    fs::write(files.client_ca.as_ref().unwrap(), new.pem()).unwrap();
    eventually(async || {
        let after = connect(&port, &new, Some(&new_client)).await;
        ensure!(
            is_served(&after.context("no connection")?).await,
            "not served"
        );
        Ok(())
    })
    .await;
    if let Ok(outdated) = connect(&port, &new, Some(&old_client)).await {
        assert!(!is_served(&outdated).await);
    }
}

#[tokio::test]
async fn a_client_that_never_finishes_its_handshake_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (port, _) = open(&authority, Clients::default(), folder.path()).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(port.address).await.unwrap());
    }
    let client = authority.identity(&[EDGE]);
    let connected = connect(&port, &authority, Some(&client));
    let connected = tokio::time::timeout(PATIENCE, connected).await;
    assert!(is_served(&connected.unwrap().unwrap()).await);
    drop(idle);
}

#[tokio::test]
async fn envoy_is_configured_over_mutual_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let identity =
        |names: &[&str], file| authority.write(&authority.identity(names), folder.path(), file);
    let own = identity(&["chancery"], "chancery");
    let address = own_address();
    let documents = folder.path().join("documents");
    let instance = Instance::echo("blue", address).await;
    fs::create_dir_all(documents.join("routes")).unwrap();
    fs::create_dir_all(documents.join("gateways")).unwrap();
    let route = format!(
        "uri: /*\nupstream: {{ nodes: {{ '{}': 1 }} }}\n",
        instance.node()
    );
    fs::write(documents.join("routes/all.yaml"), route).unwrap();
    let listener = std::net::SocketAddr::from((address, 9080));
    let gateway =
        format!("listeners: [{{ name: http, address: {address}, port: 9080, protocol: http }}]\n");
    fs::write(documents.join("gateways/default.yaml"), gateway).unwrap();
    let settings = format!(
        "xds-cert: {}\nxds-key: {}\nxds-client-ca: {}\nxds-clients: {{ '{EDGE}': [default] }}\n",
        own.cert.display(),
        own.key.display(),
        own.ca.display(),
    );
    let file = folder.path().join("settings.yaml");
    fs::write(&file, settings).unwrap();
    let file = file.display().to_string();
    let mut chancery =
        Chancery::serve_files_with(address, &documents, &["--config", &file], folder.path());
    chancery.ready().await;

    let edge = identity(&[EDGE], "edge");
    let xds = chancery.xds();
    let envoy = Envoy::start_mtls("default", &edge, xds, listener, folder.path()).await;
    envoy.answers_by("/hello", "blue").await;

    let _other = Envoy::start_mtls("other", &edge, xds, listener, folder.path()).await;
    let refused = chancery
        .logs(0, "client spiffe://example.com/edge may not")
        .await;
    assert_eq!(refused.field("reason"), "not_allowed");
}
