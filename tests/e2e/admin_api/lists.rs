//! Lists, and what is told of plugins and schemas.

use serde_json::json;

use super::{Desk, nodes, route};

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
