//! A document that is good, and makes others wrong.

use anyhow::ensure;
use serde_json::json;

use crate::support::admin::Admin;
use crate::support::eventually;
use crate::support::stage::Stage;

#[tokio::test]
async fn what_makes_others_wrong_is_refused_with_the_document_and_the_reason() {
    let stage = Stage::set().await;
    let admin = Admin::new(&stage.chancery.url());
    let put = async |path: &str, document| {
        let answer = admin.put(path, &document).await;
        assert!(answer.status < 300, "{answer:?}");
    };
    let mocking =
        |text: &str| json!({ "mocking": { "response_status": 200, "response_example": text } });
    let upstream = json!({ "nodes": { "127.0.0.1:80": 1 } });
    put("/upstreams/u", upstream.clone()).await;
    put(
        "/services/s",
        json!({ "upstream_id": "u", "plugins": mocking("good") }),
    )
    .await;
    for id in ["one", "two"] {
        put(
            &format!("/routes/{id}"),
            json!({ "uri": format!("/{id}"), "service_id": "s" }),
        )
        .await;
    }
    let serves = async || {
        eventually(async || {
            for path in ["/one", "/two"] {
                let got = stage.envoy.try_get(path).await?;
                ensure!(got.body == "good", "{path}: {got:?}");
            }
            Ok(())
        })
        .await;
    };
    serves().await;

    // Good by itself; but its routes have nowhere to go then.
    let without = json!({ "desc": "no upstream" });
    for path in ["/services/s", "/services/s?dry_run=true"] {
        let refused = admin.put(path, &without).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        let said = refused.body["error_msg"].as_str().unwrap().to_owned();
        for part in [
            "with it `routes/one` would be wrong: ",
            "and 1 more: routes/two",
            "`force=true`",
        ] {
            assert!(said.contains(part), "no {part}: {said}");
        }
    }
    let patched = admin
        .call(
            "PATCH",
            "/services/s",
            &json!({ "upstream_id": null, "plugins": null }),
        )
        .await;
    assert_eq!(patched.status, 400, "{patched:?}");
    assert_eq!(
        admin.get("/services/s").await.body["value"]["upstream_id"],
        "u"
    );
    serves().await;

    // With what these need it is taken; and when it is meant, they keep their last good form.
    let other = json!({ "upstream": upstream, "plugins": mocking("good"), "desc": "its own" });
    put("/services/s?wait=60s", other).await;
    put("/services/s?force=true", without.clone()).await;
    eventually(async || {
        let problems = stage.chancery.admin("v1/problems").await?.body;
        ensure!(
            problems.contains("routes/one") && problems.contains("routes/two"),
            "{problems}"
        );
        Ok(())
    })
    .await;
    serves().await;
    // They are wrong already: what does not make them so is taken.
    put("/services/s", json!({ "desc": "again" })).await;
}
