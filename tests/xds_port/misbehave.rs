//! Clients that misbehave: each is told what it did and counted, and nobody else notices.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chancery::snapshot::ResourceType;
use chancery::xds::Limits;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::protobuf;
use envoy_types::pb::google::rpc;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;
use tonic::Code;

use crate::port::{CLUSTERS, Client, DELTA, Delta, Port, SOTW, Sotw, assert_code, node, wish};
use crate::support::chancery::Chancery;
use crate::support::{PATIENCE, eventually, many, own_address};

/// Limits that are quickly reached.
fn narrow() -> Limits {
    Limits {
        request_bytes: 64 << 10,
        request_rate: 10,
        names: 50,
        name_bytes: 100,
        ..Limits::default()
    }
}

/// Fails unless a client that behaves is served.
async fn others_are_served(port: &Port) {
    let mut client = Sotw::open(&port.channel().await, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    let response = client.next().await.unwrap().unwrap();
    assert_eq!(response.resources.len(), 1);
}

#[tokio::test]
async fn a_wrong_request_ends_its_stream_with_the_reason() {
    let port = Port::with_one_of_each(narrow()).await;
    let channel = port.channel().await;
    let request = |change: fn(&mut DiscoveryRequest)| {
        let mut request = wish(CLUSTERS);
        change(&mut request);
        request
    };
    let names = |count: usize, length: usize| -> Vec<String> {
        (0..count).map(|name| format!("{name:0length$}")).collect()
    };
    let mut many = wish(CLUSTERS);
    many.resource_names = names(51, 2);
    let mut large = wish(CLUSTERS);
    large.resource_names = names(700, 100);
    let cases = [
        (
            "no_node_id",
            Code::InvalidArgument,
            request(|it| it.node = node("")),
        ),
        (
            "no_node_id",
            Code::InvalidArgument,
            request(|it| it.node = None),
        ),
        (
            "no_type_url",
            Code::InvalidArgument,
            request(|it| it.type_url.clear()),
        ),
        (
            "unknown_type",
            Code::InvalidArgument,
            request(|it| it.type_url = "t".repeat(257)),
        ),
        (
            "gateway_name",
            Code::InvalidArgument,
            request(|it| it.node.as_mut().unwrap().cluster = "g".repeat(65)),
        ),
        ("names", Code::ResourceExhausted, many),
        ("request_size", Code::ResourceExhausted, large),
    ];
    let good = Sotw::open(&channel, SOTW).await;
    good.send(wish(CLUSTERS)).await;
    for (reason, code, request) in cases {
        let before = port.refused(reason);
        let mut client = Sotw::open(&channel, SOTW).await;
        client.send(request).await;
        let status = client.ends().await;
        assert_code(&status, code);
        assert!(!status.message().is_empty());
        assert_eq!(port.refused(reason), before + 1, "{reason}");
        others_are_served(&port).await;
    }
    eventually(async || {
        let connected = port.ads.nodes.connected().len();
        ensure!(connected == 1, "{connected} nodes are connected");
        Ok(())
    })
    .await;
    drop(good);
}

#[tokio::test]
async fn a_name_that_is_longer_than_any_there_is_ends_no_stream() {
    let port = Port::with_one_of_each(narrow()).await;
    let channel = port.channel().await;
    assert!(chancery::model::resource_name::LONGEST <= Limits::default().name_bytes);
    // As a process before this one may have sent it.
    let long = vec!["a".repeat(101)];
    let endpoints = ResourceType::LoadAssignment.type_url();
    let mut sotw = Sotw::open(&channel, SOTW).await;
    let mut request = wish(endpoints);
    request.resource_names.clone_from(&long);
    sotw.send(request).await;
    sotw.send(wish(CLUSTERS)).await;
    assert_eq!(sotw.next().await.unwrap().unwrap().type_url, CLUSTERS);
    let mut delta = Delta::open(&channel, DELTA).await;
    let request = |type_url: &str, names: Vec<String>| DeltaDiscoveryRequest {
        node: node("long"),
        type_url: type_url.to_owned(),
        resource_names_subscribe: names,
        ..DeltaDiscoveryRequest::default()
    };
    delta.send(request(endpoints, long)).await;
    delta.send(request(CLUSTERS, Vec::new())).await;
    assert_eq!(delta.next().await.unwrap().unwrap().type_url, CLUSTERS);
    others_are_served(&port).await;
}

#[tokio::test]
async fn a_type_that_is_not_served_ends_no_stream() {
    const RUNTIME: &str = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
    let port = Port::with_one_of_each(narrow()).await;
    let channel = port.channel().await;
    let mut sotw = Sotw::open(&channel, SOTW).await;
    let mut request = wish(RUNTIME);
    request.resource_names = vec!["layer".into()];
    sotw.send(request).await;
    let response = sotw.next().await.unwrap().unwrap();
    assert_eq!(response.type_url, RUNTIME);
    assert!(response.resources.is_empty(), "{response:?}");
    sotw.send(wish(CLUSTERS)).await;
    assert_eq!(sotw.next().await.unwrap().unwrap().type_url, CLUSTERS);
    let mut delta = Delta::open(&channel, DELTA).await;
    let request = |type_url: &str, names: Vec<String>| DeltaDiscoveryRequest {
        node: node("two"),
        type_url: type_url.to_owned(),
        resource_names_subscribe: names,
        ..DeltaDiscoveryRequest::default()
    };
    delta.send(request(RUNTIME, vec!["layer".into()])).await;
    let response = delta.next().await.unwrap().unwrap();
    assert_eq!(response.type_url, RUNTIME);
    assert_eq!(response.removed_resources, ["layer"]);
    delta.send(request(CLUSTERS, Vec::new())).await;
    assert_eq!(delta.next().await.unwrap().unwrap().type_url, CLUSTERS);
    let nodes = port.ads.nodes.connected();
    let asked = |id: &str| nodes.iter().find(|node| &*node.id == id).unwrap();
    for id in ["one", "two"] {
        assert_eq!(
            *asked(id).status.unserved,
            [std::sync::Arc::<str>::from(RUNTIME)]
        );
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_too() {
    let port = Port::with_one_of_each(narrow()).await;
    // Its field 1 is a number where a request has a text.
    type Nonsense = Client<protobuf::Duration, protobuf::Duration>;
    let mut client = Nonsense::open(&port.channel().await, SOTW).await;
    let nonsense = protobuf::Duration {
        seconds: 5,
        nanos: 0,
    };
    client.send(nonsense).await;
    assert_code(&client.ends().await, Code::InvalidArgument);
    assert_eq!(port.refused("malformed"), 1);
    others_are_served(&port).await;
}

#[tokio::test]
async fn names_add_up_over_the_requests_of_a_delta_stream() {
    let port = Port::with_one_of_each(narrow()).await;
    let mut client = Delta::open(&port.channel().await, DELTA).await;
    for part in 0..3 {
        let names = (0..20).map(|name| format!("{part}-{name}"));
        let request = DeltaDiscoveryRequest {
            node: node("one"),
            type_url: ResourceType::LoadAssignment.type_url().into(),
            resource_names_subscribe: names.collect(),
            ..DeltaDiscoveryRequest::default()
        };
        client.send(request).await;
    }
    assert_code(&client.ends().await, Code::ResourceExhausted);
    assert_eq!(port.refused("names"), 1);
}

#[tokio::test]
async fn a_flood_of_requests_ends_and_answers_to_responses_are_no_flood() {
    let port = Port::with_one_of_each(narrow()).await;
    let channel = port.channel().await;
    let mut flood = Sotw::open(&channel, SOTW).await;
    let flooding = async { while flood.send(wish(CLUSTERS)).await {} };
    timeout(PATIENCE, flooding).await.expect("an end");
    let status = flood.ends().await;
    assert_code(&status, Code::ResourceExhausted);
    assert_eq!(port.refused("request_rate"), 1);

    let mut patient = Sotw::open(&channel, SOTW).await;
    patient.send(wish(CLUSTERS)).await;
    for change in 0..200_u8 {
        let content = [change];
        port.publish([(ResourceType::Cluster, "clusters", content.as_slice())]);
        let response = patient.next().await.unwrap().unwrap();
        let answer = DiscoveryRequest {
            response_nonce: response.nonce,
            version_info: response.version_info,
            error_detail: (change % 2 == 1).then(|| rpc::Status {
                message: "refused".into(),
                ..rpc::Status::default()
            }),
            ..wish(CLUSTERS)
        };
        patient.send(answer).await;
    }
    assert_eq!(port.refused("request_rate"), 1);
}

#[tokio::test]
async fn a_stream_that_says_nothing_ends() {
    let port = Port::with_one_of_each(Limits {
        first_request: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut silent = Sotw::open(&port.channel().await, SOTW).await;
    assert_code(&silent.ends().await, Code::DeadlineExceeded);
    assert_eq!(port.refused("silent"), 1);
}

#[tokio::test]
async fn a_reader_that_stops_loses_its_stream_and_nobody_else_waits() {
    let slow_reader = Duration::from_secs(2);
    let port = Port::open(Limits {
        slow_reader,
        ..Limits::default()
    })
    .await;
    let large = vec![0; 4 << 20];
    port.publish([(ResourceType::Cluster, "clusters", large.as_slice())]);
    let stopped = Sotw::open(&port.channel().await, SOTW).await;
    let since = Instant::now();
    stopped.send(wish(CLUSTERS)).await;
    eventually(async || {
        ensure!(port.refused("slow_reader") == 1, "not yet refused");
        ensure!(port.ads.nodes.connected().is_empty(), "still a node");
        Ok(())
    })
    .await;
    assert!(since.elapsed() >= slow_reader, "{:?}", since.elapsed());
    drop(stopped);
    let small = b"".as_slice();
    port.publish([(ResourceType::Cluster, "clusters", small)]);
    others_are_served(&port).await;
}

#[tokio::test]
async fn streams_are_bounded_and_room_comes_back() {
    let port = Port::with_one_of_each(Limits {
        streams: 3,
        ..Limits::default()
    })
    .await;
    let channel = port.channel().await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = Sotw::open(&channel, SOTW).await;
        client.send(wish(CLUSTERS)).await;
        client.next().await.unwrap().unwrap();
        open.push(client);
    }
    let status = Sotw::try_open(&channel, SOTW).await.err().unwrap();
    assert_code(&status, Code::ResourceExhausted);
    assert!(status.message().contains("--max-streams"), "{status:?}");
    assert_eq!(port.refused("streams"), 1);
    open.pop();
    eventually(async || {
        let opened = Sotw::try_open(&channel, SOTW).await;
        opened.map(drop).context("still no room")
    })
    .await;
}

#[tokio::test]
async fn new_connections_are_bounded_in_rate() {
    let limits = Limits {
        connection_rate: 1,
        ..Limits::default()
    };
    let port = Port::with_one_of_each(limits).await;
    let mut refused = Vec::new();
    for channel in join_all((0..40).map(|_| port.channel())).await {
        if let Err(status) = Sotw::try_open(&channel, SOTW).await {
            refused.push((channel, status));
        }
    }
    let (channel, status) = refused.pop().expect("some of 40 at once are too many");
    assert_code(&status, Code::ResourceExhausted);
    assert!(port.refused("connection_rate") > 0);
    // It need not connect anew: there is room for it later.
    eventually(async || {
        let opened = Sotw::try_open(&channel, SOTW).await;
        opened.map(drop).context("still no room")
    })
    .await;
}

/// Waits until all streams have ended.
async fn all_are_gone(chancery: &Chancery) {
    eventually(async || {
        let open = chancery.metric("chancery_xds_streams").await?;
        ensure!(open == 0.0, "{open} streams are open");
        Ok(())
    })
    .await;
}

/// How many of many clients there are at the same time.
const AT_ONCE: usize = 16;

/// Has something done until three times on end leave nothing in memory. What the process keeps for later use, more of it
/// when it was slow, is soon enough; what is leaked never is.
async fn leaves_nothing(chancery: &Chancery, mut done: impl AsyncFnMut()) {
    let mut bytes = vec![chancery.process.resident_bytes()];
    while bytes.len() < 15 {
        done().await;
        bytes.push(chancery.process.resident_bytes());
        if let [.., before, _, _, now] = bytes[..]
            && now < before + (2 << 20)
        {
            return;
        }
    }
    panic!("more bytes each time: {bytes:?}");
}

#[tokio::test]
async fn many_that_come_and_leave_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut chancery = Chancery::serve_files(own_address(), folder.path(), folder.path());
    chancery.ready().await;
    let url = format!("http://{}", chancery.xds());
    let mut count = 0;
    let come_and_leave = async || {
        let numbers = count..count + many(300, 3_000);
        count = numbers.end;
        let each = stream::iter(numbers).for_each_concurrent(AT_ONCE, async |number| {
            let endpoint = tonic::transport::Endpoint::from_shared(url.clone()).unwrap();
            let channel = endpoint.connect().await.unwrap();
            let client = Sotw::open(&channel, SOTW).await;
            let mut request = wish(CLUSTERS);
            let node = request.node.as_mut().unwrap();
            node.id = format!("node-{number}");
            node.cluster = format!("gateway-{number}");
            client.send(request).await;
        });
        each.await;
        all_are_gone(&chancery).await;
    };
    leaves_nothing(&chancery, come_and_leave).await;
    eventually(async || {
        let metrics = chancery.admin("metrics").await?.body;
        ensure!(!metrics.contains("chancery_nodes{"), "{metrics}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn many_that_connect_and_refuse_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut chancery = Chancery::serve_files(own_address(), folder.path(), folder.path());
    chancery.ready().await;
    let url = format!("http://{}", chancery.xds());
    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let mut count = 0;
    let connect_and_refuse = async || {
        let numbers = 0..many(300, 10_000);
        count += numbers.end;
        let each = stream::iter(numbers).for_each_concurrent(AT_ONCE, async |_| {
            let mut client = Sotw::open(&channel, SOTW).await;
            client.send(wish(CLUSTERS)).await;
            let response = client.next().await.unwrap().expect("an answer");
            let mut refusal = wish(CLUSTERS);
            refusal.response_nonce = response.nonce;
            refusal.error_detail = Some(Default::default());
            client.send(refusal).await;
            // Listeners follow the answer about clusters, whatever it was.
            client.send(wish(ResourceType::Listener.type_url())).await;
            client.next().await.unwrap().expect("the refusal is heard");
        });
        each.await;
        all_are_gone(&chancery).await;
        let heard = chancery.metric("chancery_xds_nacks_total").await.unwrap();
        assert_eq!(heard, count as f64, "refusals are heard");
    };
    leaves_nothing(&chancery, connect_and_refuse).await;
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_kept_in_one_line_and_not_all_of_it() {
    let port = Port::with_one_of_each(Limits::default()).await;
    let mut client = Sotw::open(&port.channel().await, SOTW).await;
    let mut first = wish(CLUSTERS);
    first.node = node(&format!("a\nINFO forged{}", "x".repeat(10_000)));
    client.send(first.clone()).await;
    let response = client.next().await.unwrap().unwrap();
    client
        .send(DiscoveryRequest {
            response_nonce: response.nonce,
            error_detail: Some(rpc::Status {
                message: format!("no\nINFO forged{}", "x".repeat(8 << 20)),
                ..rpc::Status::default()
            }),
            ..wish(CLUSTERS)
        })
        .await;
    eventually(async || {
        let nodes = port.ads.nodes.connected();
        let node = nodes.first().context("nobody is connected")?;
        ensure!(node.id.starts_with("a\\nINFO forged"), "{}", node.id);
        ensure!(node.id.len() < 300, "{}", node.id.len());
        let status = &node.status.types[ResourceType::Cluster.index()];
        let refused = status.as_ref().and_then(|it| it.refused.as_ref());
        let (_, reason) = refused.context("nothing is refused")?;
        ensure!(reason.starts_with("no\\nINFO forged"), "{}", &reason[..20]);
        ensure!(reason.len() < 1100, "{}", reason.len());
        ensure!(
            reason.ends_with("in all)"),
            "it does not say that it is cut"
        );
        Ok(())
    })
    .await;
}
