//! What a gateway's ssls and stream routes bring along.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::model::certificate::{Certificates, Identity, PrivateKey};
use crate::model::gateway::Listener;
use crate::model::stream_route::Matching;
use crate::model::upstream::{ServerName, Tls};
use crate::model::{Host, Ssl, StreamRoute};
use crate::translate;

const SECRET: ResourceType = ResourceType::Secret;
const LISTENER: ResourceType = ResourceType::Listener;

fn identity() -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let certificates = Certificates::try_from(certificate.pem()).unwrap();
    Identity::new(
        certificates,
        PrivateKey::try_from(key.serialize_pem()).unwrap(),
    )
    .unwrap()
}

/// A document for `<name>.example.com`, with a certificate that no other has.
fn ssl(name: &str) -> Arc<Ssl> {
    Arc::new(Ssl {
        id: id(name),
        gateways: Vec::new(),
        names: vec![Host::try_from(format!("{name}.example.com")).unwrap()],
        any_name: false,
        identities: vec![identity()],
        clients: None,
        versions: Default::default(),
    })
}

fn stream_route(name: &str, members: Members) -> Arc<StreamRoute> {
    let mut cluster = Cluster::clone(route(name, members).cluster.as_ref().unwrap());
    cluster.name = format!("stream_route/{name}").into();
    Arc::new(StreamRoute {
        id: id(name),
        gateways: vec![id("default")],
        matching: Matching::default(),
        clients: None,
        cluster: Arc::new(cluster),
    })
}

/// The gateway with an HTTPS and a TCP listener beside its own, and these documents.
fn edge(ssls: &[&Arc<Ssl>], stream_routes: &[&Arc<StreamRoute>]) -> Option<Arc<Gateway>> {
    let mut edge = Gateway::clone(&gateway());
    edge.listeners
        .push(Listener::new("https", 9443, Protocol::Https));
    edge.listeners
        .push(Listener::new("tcp", 9100, Protocol::Tcp));
    edge.ssls = ssls.iter().map(|&ssl| ssl.clone()).collect();
    edge.stream_routes = stream_routes.iter().map(|&route| route.clone()).collect();
    Some(Arc::new(edge))
}

fn listeners(snapshot: &Snapshot) -> Vec<String> {
    let listeners = snapshot.set(LISTENER).iter();
    listeners.map(|(name, _)| name.to_string()).collect()
}

#[test]
fn a_renewed_certificate_is_another_secret_and_nothing_else() {
    let mut scene = Scene::new();
    scene.gateway(edge(&[], &[]));
    assert_eq!(
        scene.changes(),
        "extensions=+68~0-0 listeners=+1~0-0 routes=+1~0-0"
    );
    let (a, b) = (ssl("a"), ssl("b"));
    scene.gateway(edge(&[&a, &b], &[]));
    assert_eq!(scene.changes(), "secrets=+2~0-0 listeners=+1~0-0");
    let renewed = ssl("a");
    translate::LISTENERS_BUILT.set(0);
    scene.gateway(edge(&[&renewed, &b], &[]));
    assert_eq!(scene.changes(), "secrets=~1");
    assert_eq!(
        translate::LISTENERS_BUILT.get(),
        0,
        "a listener of thousands of names is not built to find it the same"
    );
    scene.gateway(edge(&[&renewed], &[]));
    assert_eq!(scene.changes(), "secrets=+0~0-1 listeners=~1");
    scene.gateway(edge(&[], &[]));
    assert_eq!(scene.changes(), "secrets=+0~0-1 listeners=+0~0-1");
}

#[test]
fn a_listener_that_changes_builds_no_secret_that_does_not() {
    let mut scene = Scene::new();
    let all: Vec<_> = (0..9).map(|n| ssl(&n.to_string())).collect();
    let ssls: Vec<_> = all.iter().collect();
    scene.gateway(edge(&ssls, &[]));
    scene.next();
    let a = stream_route("a", nodes(1));
    translate::SECRETS_BUILT.set(0);
    scene.gateway(edge(&ssls, &[&a]));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 listeners=+1~0-0"
    );
    assert_eq!(translate::SECRETS_BUILT.get(), 0);
    scene.gateway(edge(&ssls[1..], &[&a]));
    assert_eq!(scene.changes(), "secrets=+0~0-1 listeners=~1");
    assert_eq!(translate::SECRETS_BUILT.get(), 0, "nor to take one away");
}

#[test]
fn no_listener_asks_for_a_secret_that_proxies_refused() {
    let mut scene = Scene::new();
    scene.gateway(edge(&[], &[]));
    let good = scene.next().unwrap().0;
    said(&mut scene, SECRET, good.sequence, None);
    scene.gateway(edge(&[&ssl("a"), &ssl("b")], &[]));
    let bad = scene.next().unwrap().0;
    said(&mut scene, SECRET, bad.sequence, Some("ssl/a is no good"));
    let (mended, _) = scene.next().unwrap();
    let https = mended.set(LISTENER).find("default/https").unwrap();
    let secrets: Vec<&str> = https
        .children
        .iter()
        .filter(|(of, _)| *of == SECRET)
        .map(|(_, name)| &**name)
        .collect();
    assert_eq!(secrets, ["ssl/b"]);
    assert_eq!(scene.builder.withdrawn(), ["ssls/a"]);
    scene.gateway(edge(&[&ssl("a"), &ssl("b")], &[]));
    assert_eq!(scene.changes(), "secrets=~2 listeners=~1");
}

#[test]
fn stream_routes_touch_their_own_listener_and_wait_for_their_service() {
    let mut scene = Scene::new();
    scene.gateway(edge(&[], &[]));
    scene.next();
    let a = stream_route("a", nodes(1));
    scene.gateway(edge(&[], &[&a]));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 listeners=+1~0-0"
    );
    let moved = stream_route("a", nodes(2));
    scene.gateway(edge(&[], &[&moved]));
    assert_eq!(scene.changes(), "endpoints=~1", "nodes are no listener's");
    let slow = stream_route("a", Members::Service(Discovered::all(service("slow"))));
    scene.gateway(edge(&[], &[&slow]));
    assert_eq!(scene.changes(), "nothing", "its form before stays");
    scene.answer("slow", &[7]);
    assert_eq!(scene.changes(), "clusters=~1 endpoints=+1~0-1");
    scene.gateway(edge(&[], &[]));
    assert_eq!(
        scene.changes(),
        "clusters=+0~0-1 endpoints=+0~0-1 listeners=+0~0-1"
    );
}

#[test]
fn an_answer_concerns_only_who_uses_the_service() {
    let mut scene = Scene::new();
    let discovered = |name: &str| Members::Service(Discovered::all(service(name)));
    let stream = stream_route("a", discovered("streamed"));
    scene.gateway(edge(&[], &[&stream]));
    scene.put("b", discovered("routed"));
    scene.next();
    let concerned = |scene: &mut Scene, name: &str, last| {
        scene
            .instances
            .insert(service(name), [instance(last)].into());
        let answered = scene
            .builder
            .handle_answer(&service(name), &scene.instances);
        let drained = scene.builder.handle_drained(&Touched {
            services: [service(name)].into(),
            ..Touched::default()
        });
        (answered, drained)
    };
    // The first answers: who waits for them is concerned, and only now has anything to drain.
    assert_eq!(concerned(&mut scene, "other", 1), (false, false));
    assert_eq!(concerned(&mut scene, "streamed", 1), (true, false));
    assert_eq!(concerned(&mut scene, "routed", 1), (true, false));
    assert!(scene.next().is_some());
    // And those that follow.
    assert_eq!(concerned(&mut scene, "other", 2), (false, false));
    assert_eq!(scene.changes(), "nothing");
    assert_eq!(concerned(&mut scene, "streamed", 2), (true, true));
    assert_eq!(concerned(&mut scene, "routed", 2), (true, true));
    assert_eq!(scene.changes(), "endpoints=~2");
    scene.gateway(edge(&[], &[]));
    scene.delete("b").next();
    assert_eq!(concerned(&mut scene, "streamed", 3), (false, false));
    assert_eq!(concerned(&mut scene, "routed", 3), (false, false));
}

#[test]
fn no_listener_names_a_cluster_that_proxies_refused() {
    let mut scene = Scene::new();
    let (a, b) = (stream_route("a", nodes(1)), stream_route("b", nodes(1)));
    scene.gateway(edge(&[], &[&b]));
    let good = scene.next().unwrap().0;
    said(&mut scene, ResourceType::Cluster, good.sequence, None);
    scene.gateway(edge(&[], &[&a]));
    let bad = scene.next().unwrap().0;
    assert!(listeners(&bad).contains(&"default/tcp".to_owned()));
    let error = "stream_route/a is no good";
    said(&mut scene, ResourceType::Cluster, bad.sequence, Some(error));
    let mended = scene.next().unwrap().0;
    assert!(!listeners(&mended).contains(&"default/tcp".to_owned()));
    assert!(scene.builder.refused().contains_key("stream_routes/a"));
}

/// A route whose instances are shown the certificate of `ssls/mine`.
fn showing(name: &str, identity: &Identity) -> Arc<Route> {
    let mut route = Route::clone(&route(name, nodes(1)));
    let mut cluster = Cluster::clone(route.cluster.as_ref().unwrap());
    cluster.upstream = Arc::new(Upstream {
        scheme: Scheme::Https,
        tls: Some(Tls {
            name: ServerName::Host,
            verify: None,
            identity: Some(identity.clone()),
            client_cert: Some(id("mine")),
        }),
        ..Upstream::clone(&cluster.upstream)
    });
    route.cluster = Some(Arc::new(cluster));
    Arc::new(route)
}

#[test]
fn what_upstreams_are_shown_comes_with_the_first_and_goes_with_the_last() {
    let mut scene = Scene::new();
    scene.next();
    let put = |scene: &mut Scene, name: &str, identity: Option<&Identity>| {
        let route = identity.map(|identity| showing(name, identity));
        let instances = &scene.instances;
        scene.builder.handle_route(&id(name), route, instances);
    };
    let (first, renewed) = (identity(), identity());
    put(&mut scene, "a", Some(&first));
    let come = "clusters=+1~0-0 endpoints=+1~0-0 secrets=+1~0-0 routes=~1";
    assert_eq!(scene.changes(), come);
    put(&mut scene, "b", Some(&first));
    assert_eq!(
        scene.changes(),
        "clusters=+1~0-0 endpoints=+1~0-0 routes=~1"
    );
    put(&mut scene, "a", Some(&renewed));
    put(&mut scene, "b", Some(&renewed));
    assert_eq!(scene.changes(), "secrets=~1");
    put(&mut scene, "a", None);
    assert_eq!(
        scene.changes(),
        "clusters=+0~0-1 endpoints=+0~0-1 routes=~1"
    );
    put(&mut scene, "b", None);
    let gone = "clusters=+0~0-1 endpoints=+0~0-1 secrets=+0~0-1 routes=~1";
    assert_eq!(scene.changes(), gone);
}
