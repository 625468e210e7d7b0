//! What was changed while no Chancery ran.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{Desk, route};
use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::{eventually, own_address};

/// The entries of the history, newest first, once there are so many.
async fn history(chancery: &Chancery, count: usize) -> Vec<Value> {
    eventually(async || {
        let answer = chancery.admin("v1/history?forms=true&limit=100").await?;
        let history: Value = serde_json::from_str(&answer.body)?;
        let entries = history["entries"].as_array().unwrap().clone();
        ensure!(entries.len() == count, "{history:#}");
        Ok(entries)
    })
    .await
}

fn told(entry: &Value) -> (&str, &str, &str, &str) {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    (
        text("document"),
        text("change"),
        text("revision"),
        text("from"),
    )
}

#[tokio::test]
async fn each_change_that_nobody_watched_is_recorded_once_by_who_starts_next() {
    let mut desk = Desk::set().await;
    // Nothing is recorded of what was there before the first record.
    desk.etcd.write("routes/before", &route("/before")).await;
    desk.admin.put("/routes/1", &route("/a")).await;
    history(&desk.chancery, 2).await;
    desk.chancery.process.stop().await;

    let changed = desk.etcd.write("routes/1", &route("/b")).await;
    let made = desk.etcd.write("routes/2", &route("/c")).await;
    let again = desk.etcd.write("routes/1", &route("/d")).await;
    desk.etcd.delete("routes/2").await;
    desk.etcd.put_text("elsewhere/x", "1").await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = Chancery::serve_etcd(own_address(), &desk.etcd.url(), folder.path());
    desk.chancery.process.start_again();
    other.ready().await;
    desk.chancery.ready().await;
    let entries = history(&other, 6).await;
    let [changed, made, again] = [changed, made, again].map(|revision| revision.to_string());
    let deleted = entries[0]["revision"].as_str().unwrap().to_owned();
    let expected = [
        ("routes/2", "delete", &*deleted, "etcd"),
        ("routes/1", "change", &*again, "etcd"),
        ("routes/2", "create", &*made, "etcd"),
        ("routes/1", "change", &*changed, "etcd"),
    ];
    assert_eq!(
        entries.iter().take(4).map(told).collect::<Vec<_>>(),
        expected
    );
    let before: Value = serde_json::from_str(entries[1]["before"].as_str().unwrap()).unwrap();
    assert_eq!(before["uri"], "/b");
    for entry in entries.iter().take(4) {
        let reason = entry["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("found as etcd was listed anew"),
            "{reason}"
        );
    }

    // What etcd has compacted is summed up; and that once.
    other.process.stop().await;
    desk.chancery.process.stop().await;
    desk.etcd.write("routes/1", &route("/e")).await;
    let last = desk.etcd.write("routes/1", &route("/f")).await;
    let new = desk.etcd.write("routes/3", &route("/g")).await;
    desk.etcd.delete("routes/before").await;
    desk.etcd.compact().await;
    desk.chancery.process.start_again();
    desk.chancery.ready().await;
    let entries = history(&desk.chancery, 9).await;
    let mut summed: Vec<_> = entries
        .iter()
        .filter(|entry| entry["reason"].as_str().unwrap().starts_with("sums up"))
        .map(|entry| {
            let said = entry["reason"].as_str().unwrap();
            assert!(
                said.ends_with("etcd was compacted while no Chancery watched"),
                "{said}"
            );
            let (document, change, revision, from) = told(entry);
            (document, change, revision.parse::<i64>().unwrap(), from)
        })
        .collect();
    summed.sort_by_key(|(document, ..)| *document);
    assert_eq!(
        (summed[0], summed[2]),
        (
            ("routes/1", "change", last, "etcd"),
            ("routes/before", "delete", summed[2].2, "etcd")
        )
    );
    assert_eq!((summed[1].0, summed[1].2), ("routes/3", new));
    other.process.start_again();
    other.ready().await;
    desk.chancery.process.stop().await;
    desk.chancery.process.start_again();
    desk.chancery.ready().await;
    let admin = Admin::new(&other.url());
    admin.put("/routes/4", &route("/h")).await;
    history(&desk.chancery, 10).await;

    // The way back knows what it does not know.
    let back = json!({ "to": (last - 1).to_string(), "documents": ["routes/1"] });
    let (status, answer) = super::history::post(&desk.chancery, "rollback", &back).await;
    assert_eq!(status, 400, "{answer}");
    let said = answer["message"].as_str().unwrap();
    assert!(said.contains("etcd was compacted"), "{said}");
}
