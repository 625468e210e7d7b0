//! Metadata of plugins by the calls of APISIX's Admin API: what goes by it follows, without a word from its own documents.

use http::Method;
use serde_json::json;

use crate::support::admin::Admin;
use crate::support::stage::{Stage, route_to, settled};

#[tokio::test]
async fn origins_of_all_routes_are_changed_in_one_place() {
    let stage = Stage::set().await;
    let admin = Admin::new(&stage.chancery.url());
    let shop = stage.instance("shop").await;
    let mut route = route_to("/orders", &[&shop]);
    route["plugins"] = json!({ "cors": {
        "allow_origins": "http://own.com", "allow_origins_by_metadata": ["partners"],
    } });
    let put = admin.put("/routes/orders?wait=20s", &route).await;
    assert_eq!(put.status, 201, "{put:?}");
    let allowed = async |origin: &str| {
        let origin = [("origin", origin)];
        let sent = stage.envoy.send(Method::GET, "/orders", &origin).await;
        let answer = sent.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let header = answer.headers.get("access-control-allow-origin").cloned();
        header.map(|header| header.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed("http://a.com").await, None);

    // As APISIX's documentation has it: an id, no times.
    let of = |origins: &str| json!({ "allow_origins": { "partners": origins } });
    let put = admin
        .put("/plugin_metadata/cors?wait=20s", &of("http://a.com"))
        .await;
    assert_eq!(put.status, 201, "{put:?}");
    let value = json!({ "id": "cors", "allow_origins": { "partners": "http://a.com" } });
    assert_eq!(put.body["value"], value);
    assert_eq!(
        allowed("http://a.com").await.as_deref(),
        Some("http://a.com")
    );
    assert_eq!(
        allowed("http://own.com").await.as_deref(),
        Some("http://own.com")
    );
    let read = admin.get("/plugin_metadata/cors").await;
    assert_eq!((read.status, &read.body["value"]), (200, &value));
    assert_eq!(admin.get("/plugin_metadata").await.body["total"], 1);

    // What would be changed is told beforehand.
    let path = "/plugin_metadata/cors?dry_run=true";
    let dry = admin.put(path, &of("http://b.com")).await;
    assert_eq!(dry.status, 200, "{dry:?}");
    assert!(dry.body["envoys"].to_string().contains("routes"), "{dry:?}");
    let put = admin
        .put("/plugin_metadata/cors?wait=20s", &of("http://b.com"))
        .await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(allowed("http://a.com").await, None);
    assert_eq!(
        allowed("http://b.com").await.as_deref(),
        Some("http://b.com")
    );

    for (path, document, said) in [
        (
            "cors",
            json!({ "allow_origins": { "a": "a.com" } }),
            "allow_origins.a\" validation failed: found \"a.com\"",
        ),
        (
            "rocketmq-logger",
            json!({ "log_format": {} }),
            "write `access_log` of the gateway",
        ),
        ("opentelemetry", json!({}), "write `tracing` of the gateway"),
        ("no-such-plugin", json!({}), "the id is a plugin's name"),
    ] {
        let refused = admin
            .put(&format!("/plugin_metadata/{path}"), &document)
            .await;
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
        assert!(refused.error().contains(said), "{path}: {refused:?}");
    }
    for method in ["POST", "PATCH"] {
        let refused = admin
            .call(method, "/plugin_metadata/cors", &json!({}))
            .await;
        assert_eq!(refused.status, 405, "{method}: {refused:?}");
    }
    let about = admin.get("/plugins/cors?schema_type=metadata").await;
    assert!(
        about.body["properties"]["allow_origins"].is_object(),
        "{about:?}"
    );
    assert!(
        about.body["properties"].get("log_format").is_none(),
        "{about:?}"
    );

    assert_eq!(
        admin.delete("/plugin_metadata/cors?wait=20s").await.status,
        200
    );
    assert_eq!(allowed("http://b.com").await, None);
    assert_eq!(admin.get("/plugin_metadata/cors").await.status, 404);
}

#[tokio::test]
async fn headers_of_limits_have_the_names_of_metadata() {
    let stage = Stage::set().await;
    let shop = stage.instance("shop").await;
    let mut route = route_to("/orders", &[&shop]);
    route["plugins"] = json!({ "limit-count": { "count": 1, "time_window": 600 } });
    stage.etcd.put("routes/orders", &route).await;
    let names = json!({ "limit_header": "X-Limit", "remaining_header": "X-Left" });
    stage.etcd.put("plugin_metadata/limit-count", &names).await;
    settled(&stage.etcd, &stage.chancery).await;
    for (status, left) in [(200, "0"), (503, "0")] {
        let answer = stage.envoy.get("/orders").await;
        assert_eq!(answer.status, status, "{answer:?}");
        let header = |name: &str| {
            let value = answer.headers.get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header("x-limit").as_deref(), Some("1"), "{answer:?}");
        assert_eq!(header("x-left").as_deref(), Some(left), "{answer:?}");
        assert!(header("x-ratelimit-reset").is_some(), "{answer:?}");
        for usual in ["x-ratelimit-limit", "x-ratelimit-remaining"] {
            assert_eq!(header(usual), None, "{answer:?}");
        }
    }
}
