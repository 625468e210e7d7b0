//! The JSON mapping, requests from queries, secrets, and who counts as having a revision.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{DataSource, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{Secret, TlsCertificate};
use envoy_types::pb::google::protobuf::Any;
use prost::Message;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::access::{Access, Rules};
use super::redact::Headers;
use super::replicas::Others;
use super::{confirmed, json, pb, redact, wait};
use crate::cohort::Cohort;
use crate::drain::audit::Trail;
use crate::model::Lookup;
use crate::snapshot::{Change, Resource, ResourceType, Snapshot};
use crate::store::replicas::{Record, Records};
use crate::xds::gateways::{Cause, NotInForce};
use crate::xds::nodes::{Mark, Node, NodeStatus, TypeStatus};
use crate::xds::{Gateways, Nodes, Protocol, Settled};

fn cohort() -> Cohort {
    Cohort::envoy((1, 40, 0), None).unwrap()
}

fn read(json: String) -> Value {
    serde_json::from_str(&json).unwrap()
}

pub(super) fn node(id: &str, synced: bool, revision: i64) -> Node {
    Node {
        id: id.into(),
        gateway: "default".into(),
        address: None,
        agent: cohort().name().clone(),
        cohort: cohort(),
        protocol: Protocol::Delta,
        connected: SystemTime::UNIX_EPOCH,
        status: NodeStatus {
            synced,
            revision,
            ..NodeStatus::default()
        },
    }
}

fn snapshot(revision: i64) -> Arc<Snapshot> {
    let resource = Resource::new(ResourceType::Cluster, "a", b"", Box::default());
    let change = Change {
        resource_type: ResourceType::Cluster,
        name: "a".into(),
        resource: Some(Arc::new(resource)),
    };
    Arc::new(Snapshot::empty("default".into()).next([change], revision).0)
}

#[test]
fn a_message_has_all_its_fields_in_json() {
    let answer = pb::WaitResponse {
        revision: 7,
        ..pb::WaitResponse::default()
    };
    let expected = json!({ "revision": "7", "confirmed": false, "expected": 0, "accepted": 0, "left": 0, "nodes": 0, "replicas": 0, "behind": [], "rejected": [], "gateways": [] });
    assert_eq!(read(json::whole(&answer).unwrap()), expected);
}

#[test]
fn a_query_is_a_request() {
    let read = |query| json::request::<pb::WaitRequest>(&[], Some(query));
    let asked = read("revision=42&timeout=1.5s").unwrap();
    assert_eq!(asked.revision, 42);
    let timeout = asked.timeout.unwrap();
    assert_eq!((timeout.seconds, timeout.nanos), (1, 500_000_000));
    assert_eq!(read("").unwrap(), pb::WaitRequest::default());

    let refused = |query| read(query).unwrap_err().message().to_owned();
    assert!(refused("revison=42").contains("allowed: revision, timeout"));
    assert!(refused("revision=1&revision=2").contains("given twice"));
    assert!(refused("revision=soon").contains("soon"));
    let snapshot =
        json::request::<pb::ReadSnapshotRequest>(&[("gateway", "a/b")], Some("type=routes"));
    assert_eq!(snapshot.unwrap().gateway, "a/b");
}

#[test]
fn resources_are_shown_as_json_without_their_secrets() {
    let source = |text: &str| {
        Some(DataSource {
            specifier: Some(Specifier::InlineString(text.into())),
            ..DataSource::default()
        })
    };
    let secret = Secret {
        name: "ssl/a".into(),
        r#type: Some(Type::TlsCertificate(TlsCertificate {
            certificate_chain: source("PUBLIC"),
            private_key: source("PRIVATE"),
            ..TlsCertificate::default()
        })),
    };
    let type_url = ResourceType::Secret.type_url();
    let resource = prost_types::Any {
        type_url: type_url.into(),
        value: redact::resource(
            ResourceType::Secret,
            &secret.encode_to_vec(),
            Headers::Plain,
            &Lookup::default(),
        )
        .unwrap(),
    };
    let shown = json::terse(&pb::Resource {
        name: "ssl/a".into(),
        resource: Some(resource),
        ..pb::Resource::default()
    });
    let expected = json!({ "name": "ssl/a", "resource": {
        "@type": type_url,
        "name": "ssl/a",
        "tlsCertificate": {
            "certificateChain": { "inlineString": "PUBLIC" },
            "privateKey": { "inlineString": "[redacted]" },
        },
    } });
    assert_eq!(read(shown.unwrap()), expected);
}

#[test]
fn of_an_extension_config_only_its_filter_is_shown() {
    let config = TypedExtensionConfig {
        name: "auth".into(),
        typed_config: Some(Any {
            type_url: "type.googleapis.com/some.Filter".into(),
            value: b"PRIVATE".into(),
        }),
    };
    let encoded = config.encode_to_vec();
    let bytes = redact::resource(
        ResourceType::ExtensionConfig,
        &encoded,
        Headers::Plain,
        &Lookup::default(),
    )
    .unwrap();
    let shown = TypedExtensionConfig::decode(bytes.as_slice()).unwrap();
    assert_eq!(shown.name, "auth");
    let config = shown.typed_config.unwrap();
    assert_eq!(config.type_url, "type.googleapis.com/some.Filter");
    assert!(config.value.is_empty());
}

#[test]
fn a_node_has_what_it_accepted_and_what_changed_nothing_for_it() {
    let gateways = Gateways::new().0;
    assert!(!confirmed::has(&gateways, &node("a", true, 0), 7));
    gateways.publish("default", Some(&cohort()), Some(snapshot(5)));
    let has = |node: &Node, revision| confirmed::has(&gateways, node, revision);
    assert!(has(&node("a", false, 7), 7));
    assert!(!has(&node("a", false, 5), 7));
    // Up to date: revision 7 changed nothing.
    assert!(has(&node("a", true, 5), 7));
    // Its stream has not looked at the newest snapshot yet.
    assert!(!has(&node("a", true, 4), 7));
}

#[test]
fn why_a_node_is_behind() {
    let newest = snapshot(5);
    let mark = |seconds| Mark {
        version: newest.version(),
        revision: 5,
        at: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds),
    };
    let mut node = node("a", false, 0);
    let reason = |node: &Node| confirmed::reason(node, Some(&newest));
    assert_eq!(reason(&node), "not sent yet");
    assert!(confirmed::reason(&node, None).contains("gateway `default` is not known"));
    node.status.types[0] = Some(TypeStatus {
        sent: Some(mark(60)),
        acked: Some(mark(1)),
        refused: None,
    });
    assert_eq!(reason(&node), "clusters sent and not acknowledged");
    assert_eq!(confirmed::since(&node).map(|since| since.seconds), Some(60));
    node.status.types[ResourceType::RouteConfiguration.index()] = Some(TypeStatus {
        refused: Some((mark(61), "bad regex".into())),
        ..TypeStatus::default()
    });
    assert_eq!(reason(&node), "routes refused: bad regex");
}

/// Everybody may call.
fn open() -> Access {
    Access {
        rules: watch::channel(Rules::default()).1,
        trail: Trail::to_log(),
        port: ([127, 0, 0, 1], 9180).into(),
        tls: false,
        failures: Arc::default(),
        rates: Arc::default(),
    }
}

/// An API whose store has settled, with one node.
fn api(settled: Settled, node: Node, others: Others) -> (super::Api, crate::xds::nodes::Seat) {
    let (gateways, nodes) = (Arc::new(Gateways::new().0), Arc::new(Nodes::default()));
    gateways.publish("default", Some(&cohort()), Some(snapshot(5)));
    gateways.settle(settled);
    let seat = nodes.enter(node);
    (
        super::Api::new(
            gateways,
            nodes,
            (others, Arc::default()),
            tokio::sync::mpsc::channel(1).0,
            crate::api::Writers {
                drainer: None,
                editor: None,
                reader: Default::default(),
            },
            open(),
            Default::default(),
        ),
        seat,
    )
}

fn ask(revision: i64) -> pb::WaitRequest {
    pb::WaitRequest {
        revision,
        timeout: Some(Default::default()),
        allow_none: true,
    }
}

#[tokio::test]
async fn what_is_not_confirmed_is_named() {
    let settled = Settled {
        revision: 9,
        documents: 7,
        ..Settled::default()
    };
    let (api, seat) = api(settled, node("envoy-1", false, 5), Others::none());
    let answer = wait::wait(&api, ask(6)).await.unwrap();
    assert!(!answer.confirmed);
    assert_eq!(answer.behind[0].node, "envoy-1");
    seat.note(|status| status.revision = 7);
    // 8 and 9 were not about documents.
    assert!(wait::wait(&api, ask(9)).await.unwrap().confirmed);
    let answer = wait::wait(&api, ask(10)).await.unwrap();
    assert_eq!(
        answer.behind[0].reason,
        "has published up to revision 9 only"
    );
    assert!(wait::wait(&api, ask(0)).await.is_err());
}

fn record(replica: &pb::Replica) -> Record {
    Record {
        value: json::whole(replica).unwrap().into(),
        lease: 1,
        revision: 1,
    }
}

#[tokio::test]
async fn the_other_replicas_count() {
    let mut other = pb::Replica {
        revision: 7,
        confirmed: 5,
        nodes: [("default".to_owned(), 3)].into(),
        behind: vec![pb::Behind {
            node: "envoy-2".into(),
            revision: 5,
            reason: "stopped".into(),
            ..pb::Behind::default()
        }],
        ..pb::Replica::default()
    };
    let (sender, records) = watch::channel(Records {
        current: true,
        own: "a".into(),
        by_id: [("a".into(), record(&other)), ("b".into(), record(&other))].into(),
    });
    let settled = Settled {
        revision: 7,
        documents: 7,
        ..Settled::default()
    };
    let (api, _seat) = api(settled, node("envoy-1", true, 7), Others::new(records));
    assert!(wait::wait(&api, ask(5)).await.unwrap().confirmed);
    let answer = wait::wait(&api, ask(7)).await.unwrap();
    assert_eq!((answer.nodes, answer.replicas), (4, 2));
    let [behind] = answer.behind.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (behind.replica.as_str(), behind.node.as_str()),
        ("b", "envoy-2")
    );

    let others = Others::new(sender.subscribe());
    assert_eq!(others.ahead(6), Some(("b".to_owned(), 7)));
    assert_eq!(others.ahead(7), None);

    other.confirmed = 7;
    sender.send_modify(|records| _ = records.by_id.insert("b".into(), record(&other)));
    assert!(wait::wait(&api, ask(7)).await.unwrap().confirmed);
    sender.send_modify(|records| records.current = false);
    let answer = wait::wait(&api, ask(7)).await.unwrap();
    assert!(answer.behind[0].reason.contains("etcd is away"));
}

#[tokio::test]
async fn a_replica_of_another_version_is_read_as_far_as_it_is_understood() {
    let by = |text: &str| Record {
        value: Bytes::copy_from_slice(text.as_bytes()),
        lease: 1,
        revision: 1,
    };
    let newer = by(r#"{"version":1,"revision":"7","confirmed":"7","zone":{"name":"b"}}"#);
    let (sender, records) = watch::channel(Records {
        current: true,
        own: "a".into(),
        by_id: [("b".into(), newer)].into(),
    });
    let settled = Settled {
        revision: 7,
        documents: 7,
        ..Settled::default()
    };
    let others = Others::new(records);
    let (api, _seat) = api(settled, node("envoy-1", true, 7), others.clone());
    assert!(wait::wait(&api, ask(7)).await.unwrap().confirmed);
    assert!(others.unread().is_empty());
    // What is not understood has confirmed nothing, whatever it seems to say.
    let next = by(r#"{"version":2,"revision":"7","confirmed":"7"}"#);
    sender.send_modify(|records| _ = records.by_id.insert("b".into(), next));
    let answer = wait::wait(&api, ask(7)).await.unwrap();
    assert!(!answer.confirmed);
    let [behind] = answer.behind.as_slice() else {
        panic!("{answer:?}");
    };
    assert!(behind.reason.contains("version 2"), "{behind:?}");
    assert_eq!(others.unread().len(), 1);
}

#[tokio::test]
async fn what_is_not_in_force_is_not_confirmed() {
    let rejected = NotInForce {
        revision: 7,
        cause: Cause::Rejected,
        reason: "uri: found none".into(),
    };
    let settled = Settled {
        revision: 8,
        documents: 8,
        problems: Arc::new([("routes/bad".into(), rejected)].into()),
        ..Settled::default()
    };
    let (api, _seat) = api(settled, node("envoy-1", true, 8), Others::none());
    assert!(wait::wait(&api, ask(8)).await.unwrap().confirmed);
    let answer = wait::wait(&api, ask(7)).await.unwrap();
    assert!(!answer.confirmed && answer.behind.is_empty());
    assert_eq!(answer.rejected[0].document, "routes/bad");
}

#[tokio::test]
async fn what_waits_for_a_service_is_not_confirmed_here_or_elsewhere() {
    let waiting = NotInForce {
        revision: 7,
        cause: Cause::Waiting,
        reason: "consul/late has not been answered yet".into(),
    };
    let settled = Settled {
        revision: 8,
        documents: 8,
        ..Settled::default()
    };
    let mut other = pb::Replica {
        revision: 8,
        confirmed: 8,
        waiting: vec![pb::Rejected {
            document: "routes/late".to_owned(),
            revision: 7,
            reason: waiting.reason.to_string(),
        }],
        ..pb::Replica::default()
    };
    let (sender, records) = watch::channel(Records {
        current: true,
        own: "a".into(),
        by_id: [("b".into(), record(&other))].into(),
    });
    let others = Others::new(records);
    let (api, _seat) = api(settled.clone(), node("envoy-1", true, 8), others);
    assert!(wait::wait(&api, ask(8)).await.unwrap().confirmed);
    let says = async |replica| {
        let answer = wait::wait(&api, ask(7)).await.unwrap();
        assert!(!answer.confirmed && answer.rejected.is_empty());
        let [behind] = answer.behind.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(behind.replica, replica);
        assert!(
            behind.reason.starts_with("routes/late waits: consul/late"),
            "{behind:?}"
        );
    };
    says("b").await;
    other.waiting.clear();
    sender.send_modify(|records| _ = records.by_id.insert("b".into(), record(&other)));
    api.gateways.settle(Settled {
        problems: Arc::new([("routes/late".into(), waiting)].into()),
        ..settled.clone()
    });
    says("a").await;
    api.gateways.settle(settled);
    assert!(wait::wait(&api, ask(7)).await.unwrap().confirmed);
}
