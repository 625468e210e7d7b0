//! What became of documents, and the way back.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Desk, nodes, route};
use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::stage::Stage;
use crate::support::{eventually, http, own_address};

async fn read(chancery: &Chancery, path: &str) -> Value {
    let url = format!("{}/v1/{path}", chancery.url());
    let answer = http::client().get(url).send().await.unwrap();
    answer.json().await.unwrap()
}

pub async fn post(chancery: &Chancery, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/v1/{path}", chancery.url());
    let post = http::client().post(url).body(body.to_string());
    let answer = post.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn revision(answer: &crate::support::admin::Answered) -> i64 {
    answer.header("x-chancery-revision").parse().unwrap()
}

#[tokio::test]
async fn every_change_has_one_record_whoever_made_it() {
    let desk = Desk::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = Chancery::serve_etcd(own_address(), &desk.etcd.url(), folder.path());
    other.ready().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let made = desk
        .admin
        .send(
            "PUT",
            "/routes/1",
            &[("traceparent", trace)],
            route("/a").to_string(),
        )
        .await
        .unwrap();
    let changed = desk.etcd.write("routes/1", &route("/b")).await;
    let deleted = revision(&desk.admin.delete("/routes/1").await);
    desk.etcd.write("routes/2", &route("/c")).await;
    desk.etcd.delete("routes/2").await;

    let entries = eventually(async || {
        let history = read(&other, "history?forms=true").await;
        let entries = history["entries"].as_array().unwrap().clone();
        ensure!(entries.len() == 5, "{history}");
        Ok(entries)
    })
    .await;
    let of_first: Vec<_> = entries
        .iter()
        .filter(|entry| entry["document"] == "routes/1")
        .collect();
    let said = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let told: Vec<_> = of_first
        .iter()
        .map(|entry| {
            (
                said(entry, "revision"),
                said(entry, "change"),
                said(entry, "from"),
            )
        })
        .collect();
    let etcd = "etcd".to_owned();
    let from_here = |from: &str| from.starts_with("127.");
    assert_eq!(told[0].0, deleted.to_string());
    assert_eq!(
        (told[1].0.clone(), told[1].2.clone()),
        (changed.to_string(), etcd)
    );
    assert_eq!(told[2].0, revision(&made).to_string());
    assert!(from_here(&told[0].2) && from_here(&told[2].2), "{told:?}");
    let changes: Vec<_> = told.iter().map(|(_, change, _)| change.as_str()).collect();
    assert_eq!(changes, ["delete", "change", "create"]);
    assert_eq!(of_first[2]["trace"], trace);
    let before: Value = serde_json::from_str(&said(of_first[0], "before")).unwrap();
    assert_eq!(before["uri"], "/b");

    // Nothing is recorded twice, also by who comes later.
    let history = read(&desk.chancery, "history?document=routes/2").await;
    assert_eq!(history["entries"].as_array().unwrap().len(), 2, "{history}");
    let output = desk.chancery.ask(&["history", "routes/1", "--patch"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "- uri: /a",
        "+ uri: /b",
        "change routes/1",
        "create routes/1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn the_way_back_is_open_though_etcd_was_compacted() {
    let stage = Stage::set().await;
    let admin = Admin::new(&stage.chancery.url());
    let answers = |text: &str| {
        let mocking = json!({ "response_status": 200, "response_example": text });
        json!({ "uri": "/hello", "plugins": { "mocking": mocking } })
    };
    let served = async |text: &str| {
        eventually(async || {
            let got = stage.envoy.try_get("/hello").await?;
            ensure!(got.body == text, "{got:?}");
            Ok(())
        })
        .await;
    };
    let good = admin.put("/routes/hello?wait=60s", &answers("good")).await;
    assert_eq!(good.status, 201, "{good:?}");
    served("good").await;
    stage.etcd.write("routes/hello", &answers("bad")).await;
    served("bad").await;
    admin.delete("/routes/hello").await;
    let last = admin.put("/routes/other", &answers("other")).await;
    eventually(async || {
        let history = read(&stage.chancery, "history").await;
        let count = history["entries"].as_array().map(Vec::len);
        ensure!(count == Some(4), "{history}");
        Ok(())
    })
    .await;
    stage.etcd.compact().await;

    let to = revision(&good).to_string();
    let look = stage
        .chancery
        .ask(&["rollback", "--to", &to, "--dry-run"])
        .await;
    let text = String::from_utf8(look.stdout).unwrap();
    assert_eq!(look.status.code(), Some(2), "{text}");
    assert!(
        text.contains("create routes/hello") && text.contains("delete routes/other"),
        "{text}"
    );
    let back = [
        "rollback",
        "--to",
        &to,
        "--yes",
        "--wait",
        "60s",
        "--reason",
        "it was good",
    ];
    let done = stage.chancery.ask(&back).await;
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    served("good").await;
    assert_eq!(admin.get("/routes/other").await.status, 404);
    let again = stage
        .chancery
        .ask(&["rollback", "--to", &to, "--yes"])
        .await;
    assert_eq!(again.status.code(), Some(0), "{again:?}");

    // It is a change as any other.
    let history = read(&stage.chancery, "history?document=routes/other").await;
    let entry = &history["entries"][0];
    assert_eq!(
        (&entry["action"], &entry["reason"]),
        (&json!("rollback"), &json!("it was good"))
    );
    let change = entry["revision"].as_str().unwrap();
    let undo = json!({ "change": change, "wait": "60s" });
    let (status, undone) = post(&stage.chancery, "rollback", &undo).await;
    assert_eq!(status, 200, "{undone}");
    assert_eq!(undone["waited"]["confirmed"], true, "{undone}");
    assert_eq!(admin.get("/routes/other").await.status, 200);
    assert_eq!(admin.get("/routes/hello").await.status, 404);
    let diff = read(&stage.chancery, &format!("diff?from={}", revision(&last))).await;
    assert_eq!(diff["documents"], json!([]), "{diff}");
    let diff = read(&stage.chancery, &format!("diff?from={to}")).await;
    let changed: Vec<_> = diff["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["document"])
        .collect();
    assert_eq!(changed, ["routes/hello", "routes/other"]);
    let envoys = &diff["envoys"][0];
    assert_eq!(
        (&envoys["gateway"], &envoys["types"][0]["type"]),
        (&json!("default"), &json!("routes")),
        "{diff}"
    );
}

#[tokio::test]
async fn a_way_back_that_would_dangle_or_is_not_known_is_refused() {
    let desk = Desk::set().await;
    let admin = &desk.admin;
    let back = async |body: Value| {
        let (status, answer) = post(&desk.chancery, "rollback", &body).await;
        (
            status,
            answer["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let upstream = revision(&admin.put("/upstreams/u", &nodes()).await);
    let named = json!({ "uri": "/a", "upstream_id": "u" });
    let used = revision(&admin.put("/routes/r", &named).await);
    let (status, said) = back(json!({ "change": upstream.to_string() })).await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("route [r] is still using it now"), "{said}");
    admin.delete("/routes/r").await;
    admin.delete("/upstreams/u").await;
    let only = json!({ "to": used.to_string(), "documents": ["routes/r"] });
    let (status, said) = back(only).await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("upstream id [u]"), "{said}");
    for (body, part) in [
        (json!({}), "allowed is one of them"),
        (
            json!({ "to": "1", "change": "2" }),
            "allowed is one of them",
        ),
        (json!({ "to": "1000000" }), "still to come"),
        (
            json!({ "change": used.to_string() }),
            "was changed again by revision",
        ),
        (json!({ "to": "1", "documents": ["nothing"] }), "documents:"),
    ] {
        let (status, said) = back(body.clone()).await;
        assert!(
            status == 400 && said.contains(part),
            "{body}: {status} {said}"
        );
    }
    let whole = json!({ "to": used.to_string() });
    let (status, said) = back(whole).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(
        admin.get("/routes/r").await.body["value"]["upstream_id"],
        "u"
    );
}

#[tokio::test]
async fn secrets_are_in_no_record_and_come_back_while_etcd_has_them() {
    const PLANTED: &str = "a-planted-secret";
    let desk = Desk::set().await;
    let consumer = json!({ "username": "jack", "plugins": { "key-auth": { "key": PLANTED } } });
    let made = revision(&desk.admin.put("/consumers/jack", &consumer).await);
    let credential = json!({ "plugins": { "key-auth": { "key": format!("{PLANTED}-2") } } });
    desk.admin
        .put("/consumers/jack/credentials/c", &credential)
        .await;
    let there = revision(&desk.admin.put("/routes/r", &route("/r")).await);
    let gone = revision(&desk.admin.delete("/consumers/jack").await);
    let history = read(&desk.chancery, "history?forms=true").await.to_string();
    assert!(
        history.contains("consumers/jack/credentials/c") && !history.contains(PLANTED),
        "{history}"
    );
    for text in desk.etcd.texts("history/").await {
        assert!(!text.contains(PLANTED), "{text}");
    }
    let diff = read(&desk.chancery, &format!("diff?from={made}"))
        .await
        .to_string();
    assert!(
        diff.contains("consumers/jack") && !diff.contains(PLANTED),
        "{diff}"
    );

    // The credentials went with the consumer, and come with it.
    let (status, done) = post(
        &desk.chancery,
        "rollback",
        &json!({ "change": gone.to_string() }),
    )
    .await;
    assert_eq!(status, 200, "{done}");
    assert!(!done.to_string().contains(PLANTED), "{done}");
    let back = desk.etcd.texts("consumers/").await;
    assert_eq!(
        back.iter().filter(|text| text.contains(PLANTED)).count(),
        2,
        "{back:?}"
    );
    let again = revision(&desk.admin.delete("/consumers/jack").await);
    desk.etcd.compact().await;
    let (status, said) = post(
        &desk.chancery,
        "rollback",
        &json!({ "change": again.to_string() }),
    )
    .await;
    assert_eq!(status, 400, "{said}");
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("it held secrets"),
        "{said}"
    );
    let (status, said) = post(
        &desk.chancery,
        "rollback",
        &json!({ "to": (there - 1).to_string(), "documents": ["routes/r"] }),
    )
    .await;
    assert_eq!(status, 200, "{said}");
}

#[tokio::test]
async fn a_hundred_changes_of_a_document_are_kept() {
    let desk = Desk::set().await;
    for n in 0..110 {
        let uri = format!("/{n}");
        assert!(desk.admin.put("/routes/1", &route(&uri)).await.status < 300);
    }
    eventually(async || {
        let records = desk.etcd.texts("history/routes/1/").await;
        ensure!(records.len() == 100, "{}", records.len());
        Ok(())
    })
    .await;
    let history = read(
        &desk.chancery,
        "history?document=routes/1&limit=1000&forms=true",
    )
    .await;
    let entries = history["entries"].as_array().unwrap();
    assert!(
        entries[0]["before"].as_str().unwrap().contains("/108"),
        "{}",
        entries[0]
    );
}

#[tokio::test]
async fn what_a_change_would_do_to_envoy_is_told_before_it_is_made() {
    let stage = Stage::set().await;
    let admin = Admin::new(&stage.chancery.url());
    let before = stage.etcd.texts("").await.len();
    let would = admin.put("/routes/new?dry_run=true", &route("/new")).await;
    let envoys = &would.body["envoys"];
    assert_eq!((would.status, envoys.as_array().unwrap().len()), (200, 1));
    assert_eq!(envoys[0]["gateway"], "default");
    let cohort = envoys[0]["cohort"].as_str().unwrap();
    assert!(cohort.starts_with("envoy 1."), "{envoys}");
    assert_eq!(envoys[0]["touches_listener"], false);
    let clusters = &envoys[0]["types"][0];
    assert_eq!(
        (&clusters["type"], &clusters["added"]),
        (&json!("clusters"), &json!(["route/new"]))
    );
    let listener =
        json!({ "name": "http", "address": "127.0.0.1", "port": 19_999, "protocol": "http" });
    let gateway = json!({ "listeners": [listener] });
    let would = admin.put("/gateways/default?dry_run=true", &gateway).await;
    assert_eq!(
        would.body["envoys"][0]["touches_listener"], true,
        "{would:?}"
    );
    assert_eq!(stage.etcd.texts("").await.len(), before);
    let mut twice = route("/new");
    admin.put("/routes/old?wait=60s", &twice).await;
    twice["priority"] = json!(1);
    let would = admin.put("/routes/new?dry_run=true", &twice).await;
    assert_eq!(
        would.body["envoys"][0]["shadowed"],
        json!([{ "route": "old", "by": "new" }])
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.json");
    let documents = json!({ "routes": [{ "id": "a", "uri": "/a", "upstream": nodes() }] });
    std::fs::write(&file, documents.to_string()).unwrap();
    let path = file.display().to_string();
    let output = stage
        .chancery
        .ask(&["apply", "-f", &path, "--dry-run"])
        .await;
    let said = String::from_utf8(output.stderr).unwrap();
    let told = format!("gateway default ({cohort}): clusters +1, endpoints +1, routes ~1");
    assert!(said.contains(&told), "{said}");
}
