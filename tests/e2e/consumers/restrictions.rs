//! Routes that are for some consumers.

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use super::{consumer, is_told, passes, stage_with};
use crate::support::envoy::Protocol;
use crate::support::eventually;

#[tokio::test]
async fn routes_are_for_some_consumers() {
    let only = |restriction: Value| json!({ "key-auth": {}, "consumer-restriction": restriction });
    let stage = stage_with(
        Protocol::Delta,
        &[
            ("white", only(json!({ "whitelist": ["anne"] }))),
            (
                "black",
                only(json!({ "blacklist": ["anne"], "rejected_code": 404, "rejected_msg": "no" })),
            ),
            (
                "group",
                only(json!({ "type": "consumer_group_id", "whitelist": ["partners"] })),
            ),
            (
                "gets",
                only(json!({ "allowed_by_methods": [{ "user": "bert", "methods": ["POST"] }] })),
            ),
            (
                "nobody",
                json!({ "consumer-restriction": { "blacklist": ["anne"] } }),
            ),
            (
                "black-group",
                only(json!({ "type": "consumer_group_id", "blacklist": ["others"] })),
            ),
            (
                "both",
                only(json!({
                    "whitelist": ["anne"],
                    "allowed_by_methods": [
                        { "user": "anne", "methods": ["POST"] },
                        { "user": "bert", "methods": ["POST"] },
                        { "user": "bert", "methods": ["GET"] },
                    ],
                })),
            ),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    etcd.put("consumer_groups/partners", &json!({ "plugins": {} }))
        .await;
    let mut anne = consumer("anne", json!({ "key-auth": { "key": "anne-key" } }));
    anne["group_id"] = json!("partners");
    etcd.put("consumers/anne", &anne).await;
    let bert = consumer("bert", json!({ "key-auth": { "key": "bert-key" } }));
    etcd.put("consumers/bert", &bert).await;
    let (anne, bert) = (&[("apikey", "anne-key")][..], &[("apikey", "bert-key")][..]);

    passes(envoy, "/white", anne).await;
    let forbidden = r#"{"message":"The consumer_name is forbidden."}"#;
    eventually(async || {
        let answer = envoy.send(Method::GET, "/white", bert).await?;
        ensure!(
            (answer.status, &*answer.body) == (403, forbidden),
            "{answer:?}"
        );
        Ok(())
    })
    .await;
    passes(envoy, "/black", bert).await;
    is_told(envoy, "/black", anne, 404, r#"{"message":"no"}"#).await;
    passes(envoy, "/gets", anne).await;
    is_told(envoy, "/gets", bert, 403, forbidden).await;
    let unknown = |what: &str| {
        let said = format!("The request is rejected, please check the {what} for this request");
        json!({ "message": said }).to_string()
    };
    is_told(envoy, "/nobody", anne, 401, &unknown("consumer_name")).await;
    // Who is on the white list may use any method; of what is said of somebody twice the first counts.
    passes(envoy, "/both", anne).await;
    is_told(envoy, "/both", bert, 403, forbidden).await;
    let posted = envoy.send(Method::POST, "/both", bert).await.unwrap();
    assert_eq!(posted.status, 200, "{posted:?}");
    passes(envoy, "/black-group", anne).await;
    is_told(
        envoy,
        "/black-group",
        bert,
        401,
        &unknown("consumer_group_id"),
    )
    .await;
    let mut forged = bert.to_vec();
    forged.push(("x-consumer-username", "anne"));
    is_told(envoy, "/white", &forged, 403, forbidden).await;

    passes(envoy, "/group", anne).await;
    is_told(envoy, "/group", bert, 401, &unknown("consumer_group_id")).await;
    let tables = envoy.configured().await;
    let mut joined = consumer("bert", json!({ "key-auth": { "key": "bert-key" } }));
    joined["group_id"] = json!("partners");
    etcd.put("consumers/bert", &joined).await;
    passes(envoy, "/group", bert).await;
    assert_eq!(
        envoy.configured().await,
        tables,
        "a changed group is no matter of routes"
    );
}
