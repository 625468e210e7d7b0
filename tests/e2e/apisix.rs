//! S3, a route as APISIX has it, literally: `examples/etcd/routes/echo.json`.

mod documentation;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::chancery::Chancery;
use crate::support::consul::Memory;
use crate::support::envoy::Protocol;
use crate::support::stage::Stage;

fn route() -> Value {
    serde_json::from_str(include_str!("../../examples/etcd/routes/echo.json")).unwrap()
}

#[tokio::test]
async fn the_route_of_apisix_works_as_it_stands_over_delta() {
    the_route_of_apisix_works_as_it_stands(Protocol::Delta).await;
}

#[tokio::test]
async fn the_route_of_apisix_works_as_it_stands_over_sotw() {
    the_route_of_apisix_works_as_it_stands(Protocol::Sotw).await;
}

async fn the_route_of_apisix_works_as_it_stands(protocol: Protocol) {
    let stage = Stage::set_with(protocol, Memory::Forgets).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let versions = [stage.instance("v1").await, stage.instance("v2").await];
    for version in &versions {
        let (name, at) = (&version.name, version.address);
        stage.consul.register("echo", name, at).await;
    }
    etcd.put("routes/echo", &route()).await;
    envoy.answers_by_all("/testecho/", &["v1", "v2"]).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(envoy.get("/testecho/").await.instance().unwrap());
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] != pair[1]),
        "{answers:?}"
    );

    let host = [("host", "shop.example.com")];
    let path = "/testecho/cart/7?page=2&of=3";
    let answer = envoy.send(Method::GET, path, &host).await.unwrap();
    let seen = answer.seen().unwrap();
    assert_eq!(seen["path"], "/cart/7?page=2&of=3");
    assert_eq!(seen["headers"]["host"], "shop.example.com");

    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE",
    ] {
        let request = method.parse().unwrap();
        let answer = envoy.send(request, "/testecho/x", &[]).await.unwrap();
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
    }
    let answer = envoy
        .send("LOCK".parse().unwrap(), "/testecho/x", &[])
        .await;
    assert_ne!(answer.unwrap().status, 200);

    let mut off = route();
    off["status"] = json!(0);
    etcd.put("routes/echo", &off).await;
    let answer = envoy.answers_with("/testecho/", 404).await;
    assert!(answer.body.contains("404 Route Not Found"), "{answer:?}");
    etcd.put("routes/echo", &route()).await;
    envoy.answers_by_all("/testecho/", &["v1", "v2"]).await;
}

/// What `chancery validate` says of the store, by document.
fn validate(etcd: &str, prefix: &str) -> (bool, Value) {
    let at = ["--etcd", etcd, "--etcd-prefix", prefix];
    let output = Chancery::run(&[&["validate", "-o", "json"], &at[..]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    (
        output.status.success(),
        serde_json::from_str(&text).expect(&text),
    )
}

#[tokio::test]
async fn a_store_of_apisix_is_judged_document_by_document() {
    let stage = Stage::set().await;
    let etcd = &stage.etcd;
    etcd.put("routes/echo", &route()).await;
    etcd.put_text("services/", "init_dir").await;
    let (good, verdicts) = validate(&etcd.url(), "/chancery");
    assert!(good, "{verdicts}");
    assert_eq!(verdicts[1]["state"], "warned", "{verdicts}");
    let warning = verdicts[1]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("keepalive_pool.size"), "{warning}");

    let lua = json!({ "uri": "/lua", "filter_func": "function(vars) return true end" });
    etcd.put("routes/lua", &lua).await;
    let (good, verdicts) = validate(&etcd.url(), "/chancery");
    assert!(!good);
    assert_eq!(verdicts[2]["document"], "routes/lua", "{verdicts}");
    let reason = verdicts[2]["reason"].as_str().unwrap();
    assert!(
        reason.contains("filter_func") && reason.contains("Lua"),
        "{reason}"
    );
    let (good, verdicts) = validate(&etcd.url(), "/elsewhere");
    assert!(good && verdicts == json!([]), "{verdicts}");
}

#[tokio::test]
async fn schemas_lie_where_apisix_has_them_and_the_command_prints_the_same() {
    let stage = Stage::set().await;
    let answer = stage
        .chancery
        .admin("apisix/admin/schema/route")
        .await
        .unwrap();
    let published: Value = serde_json::from_str(&answer.body).unwrap();
    let printed = Chancery::run(&["schema", "routes"]).stdout;
    assert_eq!(
        serde_json::from_slice::<Value>(&printed).unwrap(),
        published
    );
    let answer = stage
        .chancery
        .admin("apisix/admin/schema/plugins/redirect")
        .await;
    assert_eq!(answer.unwrap().status, 200);
    let answer = stage
        .chancery
        .admin("apisix/admin/schema/plugins/lua")
        .await
        .unwrap();
    assert!(
        answer.status == 400 && answer.body.contains("not found plugin: lua"),
        "{answer:?}"
    );
}
