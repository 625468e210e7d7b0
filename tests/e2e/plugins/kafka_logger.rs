//! What became of requests, handed on by `chancery logs` to brokers of Kafka's protocol. What all loggers have in common is in
//! `http_logger`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::loggers::{logged, paths, says_what_is_lost};
use crate::support::eventually;
use crate::support::kafka::{Kafka, Message};
use crate::support::logs;
use crate::support::sockets::entries;
use crate::support::stage::{Stage, settled};

/// The entries of messages.
fn told(messages: &[Message]) -> Vec<Value> {
    let values: Vec<_> = messages.iter().map(|one| one.value.clone()).collect();
    entries(&values)
}

#[tokio::test]
async fn a_batch_is_a_message_of_a_topic() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let kafka = Kafka::start(stage.address, stage.folder()).await;
    kafka.tell("create?topic=shop&partitions=3").await;
    let mut logs = logs::logging(&stage, &[]).await;
    let to =
        |topic: &str| json!({ "brokers": kafka.brokers(), "kafka_topic": topic, "timeout": 30 });
    let mut keyed = to("shop");
    keyed["key"] = json!("key1");
    let [first, second] = kafka.addresses() else {
        panic!("not two brokers");
    };
    let older = json!({ "broker_list": { first.ip().to_string(): first.port() }, "kafka_topic": "made", "timeout": 30 });
    let mut acknowledged = to("round");
    acknowledged["required_acks"] = json!(-1);
    acknowledged["producer_type"] = json!("sync");
    for (name, own, most) in [
        ("single", to("single"), 1),
        ("pair", to("pair"), 2),
        ("keyed", keyed, 1),
        ("older", older, 1),
        ("round", acknowledged, 1),
    ] {
        let route = logged(&format!("/{name}/*"), &blue, "kafka-logger", own, most);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    assert_ne!(first, second);

    // Brokers make what they do not have.
    assert_eq!(envoy.get("/single/a").await.status, 200);
    let came = kafka.has("single", 4, 1).await;
    let host = envoy.listener();
    let entry = format!(r#"{{"at":"/single/a","host":"{host}","route_id":"single"}}"#);
    assert_eq!(came[0].value, entry);
    assert_eq!(came[0].key, None);
    assert_eq!(envoy.get("/older/a").await.status, 200);
    assert_eq!(
        paths(&told(&kafka.has("made", 4, 1).await)),
        BTreeSet::from(["/older/a"])
    );

    for path in ["/pair/a", "/pair/b"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    let came = kafka.has("pair", 4, 1).await;
    let both: Vec<Value> = serde_json::from_str(&came[0].value).unwrap();
    assert_eq!(paths(&both), BTreeSet::from(["/pair/a", "/pair/b"]));

    // Of a key there is one partition: that of its CRC-32, 0x2c5c6450, among three.
    for path in ["/keyed/a", "/keyed/b", "/keyed/c"] {
        assert_eq!(envoy.get(path).await.status, 200);
    }
    let came = kafka.has("shop", 3, 3).await;
    for message in &came {
        assert_eq!(message.key.as_deref(), Some("key1"));
        assert_eq!(message.partition, 1, "{came:?}");
    }
    // Without one, all of them in turn.
    kafka.tell("create?topic=round&partitions=4").await;
    for number in 0..4 {
        assert_eq!(envoy.get(&format!("/round/{number}")).await.status, 200);
    }
    let came = kafka.has("round", 4, 4).await;
    let partitions: BTreeSet<_> = came.iter().map(|message| message.partition).collect();
    assert_eq!(partitions, BTreeSet::from([0, 1, 2, 3]));
    logs.counted("sent_total", 11).await;
    logs.counted("failures_total", 0).await;
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    assert!(!output.contains("rskafka"), "{output}");
}

#[tokio::test]
async fn nothing_is_lost_in_silence_while_brokers_are_away() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let kafka = Kafka::start(stage.address, stage.folder()).await;
    kafka.tell("create?topic=shop&partitions=2").await;
    for (partition, broker) in [(0, 1), (1, 2)] {
        kafka
            .tell(&format!(
                "lead?topic=shop&partition={partition}&broker={broker}"
            ))
            .await;
    }
    let mut logs = logs::logging(&stage, &[]).await;
    let to = |retries: u32| {
        json!({
            "brokers": kafka.brokers(), "kafka_topic": "shop", "timeout": 10, "max_retry_count": retries, "retry_delay": 0,
        })
    };
    // What has this key is in partition 0.
    let mut keyed = to(1_000_000);
    keyed["key"] = json!("key1");
    for (name, own) in [
        ("patient", to(1_000_000)),
        ("keyed", keyed),
        ("hasty", to(0)),
    ] {
        let route = logged(&format!("/{name}/*"), &blue, "kafka-logger", own, 1);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    let mut sent = BTreeSet::new();
    let mut ask = async |path: &str| {
        assert_eq!(envoy.get(path).await.status, 200);
        sent.insert(path.to_owned());
        sent.len()
    };
    for path in ["/patient/1", "/patient/2"] {
        ask(path).await;
    }
    kafka.has("shop", 2, 2).await;

    // One of the two: what may go elsewhere does, and what is for it waits until another leads.
    kafka.tell("down?broker=1").await;
    for path in ["/patient/3", "/patient/4", "/keyed/5"] {
        ask(path).await;
    }
    logs.counted("sent_total", 4).await;
    logs.counted("waiting", 1).await;
    kafka.tell("lead?topic=shop&partition=0&broker=2").await;
    kafka.has("shop", 2, 5).await;
    logs.counted("waiting", 0).await;

    // Both of them, and they return.
    kafka.tell("down?broker=2").await;
    for path in ["/patient/6", "/keyed/7"] {
        ask(path).await;
    }
    assert_eq!(envoy.get("/hasty/a").await.status, 200);
    logs.counted(r#"lost_total{reason="refused"}"#, 1).await;
    logs.counted("waiting", 2).await;
    assert!(logs.metric("chancery_logs_failures_total").await.unwrap() > 1);
    for broker in [1, 2] {
        kafka.tell(&format!("up?broker={broker}")).await;
    }
    kafka.has("shop", 2, 7).await;
    logs.counted("waiting", 0).await;

    // The topic itself, which is made again by the next message.
    kafka.tell("delete?topic=shop").await;
    ask("/patient/8").await;
    let all = ask("/keyed/9").await;
    let came = kafka.has("shop", 4, 2).await;
    assert_eq!(
        paths(&told(&came)),
        BTreeSet::from(["/patient/8", "/keyed/9"])
    );
    logs.counted("sent_total", all.try_into().unwrap()).await;

    let to = format!("kafka://{}/shop", kafka.addresses()[0]);
    says_what_is_lost(&mut logs, &to).await;
}

#[tokio::test]
async fn a_password_is_for_chancery_logs_alone() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let mut kafka = Kafka::start(stage.address, stage.folder()).await;
    kafka.tell("create?topic=shop&partitions=1").await;
    kafka.gate("shop", "planted").await;
    let broker = kafka.addresses()[1];
    let lines = format!("kafka://shop@{broker} planted\nkafka://other@{broker} planted\n");
    let file = stage.folder().join("authorizations");
    fs::write(&file, lines).unwrap();
    let mut logs = logs::logging(&stage, &["--authorization", file.to_str().unwrap()]).await;
    let users = [
        ("plain", Some("PLAIN"), "shop"),
        ("shorter", Some("SCRAM-SHA-256"), "shop"),
        ("longer", Some("SCRAM-SHA-512"), "shop"),
        ("other", Some("PLAIN"), "other"),
        ("proven", Some("SCRAM-SHA-256"), "other"),
        ("unknown", Some("PLAIN"), "unknown"),
        ("nobody", None, ""),
    ];
    for (name, mechanism, user) in users {
        let mut brokers = kafka.brokers();
        for broker in brokers.as_array_mut().unwrap() {
            if let Some(mechanism) = mechanism {
                broker["sasl_config"] =
                    json!({ "mechanism": mechanism, "user": user, "password": "written" });
            }
        }
        let own = json!({ "brokers": brokers, "kafka_topic": "shop", "timeout": 20 });
        let route = logged(&format!("/{name}"), &blue, "kafka-logger", own, 1);
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    let dump = envoy.dump().await.unwrap();
    for secret in ["planted", "written"] {
        assert!(!dump.contains(secret), "the proxy knows a secret");
    }
    for (name, ..) in users {
        assert_eq!(envoy.get(&format!("/{name}")).await.status, 200);
    }
    // Nobody comes as nobody in the place of a user whose password is not known.
    logs.counted(r#"lost_total{reason="refused"}"#, 4).await;
    let came = told(&kafka.has("shop", 1, 3).await);
    assert_eq!(
        paths(&came),
        BTreeSet::from(["/plain", "/shorter", "/longer"])
    );
    assert!(logs.process.stop().await.success());
    let output = logs.process.output();
    for said in [
        "SaslAuthenticationFailed",
        "no password of this user is known (--authorization)",
    ] {
        assert!(output.contains(said), "{said}: {output}");
    }
    for secret in ["planted", "written"] {
        assert!(!output.contains(secret), "{output}");
    }
}

#[tokio::test]
async fn what_brokers_would_not_take_at_once_comes_in_several_messages() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let kafka = Kafka::start(stage.address, stage.folder()).await;
    let logs = logs::logging(&stage, &[]).await;
    let own = json!({ "brokers": kafka.brokers(), "kafka_topic": "large", "timeout": 30 });
    let mut large = logged("/large", &blue, "kafka-logger", own, 80);
    let long = "a".repeat(7000);
    let fields = (0..2).map(|number| (format!("f{number}"), json!(long)));
    large["plugins"]["kafka-logger"]["log_format"] = Value::Object(fields.collect());
    large["plugins"]["kafka-logger"]["inactive_timeout"] = json!(60);
    etcd.put("routes/large", &large).await;
    settled(etcd, &stage.chancery).await;
    for _ in 0..80 {
        assert_eq!(envoy.get("/large").await.status, 200);
    }
    let came = eventually(async || {
        let came = kafka.messages("large", 4).await?;
        anyhow::ensure!(told(&came).len() == 80, "{}", came.len());
        Ok(came)
    })
    .await;
    assert_eq!(came.len(), 2);
    assert!(came.iter().all(|message| message.value.len() <= 1_000_000));
    logs.counted("sent_total", 80).await;
    logs.counted("failures_total", 0).await;
}
