//! What cannot be is refused, in the words that clients know.

use serde_json::{Value, json};

use super::{Desk, nodes, route};

#[tokio::test]
async fn what_cannot_be_is_refused_in_the_words_that_clients_know() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    for (method, path, status, said) in [
        ("GET", "/routs", 404, "Unsupported resource type: routs"),
        (
            "POST",
            "/consumers",
            405,
            "not supported `POST` method for consumer",
        ),
        (
            "PATCH",
            "/stream_routes/1",
            405,
            "not supported `PATCH` method for stream route",
        ),
        (
            "POST",
            "/plugin_configs",
            405,
            "not supported `POST` method for plugin config",
        ),
        (
            "PUT",
            "/schema/route",
            405,
            "not supported `PUT` method for schema",
        ),
        ("GET", "/schema/routs", 400, "not found schema: routs"),
        (
            "PUT",
            "/secrets/aws/1",
            400,
            "found the secret manager `aws`",
        ),
    ] {
        let refused = admin.call(method, path, &json!({})).await;
        assert_eq!(refused.status, status, "{method} {path}: {refused:?}");
        assert!(
            refused.error().starts_with(said),
            "{method} {path}: {refused:?}"
        );
    }
    let with = |field: &str, value: Value| {
        let mut document = route("/a");
        document[field] = value;
        document
    };
    for (document, said) in [
        (json!({ "upstream": nodes() }), "invalid configuration: "),
        (
            with("uri", json!(7)),
            "invalid configuration: property \"uri\" validation failed: ",
        ),
        (
            with("plugins", json!({ "nothing": {} })),
            "unknown plugin [nothing]",
        ),
        (
            with("create_time", json!(7)),
            "the property is forbidden:  create_time",
        ),
        (
            json!({ "uri": "/", "upstream_id": 9 }),
            "failed to fetch upstream info by upstream id [9], response code: 404",
        ),
        (
            json!({ "uri": "/", "service_id": "s" }),
            "failed to fetch service info by service id [s], response code: 404",
        ),
    ] {
        let refused = admin.put("/routes/1", &document).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.error().starts_with(said), "{refused:?}");
    }
    let send = async |body: Vec<u8>, kind: &str| {
        admin
            .send("PUT", "/routes/1", &[("content-type", kind)], body)
            .await
            .unwrap()
    };
    let broken = send(b"{".to_vec(), "application/json").await;
    assert!(
        broken.status == 400 && broken.error().starts_with("invalid request body: "),
        "{broken:?}"
    );
    let large = send(vec![b' '; 1_572_865], "application/json").await;
    assert_eq!(large.status, 400);
    assert_eq!(
        large.error(),
        "invalid request body: request size 1572865 is greater than the maximum size 1572864 allowed"
    );
    let yaml = format!("uri: /yaml\nupstream: {}\n", nodes());
    let taken = send(yaml.into_bytes(), "application/yaml").await;
    assert_eq!(
        (taken.status, &taken.body["value"]["uri"]),
        (201, &json!("/yaml"))
    );
    let absent = admin
        .put(
            "/consumers/nobody/credentials/a",
            &json!({ "plugins": { "key-auth": { "key": "k" } } }),
        )
        .await;
    assert_eq!((absent.status, absent.error()), (404, "consumer not found"));
}

#[tokio::test]
async fn a_document_is_checked_with_the_gateway_that_it_does_not_name() {
    let desk = Desk::set().await;
    let stream = json!({ "server_port": 9100, "upstream": { "nodes": { "127.0.0.1:1980": 1 } } });
    let refused = desk.admin.put("/stream_routes/1", &stream).await;
    assert!(
        refused.status == 400 && refused.error().contains("no listener of gateway `default`"),
        "{refused:?}"
    );
    let listener = json!({ "name": "tcp", "address": "::", "port": 9100, "protocol": "tcp" });
    let gateway = json!({ "listeners": [listener], "tracing": {
        "provider": "opentelemetry", "upstream_id": "spans", "path": "/v1/traces",
    } });
    for (path, document) in [
        ("/upstreams/spans", nodes()),
        ("/gateways/default", gateway),
    ] {
        let written = desk.admin.put(path, &document).await;
        assert_eq!(written.status, 201, "{written:?}");
    }
    let written = desk.admin.put("/stream_routes/1", &stream).await;
    assert_eq!(written.status, 201, "{written:?}");
}

#[tokio::test]
async fn what_others_name_is_not_deleted() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let written = async |path: &str, body: Value| {
        let written = admin.put(path, &body).await;
        assert_eq!(written.status, 201, "{path}: {written:?}");
    };
    written("/upstreams/u", nodes()).await;
    written("/services/s", json!({ "upstream_id": "u" })).await;
    written("/plugin_configs/p", json!({ "plugins": {} })).await;
    written(
        "/routes/r",
        json!({ "uri": "/", "service_id": "s", "plugin_config_id": "p" }),
    )
    .await;
    written("/consumer_groups/g", json!({ "plugins": {} })).await;
    written(
        "/consumers/jack",
        json!({ "username": "jack", "group_id": "g" }),
    )
    .await;
    written(
        "/consumers/jack/credentials/a",
        json!({ "plugins": { "key-auth": { "key": "k" } } }),
    )
    .await;
    for (path, said) in [
        (
            "/upstreams/u",
            "can not delete this upstream, service [s] is still using it now",
        ),
        (
            "/services/s",
            "can not delete this service directly, route [r] is still using it now",
        ),
        (
            "/plugin_configs/p",
            "can not delete this plugin config, route [r] is still using it now",
        ),
        (
            "/consumer_groups/g",
            "can not delete this consumer group, consumer [jack] is still using it now",
        ),
    ] {
        let refused = admin.delete(path).await;
        assert_eq!((refused.status, refused.error()), (400, said));
    }
    let credentials = admin.get("/consumers/jack/credentials").await;
    assert_eq!(credentials.body["total"], 1, "{credentials:?}");
    let consumers = admin.get("/consumers").await;
    assert_eq!(consumers.body["total"], 1, "{consumers:?}");
    assert_eq!(admin.delete("/consumers/jack").await.status, 200);
    let gone = admin.get("/consumers/jack/credentials").await;
    assert_eq!(
        (gone.status, &gone.body["message"]),
        (404, &json!("Key not found"))
    );
    assert_eq!(admin.delete("/upstreams/u?force=1").await.status, 400);
    assert_eq!(admin.delete("/upstreams/u?force=true").await.status, 200);
    assert_eq!(admin.delete("/routes/r").await.status, 200);
    assert_eq!(admin.delete("/services/s").await.status, 200);
    let same = json!({ "username": "bob", "plugins": { "key-auth": { "key": "k" } } });
    written("/consumers/bob", same).await;
    let again = json!({ "username": "alice", "plugins": { "key-auth": { "key": "k" } } });
    let refused = admin.put("/consumers/alice", &again).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(
        refused
            .error()
            .contains("duplicate key of plugin key-auth found with consumer: bob"),
        "{refused:?}"
    );
}
