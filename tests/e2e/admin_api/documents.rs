//! Documents written, read and deleted, where their ids come from, and writes that wait for proxies.

use serde_json::json;

use super::{Desk, nodes, route};
use crate::support::admin::Admin;
use crate::support::stage::Stage;

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
