//! What the dashboard asks for beside what commands do, as any script may: long lists, documents as they count, certificates, and
//! what happens.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::draining::{self, call};
use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::stage::{Stage, gateway};

async fn get(stage: &Stage, path: &str) -> Value {
    let (status, answer) = call(&stage.chancery, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

fn names<'a>(answer: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    let all = answer[list].as_array().unwrap().iter();
    all.map(|one| one[field].as_str().unwrap()).collect()
}

fn mocked(uri: &str) -> Value {
    json!({ "uri": uri, "plugins": { "mocking": { "response_example": uri } } })
}

#[tokio::test]
async fn long_lists_are_searched_sorted_and_told_page_by_page() {
    let stage = Stage::set().await;
    for n in 0..25 {
        let uri = format!("/many/{n}");
        stage
            .etcd
            .put(&format!("routes/many-{n:02}"), &mocked(&uri))
            .await;
    }
    let two = draining::two(&stage).await;
    let page = "v1/documents?kind=routes&sort=-document&page=3&pageSize=10&texts=true";
    eventually(async || {
        let found = get(&stage, page).await;
        ensure!(found["total"] == 26, "{found}");
        let documents = names(&found, "documents", "document");
        ensure!(documents[0] == "routes/many-04", "{documents:?}");
        ensure!(documents.last() == Some(&"routes/echo"), "{documents:?}");
        let echo = &found["documents"][5];
        ensure!(echo["instances"] == 2 && echo["taken"] == 2, "{echo}");
        ensure!(
            echo["text"].as_str().context("text")?.contains("/echo"),
            "{echo}"
        );
        Ok(())
    })
    .await;
    let found = get(&stage, "v1/documents?search=many/7").await;
    assert_eq!(names(&found, "documents", "document"), ["routes/many-07"]);
    let found = get(&stage, "v1/documents?search=consul/echo%20echo").await;
    assert_eq!(names(&found, "documents", "document"), ["routes/echo"]);
    let found = get(&stage, "v1/documents?search=consul/echo%20many").await;
    assert_eq!(found["total"], 0);
    let found = get(
        &stage,
        "v1/services?search=%20b&document=routes/echo&page=1&pageSize=10",
    )
    .await;
    assert_eq!(found["total"], 1);
    let service = &found["services"][0];
    assert_eq!(
        (&service["registered"], &service["taken"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        service["instances"].as_array().unwrap().len(),
        1,
        "{service}"
    );
    assert_eq!(
        service["instances"][0]["address"],
        two[1].address.to_string()
    );
    assert_eq!(
        get(&stage, "v1/services?document=routes/many-01").await["total"],
        0
    );
    let nodes = get(
        &stage,
        "v1/nodes?search=synced%20default&sort=-id&page=1&pageSize=10",
    )
    .await;
    assert_eq!(
        (&nodes["total"], &nodes["nodes"][0]["id"]),
        (&json!(1), &json!("envoy-default"))
    );
    let share = json!({ "gateway": "default", "accepted": 1, "expected": 1 });
    assert_eq!(nodes["gateways"], json!([share]));
    assert_eq!(get(&stage, "v1/nodes?id=other").await["total"], 0);
    for wrong in [
        "nodes?sort=color",
        "documents?pageSize=5",
        "services?page=1",
    ] {
        let path = format!("v1/{wrong}");
        let (status, said) = call(&stage.chancery, Method::GET, &path, None).await;
        assert_eq!(status, 400, "{said}");
        assert!(
            said["message"].as_str().unwrap().contains("allowed"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_document_is_told_as_it_counts_and_certificates_with_who_shows_them() {
    let stage = Stage::set().await;
    let service = json!({ "hosts": ["a.com"], "upstream": { "nodes": { "127.0.0.1:1": 1 } }, "plugins": { "csrf": { "key": "planted" } } });
    stage.etcd.put("services/s", &service).await;
    stage
        .etcd
        .put("routes/a", &json!({ "uri": "/a", "service_id": "s" }))
        .await;
    let rule = json!({ "plugins": { "request-id": {} } });
    stage.etcd.put("global_rules/1", &rule).await;
    eventually(async || {
        let path = "v1/documents/routes%2Fa/effective";
        let (status, told) = call(&stage.chancery, Method::GET, path, None).await;
        ensure!(status == 200, "{told}");
        let text = told["text"].as_str().context("text")?;
        ensure!(
            text.contains("127.0.0.1:1") && !text.contains("planted"),
            "{text}"
        );
        let from = |field: &str| {
            let mut origins = told["origins"].as_array().unwrap().iter();
            origins
                .find(|one| one["field"] == field)
                .map(|one| one["document"].clone())
        };
        ensure!(
            from("global_rules.1") == Some(json!("global_rules/1")),
            "{told}"
        );
        ensure!(from("hosts") == Some(json!("services/s")), "{told}");
        ensure!(told["uses"] == json!(["services/s"]), "{told}");
        Ok(())
    })
    .await;
    let (status, said) = call(
        &stage.chancery,
        Method::GET,
        "v1/documents/routes%2Fnone/effective",
        None,
    )
    .await;
    assert_eq!(status, 404, "{said}");

    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["www.example.com".to_owned()]).unwrap();
    let (cert, key) = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let ssl = json!({ "snis": ["www.example.com"], "cert": cert, "key": key });
    stage.etcd.put("ssls/www", &ssl).await;
    eventually(async || {
        let told = get(&stage, "v1/certificates").await;
        let one = &told["certificates"][0];
        ensure!(
            one["document"] == "ssls/www" && one["state"] == "accepted",
            "{told}"
        );
        ensure!(one["names"] == json!(["www.example.com"]), "{told}");
        ensure!(one["notAfter"].is_string(), "{told}");
        ensure!(one["usedBy"] == json!(["gateways/default"]), "{told}");
        ensure!(!told.to_string().contains("PRIVATE"), "{told}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_written_is_told_though_nothing_is_published_for_it() {
    let stage = Stage::set().await;
    let url = format!("{}/v1/events?kind=written", stage.chancery.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut events = client.get(url).send().await.unwrap();
    let revision = stage
        .etcd
        .write(
            "upstreams/unused",
            &json!({ "nodes": { "127.0.0.1:1": 1 } }),
        )
        .await;
    let told = tokio::time::timeout(Duration::from_secs(5), events.chunk()).await;
    let told = told.expect("an event").unwrap().unwrap();
    let event: Value = serde_json::from_slice(&told).unwrap();
    let written =
        json!({ "revision": revision.to_string(), "documents": ["upstreams/unused"], "count": 1 });
    assert_eq!(event["written"], written, "{event}");
    stage.etcd.put("routes/hello", &mocked("/hello")).await;
    stage.envoy.answers_with("/hello", 200).await;
    let [drained, _] = draining::two(&stage).await;
    draining::drained(&stage.chancery, drained.address).await;
    let mut all = String::new();
    let has_drain = async {
        while !all.contains("drains/") {
            let chunk = events.chunk().await.unwrap().expect("no end");
            all.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(10), has_drain)
        .await
        .expect("the drain's event");
    assert!(
        !all.contains("\"published\":{") && !all.contains("\"answer\":{"),
        "{all}"
    );
    let (status, said) = call(&stage.chancery, Method::GET, "v1/events?kind=odd", None).await;
    assert_eq!(status, 400, "{said}");
}

#[tokio::test]
async fn who_is_late_is_told_with_since_when_and_who_is_concerned() {
    let stage = Stage::set().await;
    let (xds, folder) = (stage.chancery.xds(), stage.folder());
    let listener = (stage.address, 9081).into();
    stage.etcd.put("gateways/edge", &gateway(listener)).await;
    let edge = Envoy::start("edge", Protocol::Delta, xds, listener, folder).await;
    stage.etcd.put("routes/hello", &mocked("/hello")).await;
    stage.envoy.answers_with("/hello", 200).await;
    eventually(async || {
        let nodes = get(&stage, "v1/nodes?search=synced").await;
        ensure!(nodes["total"] == 2, "{nodes}");
        Ok(())
    })
    .await;
    edge.process.pause();
    stage.envoy.process.pause();
    let revision = stage.etcd.write("routes/hello", &mocked("/other")).await;
    let path = format!("v1/wait?revision={revision}&timeout=3s");
    let (status, told) = call(&stage.chancery, Method::GET, &path, None).await;
    assert_eq!(status, 504, "{told}");
    assert_eq!(told["behind"][0]["node"], "envoy-default", "{told}");
    assert!(told["behind"][0]["since"].is_string(), "{told}");
    // The other gateway has no such route: nobody there is waited for.
    let share = json!({ "gateway": "default", "accepted": 0, "expected": 1 });
    assert_eq!(told["gateways"], json!([share]), "{told}");
    let nodes = get(&stage, "v1/nodes?search=behind").await;
    assert_eq!(names(&nodes, "nodes", "id"), ["envoy-default"], "{nodes}");
    assert!(nodes["nodes"][0]["since"].is_string(), "{nodes}");
}

#[tokio::test]
async fn changes_are_found_and_tell_who_has_them_and_how_long_that_took() {
    let stage = Stage::set().await;
    let body = |uri: &str| {
        let text = mocked(uri).to_string();
        json!({ "writes": [{ "document": "routes/hello", "text": text }], "reason": "Release 42" })
    };
    let (status, first) = call(
        &stage.chancery,
        Method::POST,
        "v1/changes",
        Some(body("/hello")),
    )
    .await;
    assert_eq!(status, 200, "{first}");
    stage.envoy.answers_with("/hello", 200).await;
    let (_, second) = call(
        &stage.chancery,
        Method::POST,
        "v1/changes",
        Some(body("/second")),
    )
    .await;
    stage.envoy.answers_with("/second", 200).await;
    let revision = second["revision"].as_str().unwrap();
    eventually(async || {
        let told = get(&stage, &format!("v1/history?revision={revision}")).await;
        let entries = told["entries"].as_array().context("entries")?;
        ensure!(
            entries.len() == 1 && entries[0]["revision"] == revision,
            "{told}"
        );
        let share = json!({ "gateway": "default", "accepted": 1, "expected": 1 });
        ensure!(entries[0]["gateways"] == json!([share]), "{told}");
        ensure!(entries[0]["took"].is_string(), "{told}");
        Ok(())
    })
    .await;
    for (search, count) in [("release", 2), ("release%20hello", 2), ("nobody", 0)] {
        let told = get(
            &stage,
            &format!("v1/history?document=routes/hello&search={search}"),
        )
        .await;
        assert_eq!(
            told["entries"].as_array().unwrap().len(),
            count,
            "{search}: {told}"
        );
    }
}

#[tokio::test]
async fn a_drain_is_prolonged_with_what_it_was_taken_out_with() {
    let (stage, [instance, _other]) = draining::staged().await;
    let listed = json!({ "uri": "/listed", "upstream": { "nodes": [
        { "host": instance.address.ip().to_string(), "port": instance.address.port(), "weight": 1 },
        { "host": "127.0.0.9", "port": 9, "weight": 1 },
    ] } });
    stage.etcd.put("routes/listed", &listed).await;
    stage.envoy.answers_with("/listed", 200).await;
    let mut wish = draining::wish(instance.address);
    wish["ttl"] = json!("12s");
    let (status, drained) = draining::drain(&stage.chancery, wish).await;
    assert_eq!(status, 201, "{drained}");
    let began = std::time::Instant::now();
    let id = &drained["drain"]["id"];
    let prolong = |ttl: &str| json!({ "id": id, "ttl": ttl });
    let (status, said) = call(
        &stage.chancery,
        Method::POST,
        "v1/prolong",
        Some(prolong("10s")),
    )
    .await;
    assert!(
        status == 200
            || said["message"]
                .as_str()
                .unwrap()
                .contains("allowed is more"),
        "{said}"
    );
    let ask = stage
        .chancery
        .ask(&["prolong", id.as_str().unwrap(), "--ttl", "1m"])
        .await;
    assert!(ask.status.success(), "{ask:?}");
    let (_, all) = call(&stage.chancery, Method::GET, "v1/drains", None).await;
    assert_eq!(all["drains"].as_array().unwrap().len(), 2, "{all}");
    tokio::time::sleep(Duration::from_secs(15).saturating_sub(began.elapsed())).await;
    assert_eq!(draining::drains(&stage.chancery).await.len(), 2);
    draining::is_left_out(&stage, &instance.name).await;
    let (status, said) = call(
        &stage.chancery,
        Method::POST,
        "v1/prolong",
        Some(prolong("11s")),
    )
    .await;
    assert_eq!(status, 400, "{said}");
    assert!(
        said["message"]
            .as_str()
            .unwrap()
            .contains("allowed is more"),
        "{said}"
    );
    let none = json!({ "id": "none", "ttl": "1m" });
    let (status, said) = call(&stage.chancery, Method::POST, "v1/prolong", Some(none)).await;
    assert_eq!(status, 404, "{said}");
    let (status, undrained) = draining::undrain(&stage.chancery, &drained).await;
    assert_eq!(
        (status, undrained["drains"].as_array().unwrap().len()),
        (200, 2),
        "{undrained}"
    );
    eventually(async || {
        let audit = get(&stage, "v1/audit").await;
        let mut records = audit["records"].as_array().context("records")?.iter();
        let is_it = |one: &Value| one["action"] == "prolong" && one["result"] == "done";
        ensure!(records.any(is_it), "{audit}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told_as_it_was_sent() {
    let stage = Stage::set().await;
    let (xds, folder) = (stage.chancery.xds(), stage.folder());
    let listener = (stage.address, 9081).into();
    stage.etcd.put("gateways/strict", &gateway(listener)).await;
    let lacks = "envoy.load_balancing_policies/envoy.load_balancing_policies.ring_hash";
    let lacks = ["--disable-extensions", lacks];
    let _strict = Envoy::start_with("strict", Protocol::Delta, xds, listener, folder, &lacks).await;
    let route = |kind: &str| json!({ "uri": "/hash", "gateways": ["strict"], "upstream": { "type": kind, "key": "remote_addr", "nodes": { "127.0.0.1:1": 1 } } });
    // One that was never accepted, and then one that was.
    stage.etcd.put("routes/new", &route("chash")).await;
    eventually(async || {
        let told = get(&stage, "v1/problems?resources=true").await;
        ensure!(told["problems"][0]["document"] == "routes/new", "{told}");
        let sent = told["problems"][0]["refusals"][0]["sent"].as_str();
        let sent: Value =
            serde_json::from_str(sent.context("sent")?).with_context(|| told.to_string())?;
        ensure!(sent["name"] == "route/new", "{sent}");
        ensure!(sent["resource"]["lbPolicy"] == "RING_HASH", "{sent}");
        Ok(())
    })
    .await;
    stage.etcd.delete("routes/new").await;
    stage.etcd.put("routes/hash", &route("roundrobin")).await;
    eventually(async || {
        let told = get(&stage, "v1/documents?document=routes/hash").await;
        ensure!(told["documents"][0]["state"] == "warned", "{told}");
        let nodes = get(&stage, "v1/nodes?search=strict%20synced").await;
        ensure!(nodes["total"] == 1, "{nodes}");
        Ok(())
    })
    .await;
    stage.etcd.put("routes/hash", &route("chash")).await;
    eventually(async || {
        let told = get(&stage, "v1/problems?resources=true").await;
        let refusal = &told["problems"][0]["refusals"][0];
        ensure!(refusal["resource"] == "clusters route/hash", "{told}");
        let sent: Value = serde_json::from_str(refusal["sent"].as_str().context("sent")?)?;
        let type_url = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
        ensure!(sent["resource"]["@type"] == type_url, "{sent}");
        ensure!(sent["resource"]["lbPolicy"] == "RING_HASH", "{sent}");
        Ok(())
    })
    .await;
    let told = get(&stage, "v1/problems").await;
    assert_eq!(told["problems"][0]["refusals"][0]["sent"], "", "{told}");
}
