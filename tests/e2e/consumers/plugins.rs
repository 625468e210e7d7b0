//! Plugins of consumers: they come, change and go, and hold for nobody else.

use serde_json::{Value, json};

use super::{consumer, is_told, passes, stage_with};
use crate::support::envoy::Protocol;
use crate::support::load::Load;

#[tokio::test]
async fn plugins_of_a_consumer_come_and_go() {
    let stage = stage_with(
        Protocol::Delta,
        &[
            ("open", json!({})),
            ("key", json!({ "key-auth": {} })),
            ("both", json!({ "basic-auth": {}, "key-auth": {} })),
        ],
    )
    .await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let with = |name: &str, plugins: Value| {
        let mut all = json!({ "key-auth": { "key": format!("{name}-key") } });
        let all_fields = all.as_object_mut().unwrap();
        all_fields.extend(plugins.as_object().unwrap().clone());
        consumer(name, all)
    };
    for name in ["anne", "bert"] {
        let path = format!("consumers/{name}");
        etcd.put(&path, &with(name, json!({}))).await;
        passes(envoy, &format!("/key?apikey={name}-key"), &[]).await;
    }
    // What becomes of others' requests while plugins come and go: nothing.
    let load = Load::on(&envoy.url("/key?apikey=bert-key"), 200);
    let open = Load::on(&envoy.url("/open"), 200);
    let seen_as = |seen: &Value| seen["headers"]["x-for"].clone();
    for round in 0..5 {
        let header = json!({ "set": { "x-for": format!("anne {round}") } });
        let plugins = json!({ "proxy-rewrite": { "headers": header } });
        etcd.put("consumers/anne", &with("anne", plugins)).await;
        crate::support::stage::settled(etcd, &stage.chancery).await;
        let seen = passes(envoy, "/key?apikey=anne-key", &[]).await;
        assert_eq!(seen_as(&seen), format!("anne {round}"));
        let forged = [("x-consumer-username", "anne")];
        let seen = passes(envoy, "/key?apikey=bert-key", &forged).await;
        assert_eq!(seen_as(&seen), Value::Null);
        let seen = passes(envoy, "/open", &forged).await;
        assert_eq!(seen_as(&seen), Value::Null);
    }
    etcd.put("consumers/anne", &with("anne", json!({}))).await;
    crate::support::stage::settled(etcd, &stage.chancery).await;
    let seen = passes(envoy, "/key?apikey=anne-key", &[]).await;
    assert_eq!(seen_as(&seen), Value::Null);
    load.stop().await.assert_flawless();
    open.stop().await.assert_flawless();

    // A global rule that finds the consumer, and a route that does not ask.
    let rule = json!({ "plugins": { "key-auth": {} } });
    etcd.put("global_rules/1", &rule).await;
    envoy.answers_with("/open", 401).await;
    let restricted =
        json!({ "consumer-restriction": { "type": "route_id", "blacklist": ["open"] } });
    etcd.put("consumers/anne", &with("anne", restricted)).await;
    envoy.answers_with("/open?apikey=anne-key", 403).await;
    let forbidden = r#"{"message":"The route_id is forbidden."}"#;
    is_told(envoy, "/open?apikey=anne-key", &[], 403, forbidden).await;
    passes(envoy, "/open?apikey=bert-key", &[]).await;
    passes(envoy, "/key?apikey=anne-key", &[]).await;
}

#[tokio::test]
async fn only_so_many_consumers_have_plugins() {
    let stage = stage_with(Protocol::Delta, &[("key", json!({ "key-auth": {} }))]).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    for number in 10..43 {
        let name = format!("c{number}");
        let plugins = json!({
            "key-auth": { "key": format!("key-{number}") },
            "limit-count": { "count": 1000, "time_window": 60 },
        });
        etcd.put(&format!("consumers/{name}"), &consumer(&name, plugins))
            .await;
    }
    let last = passes(envoy, "/key?apikey=key-41", &[]).await;
    assert_eq!(last["headers"]["x-consumer-username"], "c41");
    let reason = "are those of one consumer more than 32 that have some";
    let line = stage.chancery.logs(0, "document rejected").await;
    assert!(format!("{line:?}").contains(reason), "{line:?}");
    // Whoever is beyond has no plugins here, and so does not pass.
    envoy.answers_with("/key?apikey=key-42", 401).await;
    etcd.delete("consumers/c10").await;
    passes(envoy, "/key?apikey=key-42", &[]).await;
    envoy.answers_with("/key?apikey=key-10", 401).await;
}
