//! Documents over HTTP, with the calls of APISIX's Admin API.

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::etcd::Etcd;
use crate::support::own_address;
use crate::support::stage::Stage;

mod callers;
mod collect;
mod commands;
mod encrypted;
mod history;
mod openapi;
mod writers;

/// An etcd and a Chancery on it, without proxies.
struct Desk {
    admin: Admin,
    chancery: Chancery,
    etcd: Etcd,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let etcd = Etcd::start(address, folder.path()).await;
        let mut chancery = Chancery::serve_etcd(address, &etcd.url(), folder.path());
        chancery.ready().await;
        Self {
            admin: Admin::new(&chancery.url()),
            chancery,
            etcd,
            _folder: folder,
        }
    }
}

fn nodes() -> Value {
    json!({ "type": "roundrobin", "nodes": { "127.0.0.1:1980": 1 } })
}

fn route(uri: &str) -> Value {
    json!({ "uri": uri, "upstream": nodes() })
}

#[tokio::test]
async fn documents_are_written_read_and_deleted_as_apisix_does_it() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let created = admin.put("/routes/1", &route("/hello")).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("x-api-version"), "v3");
    assert!(created.header("server").starts_with("Chancery/"));
    let fields: Vec<_> = created.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["key", "value"]);
    assert_eq!(created.body["key"], "/chancery/routes/1");
    let value = &created.body["value"];
    assert_eq!(
        (&value["id"], &value["uri"]),
        (&json!("1"), &json!("/hello"))
    );
    assert!(value["create_time"].as_i64().unwrap() > 1_700_000_000);
    assert!(value.get("priority").is_none(), "no defaults: {value}");

    let read = admin.get("/routes/1/").await;
    assert_eq!((read.status, &read.body["value"]), (200, value));
    let revision = read.body["modifiedIndex"].as_i64().unwrap();
    assert_eq!(read.body["createdIndex"], revision);
    assert_eq!(read.header("etag"), format!("\"{revision}\""));
    assert_eq!(created.header("x-chancery-revision"), revision.to_string());

    let replaced = admin.put("/routes/1", &route("/other")).await;
    assert_eq!(replaced.status, 200);
    assert_eq!(replaced.body["value"]["create_time"], value["create_time"]);
    let patch = json!({ "methods": ["GET"], "upstream": { "nodes": null }, "desc": "d" });
    let wrong = admin.call("PATCH", "/routes/1", &patch).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let patch = json!({ "methods": ["GET"] });
    let patched = admin.call("PATCH", "/routes/1", &patch).await;
    assert_eq!(
        (patched.status, &patched.body["value"]["methods"]),
        (200, &json!(["GET"]))
    );
    let part = admin
        .call(
            "PATCH",
            "/routes/1/upstream/nodes",
            &json!({ "127.0.0.1:1": 3 }),
        )
        .await;
    assert_eq!(
        part.body["value"]["upstream"]["nodes"],
        json!({ "127.0.0.1:1": 3 })
    );

    let deleted = admin.delete("/routes/1").await;
    assert_eq!(deleted.status, 200);
    assert_eq!(
        deleted.body,
        json!({ "deleted": "1", "key": "/chancery/routes/1" })
    );
    for gone in [
        admin.delete("/routes/1").await,
        admin.get("/routes/1").await,
    ] {
        assert_eq!(
            (gone.status, &gone.body),
            (404, &json!({ "message": "Key not found" }))
        );
    }
}

#[tokio::test]
async fn ids_come_from_the_path_the_body_or_the_store() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let first = admin.call("POST", "/routes/", &route("/a")).await;
    let second = admin.call("POST", "/routes", &route("/b")).await;
    let id = |posted: &crate::support::admin::Answered| {
        posted.body["value"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!((first.status, second.status), (201, 201));
    assert!(
        id(&first).len() == 20 && id(&first) < id(&second),
        "{first:?}"
    );
    let own = json!({ "id": 7, "uri": "/c", "upstream": nodes() });
    let by_body = admin.put("/routes", &own).await;
    assert_eq!(
        (by_body.status, &by_body.body["value"]["id"]),
        (201, &json!(7))
    );
    assert_eq!(by_body.body["key"], "/chancery/routes/7");
    for (method, path, body, said) in [
        (
            "POST",
            "/routes",
            own.clone(),
            "wrong route id, do not need it",
        ),
        ("PUT", "/routes", route("/d"), "missing route id"),
        ("PUT", "/routes/8", own, "wrong route id"),
        (
            "PUT",
            "/consumers/jack",
            json!({ "username": "jill" }),
            "wrong username",
        ),
        ("PUT", "/consumers", json!({}), "missing consumer name"),
        ("PUT", "/routes/a%20b", route("/e"), "found the id"),
    ] {
        let refused = admin.call(method, path, &body).await;
        assert_eq!(refused.status, 400, "{method} {path}: {refused:?}");
        assert!(refused.error().starts_with(said), "{refused:?}");
    }
    let jack = admin
        .put("/consumers", &json!({ "username": "jack" }))
        .await;
    assert_eq!((jack.status, jack.body["value"].get("id")), (201, None));
}

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
            "/protos/1",
            400,
            "this version does not serve `protos`",
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

#[tokio::test]
async fn lists_are_whole_or_in_pages_and_never_fail_for_being_empty() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let empty = json!({ "list": [], "total": 0 });
    for kind in [
        "routes",
        "services",
        "global_rules",
        "protos",
        "secrets",
        "plugin_metadata",
        "gateways",
    ] {
        let list = admin.get(&format!("/{kind}")).await;
        assert_eq!((list.status, &list.body), (200, &empty), "{kind}");
    }
    for id in ["b", "a", "c"] {
        admin
            .put(&format!("/routes/{id}"), &route(&format!("/{id}")))
            .await;
    }
    let ids = async |query: &str| {
        let list = admin.get(&format!("/routes{query}")).await;
        assert_eq!(list.status, 200, "{list:?}");
        let all = list.body["list"].as_array().unwrap().iter();
        let ids: Vec<_> = all
            .map(|one| one["value"]["id"].as_str().unwrap())
            .collect();
        (ids.concat(), list.body["total"].as_u64().unwrap())
    };
    assert_eq!(ids("").await, ("abc".to_owned(), 3));
    assert_eq!(ids("?page=1&page_size=10").await, ("bac".to_owned(), 3));
    assert_eq!(ids("/?page=2&page_size=10").await, (String::new(), 3));
    assert_eq!(ids("?uri=/a").await, ("a".to_owned(), 1));
    let refused = admin.get("/routes?page=1&page_size=5").await;
    assert_eq!(
        (refused.status, refused.error()),
        (400, "page_size must be between 10 and 500")
    );
    // What was written beside the API is shown with its id.
    desk.etcd.put("upstreams/x", &nodes()).await;
    assert_eq!(admin.get("/upstreams/x").await.body["value"]["id"], "x");
}

#[tokio::test]
async fn plugins_and_schemas_are_told_and_documents_are_checked_without_being_written() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let of_streams = admin.get("/plugins/list?subsystem=stream").await;
    assert_eq!(of_streams.body, json!([]));
    let of_nothing = admin.get("/plugins/list?subsystem=x").await;
    assert_eq!(
        (of_nothing.status, of_nothing.error()),
        (400, "invalid subsystem passed: allowed are http and stream")
    );
    let names = admin.get("/plugins/list").await.body;
    assert!(
        names.as_array().unwrap().contains(&json!("key-auth")),
        "{names}"
    );
    let all = admin.get("/plugins?all=true").await.body;
    assert!(
        all["key-auth"]["consumer_schema"].is_object() && all["cors"]["schema"].is_object(),
        "{all}"
    );
    assert_eq!(
        admin.get("/plugins?all=true&subsystem=stream").await.body,
        json!({})
    );
    assert_eq!(admin.get("/plugins/cors").await.body, all["cors"]["schema"]);
    assert_eq!(
        admin.get("/schema/plugins/cors").await.body,
        all["cors"]["schema"]
    );
    assert!(admin.get("/schema/route").await.body["properties"]["uri"].is_object());
    let reloaded = admin.call("PUT", "/plugins/reload", &json!({})).await;
    assert_eq!((reloaded.status, &reloaded.body), (200, &json!("done")));
    let good = admin
        .call("POST", "/schema/validate/routes", &route("/a"))
        .await;
    assert_eq!((good.status, &good.body), (200, &json!("")));
    // What it refers to is not looked at.
    let alone = json!({ "uri": "/", "upstream_id": "nowhere" });
    assert_eq!(
        admin
            .call("POST", "/schema/validate/routes", &alone)
            .await
            .status,
        200
    );
    let bad = admin
        .call("POST", "/schema/validate/routes", &json!({ "uri": 7 }))
        .await;
    assert!(bad.status == 400 && bad.error().contains("uri"), "{bad:?}");
    let many = json!({ "routes": [route("/a"), { "id": "r", "uri": 7 }], "upstreams": [] });
    let wrong = admin.call("POST", "/configs/validate", &many).await;
    assert_eq!(
        (wrong.status, wrong.error()),
        (400, "Configuration validation failed")
    );
    let of = &wrong.body["errors"][0];
    assert_eq!(
        (&of["resource_type"], &of["resource_id"], &of["index"]),
        (&json!("routes"), &json!("r"), &json!(1))
    );
    let right = admin
        .call(
            "POST",
            "/configs/validate",
            &json!({ "routes": [route("/a")] }),
        )
        .await;
    assert_eq!((right.status, &right.body), (200, &json!({})));
    assert_eq!(admin.get("/routes").await.body["total"], 0);
}

#[tokio::test]
async fn a_write_that_waits_is_answered_when_every_proxy_has_it() {
    let stage = Stage::set().await;
    let admin = Admin::new(&stage.chancery.url());
    let mock = |body: &str| json!({ "uri": "/hello", "plugins": { "mocking": { "response_example": body } } });
    stage.envoy.answers_with("/", 404).await;
    for round in 0..20 {
        let text = format!("round {round}");
        let written = admin.put("/routes/1?wait=60s", &mock(&text)).await;
        assert!([200, 201].contains(&written.status), "{written:?}");
        // No retry: it is there.
        let answer = stage.envoy.get("/hello").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, text.as_str()));
    }
    let refused = admin.put("/routes/1?wait=later", &mock("x")).await;
    assert!(
        refused.status == 400 && refused.error().starts_with("wait: "),
        "{refused:?}"
    );
    // Nobody is there to confirm it any more.
    stage.envoy.process.pause();
    let written = admin.put("/routes/1?wait=1s", &mock("late")).await;
    assert_eq!(written.status, 202, "{written:?}");
    assert_eq!(written.header("chancery-behind"), "1");
    assert_eq!(written.body["value"]["uri"], "/hello");
    stage.envoy.process.resume();
}
