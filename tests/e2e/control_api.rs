//! The control API and the commands that use it, on one Chancery and one Envoy.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::stage::Stage;

async fn read(stage: &Stage, path: &str) -> (u16, Value) {
    let answer = stage.chancery.admin(path).await.unwrap();
    let body = serde_json::from_str(&answer.body).context(answer.body);
    (answer.status, body.unwrap())
}

fn route(body: &str) -> Value {
    json!({ "uri": "/hello", "plugins": { "mocking": { "response_example": body } } })
}

#[tokio::test]
async fn nodes_and_snapshots_are_shown_by_command_and_by_url() {
    let stage = Stage::set().await;
    stage.etcd.put("routes/hello", &route("hello")).await;
    stage.envoy.answers_with("/hello", 200).await;
    eventually(async || {
        let (_, nodes) = read(&stage, "v1/nodes").await;
        ensure!(nodes["nodes"][0]["synced"] == true, "{nodes}");
        Ok(())
    })
    .await;
    let output = stage.chancery.ask(&["nodes"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("envoy-default"),
        "{text}"
    );
    assert!(
        text.contains("envoy 1.") && text.contains("delta"),
        "{text}"
    );

    let (status, snapshot) = read(&stage, "v1/snapshots/default?type=routes").await;
    assert_eq!(status, 200);
    let table = &snapshot["sets"][0]["resources"][0]["resource"];
    let type_url = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
    assert_eq!(table["@type"], type_url);
    assert_eq!(table["virtualHosts"][0]["domains"], json!(["*"]));
    let output = stage
        .chancery
        .ask(&["snapshot", "default", "--type", "routes", "-o", "json"]);
    let by_command: Value = serde_json::from_slice(&output.await.stdout).unwrap();
    assert_eq!(by_command, snapshot);
    let text = String::from_utf8(stage.chancery.ask(&["snapshot"]).await.stdout).unwrap();
    assert!(text.contains("1 listeners"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let stage = Stage::set().await;
    for (path, status, code, words) in [
        ("v1/snapshots/other", 404, 5, "there are: default"),
        (
            "v1/snapshots/default?type=cluster",
            400,
            3,
            "allowed: clusters",
        ),
        (
            "v1/snapshots/default?name=nothing",
            404,
            5,
            "no such resource",
        ),
        ("v1/audit?gateway=default", 400, 3, "allowed: limit"),
        ("v1/wait", 400, 3, "revision"),
        ("v1/wait?revision=1&timeout=1h", 400, 3, "timeout"),
        ("v1/wait?revision=1&timeout=601s", 400, 3, "timeout"),
        ("v1/elsewhere", 404, 5, "no such path"),
    ] {
        let (found, body) = read(&stage, path).await;
        assert_eq!(
            (found, &body["code"]),
            (status, &json!(code)),
            "{path}: {body}"
        );
        assert!(
            body["message"].as_str().unwrap().contains(words),
            "{path}: {body}"
        );
    }
    let code = async |arguments: &[&str]| stage.chancery.ask(arguments).await.status.code();
    assert_eq!(
        code(&["snapshot", "default", "--type", "cluster"]).await,
        Some(2)
    );
    assert_eq!(code(&["snapshot", "other"]).await, Some(1));
    assert_eq!(code(&["wait", "--revision", "0"]).await, Some(2));
}

#[tokio::test]
async fn what_happens_is_told_as_it_happens() {
    let stage = Stage::set().await;
    let url = format!("{}/v1/events", stage.chancery.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut events = client.get(url).send().await.unwrap();
    let revision = stage.etcd.write("routes/hello", &route("hello")).await;
    let mut told = String::new();
    // What others write meanwhile may be in the same snapshot.
    let has_it = |of: &Value| {
        let reached = of["revision"].as_str().and_then(|text| text.parse().ok());
        reached.is_some_and(|reached: i64| reached >= revision)
    };
    let is_accepted = |event: &Value| {
        let answer = &event["answer"];
        answer["type"] == "routes" && has_it(answer) && answer["error"] == ""
    };
    let all = async {
        loop {
            let (lines, _) = told.rsplit_once('\n').unwrap_or_default();
            let lines = lines
                .lines()
                .map(|line| serde_json::from_str(line).unwrap());
            let lines: Vec<Value> = lines.collect();
            if lines.iter().any(is_accepted) {
                return lines;
            }
            let chunk = events.chunk().await.unwrap().expect("no end");
            told.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    let lines = tokio::time::timeout(crate::support::PATIENCE, all).await;
    let lines = lines.expect("an ACK of the route");
    let accepted = lines.iter().position(is_accepted).unwrap();
    assert_eq!(lines[accepted]["answer"]["node"], "envoy-default");
    let published = lines.iter().position(|event| has_it(&event["published"]));
    assert!(published.unwrap() < accepted, "{lines:?}");
    let changes = &lines[published.unwrap()]["published"]["changes"];
    assert_eq!(changes[0]["type"], "routes", "{changes}");
}

#[tokio::test]
async fn problems_are_listed_until_they_are_mended() {
    let stage = Stage::set().await;
    let none = stage.chancery.ask(&["problems"]).await;
    assert_eq!(none.status.code(), Some(0), "{none:?}");
    let bad = json!({ "uri": "/hello", "plugins": { "mockery": {} } });
    let revision = stage.etcd.write("routes/hello", &bad).await;
    let regex = json!({ "regex_uri": ["(?<name>a)\\1", "/b"] });
    let other = json!({ "uri": "/other", "plugins": { "proxy-rewrite": regex } });
    stage.etcd.put("routes/other", &other).await;
    let problems = eventually(async || {
        let (_, problems) = read(&stage, "v1/problems").await;
        let count = problems["problems"].as_array().map(Vec::len);
        ensure!(count == Some(2), "{problems}");
        Ok(problems)
    })
    .await;
    let problem = &problems["problems"][0];
    assert_eq!(problem["document"], "routes/hello");
    assert_eq!(problem["kind"], "rejected");
    assert_eq!(problem["revision"], revision.to_string());
    let text = stage.chancery.ask(&["problems"]).await;
    assert_eq!(text.status.code(), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("mockery") && text.contains("routes/other"),
        "{text}"
    );

    stage.etcd.put("routes/hello", &route("hello")).await;
    stage.etcd.delete("routes/other").await;
    eventually(async || {
        let output = stage.chancery.ask(&["problems"]).await;
        ensure!(output.status.code() == Some(0), "{output:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_route_table_that_hurts_is_a_warning_until_it_is_small_again() {
    let stage = Stage::set().await;
    let body = "a".repeat(1_000_000);
    let large = json!({ "response_status": 200, "response_example": body });
    for n in 0..4 {
        let document = json!({ "uri": format!("/{n}"), "plugins": { "mocking": large } });
        stage.etcd.put(&format!("routes/{n}"), &document).await;
    }
    let text = eventually(async || {
        let told = stage.chancery.ask(&["problems"]).await;
        // All documents are in force.
        ensure!(told.status.code() == Some(0), "{told:?}");
        let text = String::from_utf8(told.stdout)?;
        // It is told from the third on.
        ensure!(text.contains("4.0 MB"), "{text}");
        Ok(text)
    })
    .await;
    for part in ["gateways/default", "large", "{mode: divided}"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let (_, problems) = read(&stage, "v1/problems").await;
    assert_eq!(problems["problems"][0]["warning"], true, "{problems}");
    let line = "a gateway's route table is so large that each change hurts";
    assert_eq!(stage.chancery.log_of(line).len(), 1);

    for n in 0..2 {
        stage.etcd.delete(&format!("routes/{n}")).await;
    }
    eventually(async || {
        let (_, problems) = read(&stage, "v1/problems").await;
        ensure!(
            problems["problems"].as_array().is_some_and(Vec::is_empty),
            "{problems}"
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_document_tells_what_became_of_it() {
    let stage = Stage::set().await;
    let upstream = json!({ "nodes": { "127.0.0.1:1": 1 }, "keepalive_pool": { "size": 10 } });
    let warned = json!({ "uri": "/warned", "upstream": upstream });
    let off = json!({ "uri": "/off", "status": 0, "upstream_id": "none" });
    for (id, text) in [
        ("accepted", &route("hello")),
        ("turned-bad", &route("hello")),
        ("warned", &warned),
        ("off", &off),
    ] {
        stage.etcd.put(&format!("routes/{id}"), text).await;
    }
    let good = stage.etcd.write("routes/turned-bad", &route("good")).await;
    stage.envoy.answers_with("/hello", 200).await;
    let bad = json!({ "uri": "/hello", "no_such": 1 });
    stage.etcd.put("routes/turned-bad", &bad).await;
    eventually(async || {
        let (_, listed) = read(&stage, "v1/documents").await;
        let documents = listed["documents"].as_array().context("documents")?;
        let states = documents.iter().map(|document| {
            let field = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
            (field("document"), field("state"))
        });
        let states: Vec<_> = states.collect();
        let expected = [
            ("gateways/default", "accepted"),
            ("routes/accepted", "accepted"),
            ("routes/off", "off"),
            ("routes/turned-bad", "rejected"),
            ("routes/warned", "warned"),
        ];
        let expected = expected.map(|(id, state)| (id.to_owned(), state.to_owned()));
        ensure!(states == expected, "{states:?}");
        Ok(())
    })
    .await;
    let (_, rejected) = read(&stage, "v1/documents?state=rejected").await;
    let document = &rejected["documents"][0];
    assert_eq!(document["holds"], json!(good.to_string()), "{rejected}");
    assert!(document["reason"].as_str().unwrap().contains("no_such"));
    let output = stage
        .chancery
        .ask(&["documents", "--state", "warned"])
        .await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("keepalive_pool.size"), "{text}");
    let (status, answer) = read(&stage, "v1/documents?state=odd").await;
    assert_eq!(status, 400, "{answer}");
}
