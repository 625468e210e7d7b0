//! What clients say is not kept: memory goes by what is used of it.

use anyhow::ensure;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use crate::port::{CLUSTERS, SOTW, Sotw, wish};
use crate::support::chancery::Chancery;
use crate::support::{eventually, own_address};

const STREAMS: usize = 60;
/// What a node says of itself, in bytes.
const METADATA: usize = 4 << 20;
/// A third of what all of them said.
const KEPT: u64 = (STREAMS * METADATA / 3) as u64;

#[tokio::test]
async fn what_a_node_says_of_itself_and_nobody_uses_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut chancery = Chancery::serve_files(own_address(), folder.path(), folder.path());
    chancery.ready().await;
    let url = format!("http://{}", chancery.xds());
    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let before = chancery.process.resident_bytes();
    let text = Value {
        kind: Some(Kind::StringValue("x".repeat(METADATA))),
    };
    let mut request = wish(CLUSTERS);
    request.node.as_mut().unwrap().metadata = Some(Struct {
        fields: [("everything".to_owned(), text)].into(),
    });
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        let channel = endpoint.connect().await.unwrap();
        let mut client = Sotw::open(&channel, SOTW).await;
        client.send(request.clone()).await;
        client.next().await.unwrap().expect("an answer");
        clients.push(client);
    }
    eventually(async || {
        let more = chancery.process.resident_bytes().saturating_sub(before);
        ensure!(more < KEPT, "{more} bytes are kept of {STREAMS} streams");
        Ok(())
    })
    .await;
}
