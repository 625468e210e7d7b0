use super::*;
use crate::logs::entry::Proxy;
use crate::logs::entry::tests::{target, told};
use crate::model::log_target::{Clickhouse, Elasticsearch, Kafka, Tcp, Udp};

fn http(lines: bool) -> To {
    To::Http {
        uri: "http://a".to_owned(),
        timeout: 1,
        verify: false,
        lines,
    }
}

fn tcp() -> Tcp {
    Tcp {
        host: "a".to_owned(),
        port: 1,
        millis: 1,
        tls: None,
    }
}

fn udp() -> Udp {
    Udp {
        host: "a".to_owned(),
        port: 1,
        millis: 1,
    }
}

fn together(to: &To, entries: &[&str], most: u32) -> String {
    let entries: Vec<_> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    let batch = batch(to, &entries, most);
    assert_eq!(batch.large, 0);
    let [piece] = &batch.pieces[..] else {
        panic!("not one piece: {batch:?}");
    };
    String::from_utf8(piece.to_vec()).unwrap()
}

#[test]
fn a_post_has_an_object_an_array_or_lines() {
    for (lines, entries, most, body) in [
        (false, &[r#"{"a":1}"#][..], 1, r#"{"a":1}"#),
        (true, &[r#"{"a":1}"#], 1, r#"{"a":1}"#),
        (false, &[r#"{"a":1}"#], 2, r#"[{"a":1}]"#),
        (true, &[r#"{"a":1}"#], 2, r#"{"a":1}"#),
        (false, &["1", "2"], 2, "[1,2]"),
        (true, &["1", "2"], 2, "1\n2"),
    ] {
        assert_eq!(together(&http(lines), entries, most), body);
    }
}

#[test]
fn a_connection_has_an_object_or_an_array_and_no_line_end() {
    let to = To::Tcp(tcp());
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), r#"{"a":1}"#);
    assert_eq!(together(&to, &["1", "2"], 1000), "[1,2]");
}

#[test]
fn a_datagram_has_no_more_than_it_can() {
    let to = To::Udp(udp());
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), r#"{"a":1}"#);
    assert_eq!(together(&to, &["1", "2"], 1000), "[1,2]");
    let most = "a".repeat(65_507);
    assert_eq!(together(&to, &[&most], 1), most);
    for (entries, most) in [
        (vec![format!("{most}a")], 1),
        (vec![most, String::new()], 2),
    ] {
        let large = entries.len();
        let lost = Batch {
            pieces: Vec::new(),
            large,
        };
        assert_eq!(batch(&to, &entries, most), lost);
    }
}

#[test]
fn syslog_has_messages_of_rfc_5424() {
    let mut target = target(Some(&[("at", "$uri")]));
    target.to = To::Syslog(Transport::Tcp(tcp()));
    let (asked, proxy) = (told("route/echo"), Proxy::default());
    let mut asked = Entry::read(&asked, &proxy);
    assert_eq!(
        entry(&asked, &target, 7),
        "<46>1 2020-09-23T23:09:05.262Z www.example.com apisix 7 - - \
         {\"at\":\"/a%20b\",\"route_id\":\"echo\",\"service_id\":\"s\"}\n"
    );
    // What is no name cannot begin another message.
    for host in ["a b", "a\n<46>1", "gr\u{fc}", "", &"a".repeat(256)] {
        let authority = ":authority".to_owned();
        asked.request.insert(authority, vec![host.to_owned()]);
        let said = entry(&asked, &target, 7);
        assert!(said.contains("Z - apisix 7 - - {"), "{said}");
        assert_eq!(said.matches('\n').count(), 1, "{said}");
    }
}

#[test]
fn a_moment_that_is_none_is_written_too() {
    let mut target = target(None);
    target.to = To::Syslog(Transport::Tcp(tcp()));
    let mut asked = told("route/echo");
    let common = asked.common_properties.as_mut().unwrap();
    common.start_time.as_mut().unwrap().seconds = i64::MAX;
    common.duration.as_mut().unwrap().seconds = i64::MAX;
    let said = entry(&Entry::read(&asked, &Proxy::default()), &target, 7);
    assert!(
        said.starts_with("<46>1 9999-12-31T23:59:59.000Z "),
        "{said}"
    );
}

#[test]
fn messages_of_syslog_are_lines_on_a_connection_and_datagrams_of_their_own() {
    let lines = To::Syslog(Transport::Tcp(tcp()));
    assert_eq!(together(&lines, &["a\n", "b\n"], 1000), "a\nb\n");
    let datagrams = To::Syslog(Transport::Udp(udp()));
    let large = "a".repeat(65_508);
    let entries = ["a\n", &large, "b\n"].map(ToOwned::to_owned);
    let both = Batch {
        pieces: vec!["a\n".into(), "b\n".into()],
        large: 1,
    };
    assert_eq!(batch(&datagrams, &entries, 1000), both);
}

#[test]
fn elasticsearch_gets_an_action_and_an_entry_on_a_line_each() {
    let to = To::Elasticsearch(Elasticsearch {
        uris: vec!["http://a/_bulk".to_owned()],
        index: "a\"b".to_owned(),
        timeout: 1,
        verify: false,
    });
    let action = r#"{"create":{"_index":"a\"b"}}"#;
    assert_eq!(
        together(&to, &[r#"{"a":1}"#], 1),
        format!("{action}\n{{\"a\":1}}\n")
    );
    assert_eq!(
        together(&to, &["1", "2"], 1000),
        format!("{action}\n1\n{action}\n2\n")
    );
}

#[test]
fn clickhouse_gets_rows() {
    let to = To::Clickhouse(Clickhouse {
        uris: vec!["http://a".to_owned()],
        user: "u".to_owned(),
        database: "d".to_owned(),
        table: "t".to_owned(),
        timeout: 1,
        verify: false,
    });
    let rows = r#"INSERT INTO t FORMAT JSONEachRow {"a":1}"#;
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), rows);
    assert_eq!(
        together(&to, &["1", "2"], 1000),
        "INSERT INTO t FORMAT JSONEachRow 1 2"
    );
}

#[test]
fn a_message_of_kafka_has_a_batch_unless_that_is_more_than_brokers_take() {
    let to = To::Kafka(Kafka {
        brokers: vec!["a:9092".to_owned()],
        topic: "t".to_owned(),
        key: None,
        timeout: 1,
        refresh: 1,
        sasl: None,
    });
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), r#"{"a":1}"#);
    assert_eq!(together(&to, &[r#"{"a":1}"#], 2), r#"[{"a":1}]"#);
    assert_eq!(together(&to, &["1", "2"], 1000), "[1,2]");
    let (third, large) = ("a".repeat(400_000), "b".repeat(1_000_001));
    let entries = [&third, &third, &third, &large, &third].map(ToOwned::to_owned);
    let batch = batch(&to, &entries, 1000);
    assert_eq!(batch.large, 0);
    let expected = [
        format!("[{third},{third}]"),
        format!("[{third}]"),
        format!("[{large}]"),
        format!("[{third}]"),
    ];
    assert!(
        batch.pieces == expected.map(Bytes::from),
        "{}",
        batch.pieces.len()
    );
    // As large as may be, to the byte.
    let half = "a".repeat(499_998);
    let most = [half.clone(), format!("{half}a")];
    assert_eq!(
        messages(&most, 2)
            .iter()
            .map(Bytes::len)
            .collect::<Vec<_>>(),
        [1_000_000]
    );
    let more = [half.clone(), format!("{half}aa")];
    assert_eq!(messages(&more, 2).len(), 2);
}

#[test]
fn loki_gets_entries_by_their_labels() {
    let mut target = target(Some(&[("at", "$uri")]));
    let labels = [
        ("job", "apisix"),
        ("host", "$host"),
        ("none", "$cookie_none"),
    ];
    let labels = labels.map(|(name, text)| (name.to_owned(), text.to_owned()));
    target.to = To::Loki(Loki {
        uris: vec!["http://a".to_owned()],
        tenant: "fake".to_owned(),
        labels: labels.into(),
        millis: 1,
        verify: false,
    });
    let proxy = Proxy::default();
    let waiting = |route, host: &str| {
        let asked = told(route);
        let mut asked = Entry::read(&asked, &proxy);
        asked
            .request
            .insert(":authority".to_owned(), vec![host.to_owned()]);
        entry(&asked, &target, 7)
    };
    let entries = [
        waiting("route/echo", "b.com"),
        waiting("route/chancery.no-route", "a.com"),
        waiting("route/echo", "b.com"),
    ];
    let entries: Vec<_> = entries.iter().map(String::as_str).collect();
    let body: Value = serde_json::from_str(&together(&target.to, &entries, 1000)).unwrap();
    let value = |route: &str| {
        let entry = format!(r#"{{"at":"/a%20b","route_id":"{route}","service_id":"s"}}"#);
        json!(["1600902545250000000", entry])
    };
    let stream = |host: &str| json!({"host": host, "job": "apisix", "none": ""});
    assert_eq!(
        body,
        json!({"streams": [
            {"stream": stream("a.com"), "values": [value("no-matched")]},
            {"stream": stream("b.com"), "values": [value("echo"), value("echo")]},
        ]})
    );
}
