//! Consumers that come and go.

use serde_json::json;

use super::{consumer, passes, stage_with, token};
use crate::support::envoy::Protocol;
use crate::support::load::Load;

#[tokio::test]
async fn consumers_come_and_go_under_load_over_delta() {
    consumers_come_and_go_under_load(Protocol::Delta).await;
}

#[tokio::test]
async fn consumers_come_and_go_under_load_over_sotw() {
    consumers_come_and_go_under_load(Protocol::Sotw).await;
}

async fn consumers_come_and_go_under_load(protocol: Protocol) {
    let all = json!({ "key-auth": {}, "jwt-auth": { "header": "x-token" } });
    let stage = stage_with(
        protocol,
        &[
            ("open", json!({})),
            ("key", json!({ "key-auth": {} })),
            ("all", all),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let of = |name: &str, key: &str| {
        let jwt = json!({ "key": name, "secret": format!("{key}-secret") });
        let basic = json!({ "username": name, "password": format!("{key}-password") });
        let key = json!({ "key": key });
        consumer(
            name,
            json!({ "key-auth": key, "jwt-auth": jwt, "basic-auth": basic }),
        )
    };
    etcd.put("consumers/anne", &of("anne", "anne-key")).await;
    passes(envoy, "/key?apikey=anne-key", &[]).await;
    let before = envoy.configured().await;
    let snapshots = stage.chancery.published().len();

    let open = Load::on(&envoy.url("/open"), 200);
    let with_key = Load::on(&envoy.url("/key?apikey=anne-key"), 200);
    for round in 0..10 {
        let [first, second] = [format!("{round}-a"), format!("{round}-b")];
        etcd.put("consumers/bert", &of("bert", &first)).await;
        passes(envoy, &format!("/key?apikey={first}"), &[]).await;
        etcd.put("consumers/bert", &of("bert", &second)).await;
        passes(envoy, &format!("/key?apikey={second}"), &[]).await;
        envoy
            .answers_with(&format!("/key?apikey={first}"), 401)
            .await;
        let token = token(&format!("{second}-secret"), r#"{"key":"bert"}"#);
        passes(
            envoy,
            &format!("/all?apikey={second}"),
            &[("x-token", &token)],
        )
        .await;
        etcd.delete("consumers/bert").await;
        envoy
            .answers_with(&format!("/key?apikey={second}"), 401)
            .await;
    }
    open.stop().await.assert_flawless();
    with_key.stop().await.assert_flawless();
    assert_eq!(
        envoy.configured().await,
        before,
        "listeners, clusters or routes were touched"
    );
    let published = stage.chancery.published();
    assert!(published.len() > snapshots);
    for line in &published[snapshots..] {
        assert!(line.field("extensions").starts_with('~'), "{line:?}");
        assert_eq!(
            line.field("listeners") + &line.field("routes"),
            "",
            "{line:?}"
        );
    }
}
