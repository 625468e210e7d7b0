//! Bad documents: each costs one error that says where, what was found and what is allowed, and nothing else. Its last
//! good form stays in force.

use anyhow::ensure;
use serde_json::json;

use crate::support::eventually;
use crate::support::stage::{Stage, route_to};

const REJECTED: &str = "chancery_documents_rejected";

/// A bad form of `routes/hello`; the field that its error must name; what else it must tell: what was found, what is
/// allowed.
type Bad = (&'static str, &'static str, &'static [&'static str]);

const BAD: &[Bad] = &[
    // Not JSON, not a document.
    (r#"{ "uri": "/hello", "#, "", &["JSON", "line 1"]),
    (r#""just text""#, "", &["found a text", "object"]),
    // Unknown fields.
    (
        r#"{ "uri": "/hello", "upstraem": {} }"#,
        "upstraem",
        &["unknown field", "upstream", "service_id"],
    ),
    (
        r#"{ "uri": "/hello", "upstream": { "nodes": { "127.0.0.1:1": 1 }, "typ": "chash" } }"#,
        "upstream.typ",
        &["unknown field", "type", "scheme"],
    ),
    // Wrong types and values.
    (
        r#"{ "uri": "/hello", "priority": "high", "upstream": { "nodes": { "127.0.0.1:1": 1 } } }"#,
        "priority",
        &["high", "2147483647"],
    ),
    (
        r#"{ "uri": "/hello", "upstream": { "nodes": { "127.0.0.1:99999": 1 } } }"#,
        "upstream.nodes",
        &["99999", "65535"],
    ),
    // A reference to nothing.
    (
        r#"{ "uri": "/hello", "upstream_id": "nobody" }"#,
        "upstream_id",
        &["nobody"],
    ),
    // Two kinds of upstream, and none.
    (
        r#"{ "uri": "/hello", "upstream_id": "a", "upstream": { "nodes": { "127.0.0.1:1": 1 } } }"#,
        "upstream_id",
        &["upstream", "one of the two"],
    ),
    (r#"{ "uri": "/hello" }"#, "", &["upstream"]),
    // A plugin that is not there.
    (
        r#"{ "uri": "/hello", "plugins": { "of-our-own": {} }, "upstream_id": "a" }"#,
        "plugins",
        &["of-our-own", "proxy-rewrite", "redirect", "mocking"],
    ),
    // One that Envoy has nothing for.
    (
        r#"{ "uri": "/hello", "plugins": { "serverless-pre-function": {} }, "upstream_id": "a" }"#,
        "plugins.serverless-pre-function",
        &["Lua", "forward-auth"],
    ),
];

#[tokio::test]
async fn a_bad_document_hurts_only_itself() {
    let stage = Stage::set().await;
    let (etcd, envoy, chancery) = (&stage.etcd, &stage.envoy, &stage.chancery);
    let blue = stage.instance("blue").await;
    let green = stage.instance("green").await;
    let good = route_to("/hello", &[&blue]);
    etcd.put("routes/hello", &good).await;
    envoy.answers_by("/hello", "blue").await;
    assert_eq!(chancery.metric(REJECTED).await.unwrap(), 0.0);

    for (number, (bad, field, words)) in BAD.iter().enumerate() {
        let seen = chancery.log().len();
        etcd.put_text("routes/hello", bad).await;
        let line = chancery.logs(seen, "document rejected").await;
        assert_eq!(line.field("level"), "WARN", "{line:?}");
        assert_eq!(line.field("document"), "/chancery/routes/hello");
        assert!(line.field("field").contains(field), "{line:?}");
        let problem = line.field("problem");
        for word in *words {
            assert!(problem.contains(word), "no {word:?} in: {problem}");
        }
        rejected(&stage, 1.0).await;

        // What is written next to it goes through, and the old form still answers.
        let uri = format!("/next/{number}");
        let other = route_to(&uri, &[&green]);
        etcd.put("routes/next", &other).await;
        envoy.answers_by(&uri, "green").await;
        let answer = envoy.get("/hello").await;
        assert_eq!(answer.instance().unwrap(), "blue", "after {bad}");
    }
    etcd.put("routes/hello", &route_to("/hello", &[&green]))
        .await;
    envoy.answers_by("/hello", "green").await;
    rejected(&stage, 0.0).await;
}

#[tokio::test]
async fn the_last_good_form_is_found_again_after_a_restart() {
    let mut stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    let good = route_to("/hello", &[&blue]);
    stage.etcd.put("routes/hello", &good).await;
    stage.envoy.answers_by("/hello", "blue").await;
    stage.etcd.put("routes/hello", &json!({ "uri": 7 })).await;
    rejected(&stage, 1.0).await;

    stage.chancery.process.kill();
    stage.chancery.process.start_again();
    stage.chancery.ready().await;
    stage
        .etcd
        .put("routes/next", &route_to("/next", &[&blue]))
        .await;
    stage.envoy.answers_by("/next", "blue").await;
    stage.envoy.answers_by("/hello", "blue").await;
    rejected(&stage, 1.0).await;
}

/// Waits until that many documents are rejected.
async fn rejected(stage: &Stage, count: f64) {
    eventually(async || {
        let rejected = stage.chancery.metric(REJECTED).await?;
        ensure!(rejected == count, "{rejected} documents are rejected");
        Ok(())
    })
    .await;
}
