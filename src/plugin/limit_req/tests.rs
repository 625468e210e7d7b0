use std::time::Duration;

use serde_json::json;

use super::Rate;
use crate::plugin::tests::{applied, counted, limits, read, refusal, warned};

#[test]
fn a_burst_comes_on_top_of_the_first_request() {
    let limit = json!({"limit-req": {
        "rate": 0.5, "burst": 2, "key": "remote_addr", "nodelay": true,
    }});
    let read = read(limit.clone()).unwrap();
    let buckets: Vec<_> = limits(&read);
    assert_eq!(buckets, ["chancery.limit-req 3 1/2000000000ns"]);
    let headers = counted(&applied(limit), "limit-req");
    let expected = ("x-chancery-limit-status".to_owned(), "503".to_owned());
    assert!(headers.contains(&expected), "{headers:?}");
    let expected = ("x-chancery-limit-1".to_owned(), buckets[0].clone());
    assert!(headers.contains(&expected), "{headers:?}");
}

#[test]
fn rates_are_whole_tokens_in_a_second_or_more() {
    for (rate, tokens, millis) in [
        (1.0, 1, 1000),
        (100.0, 100, 1000),
        (1.5, 2, 1333),
        (0.001, 1, 1_000_000),
    ] {
        let (found, interval) = Rate(rate).refill();
        assert_eq!(found, tokens, "of {rate}");
        let off = interval.abs_diff(Duration::from_millis(millis));
        assert!(off < Duration::from_millis(1), "{interval:?} of {rate}");
    }
}

#[test]
fn only_a_delay_is_told() {
    let told = |configuration| warned("limit-req", configuration).len();
    assert_eq!(
        told(json!({"rate": 1, "burst": 0, "key": "remote_addr"})),
        1
    );
    assert_eq!(
        told(json!({"rate": 1, "burst": 1, "key": "remote_addr"})),
        2
    );
    assert_eq!(
        told(json!({"rate": 1, "burst": 1, "key": "remote_addr", "nodelay": true})),
        1
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (r#"{"rate":1,"burst":1}"#, "`key` is missing"),
        (
            r#"{"rate":0,"burst":1,"key":"remote_addr"}"#,
            "rate: found 0, allowed: 0.001–1000000",
        ),
        (
            r#"{"rate":1,"burst":0.5,"key":"remote_addr"}"#,
            "burst: found 0.5, allowed: 0–4294967295",
        ),
        (
            r#"{"rate":1,"burst":1,"key":"a","key_type":"constant"}"#,
            "key_type: found \"constant\", allowed: var, var_combination",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("limit-req", configuration),
            said,
            "of {configuration}"
        );
    }
}
