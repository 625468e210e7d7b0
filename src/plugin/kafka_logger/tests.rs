use serde_json::json;

use crate::plugin::http_logger::tests::target;
use crate::plugin::tests::{applied, refusal, warned};

#[test]
fn a_route_says_which_topic_its_log_goes_to() {
    let route = applied(json!({"kafka-logger": {
        "brokers": [{"host": "127.0.0.1", "port": 9092}], "kafka_topic": "test2", "key": "key1",
    }}));
    assert_eq!(
        target(&route),
        json!({
            "to": {"kafka": {"brokers": ["127.0.0.1:9092"], "topic": "test2", "key": "key1", "timeout": 3, "refresh": 30}},
            "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
        })
    );
    let sasl = json!({"mechanism": "SCRAM-SHA-512", "user": "me", "password": "planted"});
    let route = applied(json!({"kafka-logger": {
        "brokers": [
            {"host": "a", "port": 1, "sasl_config": sasl}, {"host": "::1", "port": 65535, "sasl_config": sasl},
        ],
        "kafka_topic": "a.b_c-D", "producer_type": "sync", "required_acks": -1, "timeout": 10, "meta_format": "default",
        "meta_refresh_interval": 5, "cluster_name": 1, "producer_batch_num": 1, "producer_batch_size": 0,
        "producer_max_buffering": 1, "producer_time_linger": 1, "batch_max_size": 1, "log_format": {"a": "$uri"},
    }}));
    let target = target(&route);
    assert_eq!(
        target["to"],
        json!({"kafka": {
            "brokers": ["a:1", "[::1]:65535"], "topic": "a.b_c-D", "timeout": 10, "refresh": 5,
            "sasl": {"mechanism": "SCRAM-SHA-512", "user": "me"},
        }})
    );
    assert!(!target.to_string().contains("planted"), "{target}");
}

#[test]
fn the_older_form_of_brokers_is_read_too() {
    let route = applied(json!({"kafka-logger": {
        "broker_list": {"b": 2, "a": 1}, "kafka_topic": "t",
    }}));
    assert_eq!(
        target(&route)["to"]["kafka"]["brokers"],
        json!(["a:1", "b:2"])
    );
}

#[test]
fn what_is_not_read_is_told() {
    let said = warned(
        "kafka-logger",
        json!({
            "brokers": [{"host": "a", "port": 1, "sasl_config": {"user": "me", "password": "planted"}}],
            "kafka_topic": "t", "cluster_name": 2,
        }),
    );
    assert_eq!(
        said,
        [
            "cluster_name: is not used: batches go as the other fields say, and `chancery logs` has a client for each of them",
            "brokers[0].sasl_config.password: is not read, as Envoy would have to know it: `chancery logs` is told what it shows \
             the brokers (--authorization)",
        ]
    );
}

#[test]
fn what_is_refused() {
    let one = r#""brokers":[{"host":"a","port":1}]"#;
    let sasl = r#""sasl_config":{"user":"me","password":"planted"}"#;
    for (more, said) in [
        (r#""kafka_topic":"t""#.to_owned(), "brokers: is missing"),
        (
            r#""kafka_topic":"t","brokers":[]"#.to_owned(),
            "brokers: found none, allowed: at least one broker",
        ),
        (
            r#""kafka_topic":"t","broker_list":{}"#.to_owned(),
            "brokers: found none, allowed: at least one broker",
        ),
        (
            format!(r#""kafka_topic":"t",{one},"broker_list":{{"a":1}}"#),
            "broker_list: found beside `brokers`, allowed: one of them",
        ),
        (
            r#""kafka_topic":"t","broker_list":{"a:1":1}"#.to_owned(),
            r#"broker_list.a:1: found "a:1", allowed: a name or an address, without a port"#,
        ),
        (
            r#""kafka_topic":"t","brokers":[{"host":"a","port":1},{"host":"a","port":1}]"#
                .to_owned(),
            r#"brokers[1]: found "a:1" again, allowed: each once"#,
        ),
        (
            format!(r#""kafka_topic":"a b",{one}"#),
            r#"kafka_topic: found "a b", allowed: letters of ASCII, digits, `.`, `_`, `-`"#,
        ),
        (
            format!(r#""kafka_topic":"..",{one}"#),
            r#"kafka_topic: found "..", allowed: letters of ASCII, digits, `.`, `_`, `-`"#,
        ),
        (
            format!(r#""kafka_topic":"t",{one},"required_acks":0"#),
            "required_acks: found a number, allowed: 1, -1; the brokers are always waited for",
        ),
        (
            format!(r#""kafka_topic":"t",{one},"meta_format":"origin""#),
            "meta_format: found \"origin\", allowed: default, as Envoy tells no request as it came; `log_format` with \
             `$request_method`, `$request_uri` and `$http_NAME` has most of it",
        ),
        (
            format!(
                r#""kafka_topic":"t","brokers":[{{"host":"a","port":1,{sasl}}},{{"host":"b","port":1}}]"#
            ),
            "brokers[1].sasl_config: found another `mechanism` or `user` than `brokers[0]` has, allowed: the same at all brokers",
        ),
        (
            format!(
                r#""kafka_topic":"t","brokers":[{{"host":"a","port":1,{}}}]"#,
                sasl.replace("me", "m e")
            ),
            "brokers[0].sasl_config.user: found an empty text, or one with spaces, allowed: at least one character, and no spaces",
        ),
    ] {
        let configuration = format!("{{{more}}}");
        assert_eq!(
            refusal("kafka-logger", &configuration),
            said,
            "of {configuration}"
        );
    }
    // A password in the wrong place is not told.
    for more in [
        r#""mechanism":"planted","user":"me","password":"a""#,
        r#""user":"me","password":"a","more":"planted""#,
        r#""user":["planted"],"password":"a""#,
    ] {
        let configuration = format!(
            r#"{{"kafka_topic":"t","brokers":[{{"host":"a","port":1,"sasl_config":{{{more}}}}}]}}"#
        );
        let said = refusal("kafka-logger", &configuration);
        assert!(said.starts_with("brokers[0].sasl_config"), "{said}");
        assert!(!said.contains("planted"), "{said}");
    }
}
