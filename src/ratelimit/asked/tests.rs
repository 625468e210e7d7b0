use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;

use super::*;

fn descriptor(entries: &[(&str, &str)]) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    };
    RateLimitDescriptor {
        entries: entries.iter().map(entry).collect(),
        ..RateLimitDescriptor::default()
    }
}

fn question(buckets: &[&str]) -> RateLimitRequest {
    let descriptors = buckets.iter();
    let descriptors = descriptors.map(|bucket| descriptor(&[("bucket", bucket), ("key", "k")]));
    RateLimitRequest {
        domain: "chancery.limit.redis".to_owned(),
        descriptors: descriptors.collect(),
        hits_addend: 0,
    }
}

#[test]
fn only_what_the_filter_that_asks_is_for_is_counted() {
    let asked = limits(&question(&[
        "chancery.limit.redis fixed 5/60 a:6379/0 told=",
        "chancery.limit.redis.open fixed 5/60 a:6379/0",
        "global/chancery.limit.redis fixed 5/60 a:6379/0",
        "chancery.limit-count 2 2/60000000000ns",
    ]));
    let texts: Vec<_> = asked
        .unwrap()
        .iter()
        .map(|one| one.limit.to_string())
        .collect();
    assert_eq!(texts, ["fixed 5/60 a:6379/0 told="]);
}

#[test]
fn what_is_no_question_is_refused() {
    let unknown = limits(&question(&["chancery.limit.redis squeezed 5/60 a:6379/0"]));
    assert_eq!(
        unknown.unwrap_err(),
        r#""squeezed 5/60 a:6379/0": no limit that this version knows"#
    );
    let many = ["chancery.limit.redis fixed 5/60 a:6379/0"; 17];
    assert_eq!(
        limits(&question(&many)).unwrap_err(),
        "found 17 descriptors, allowed: at most 16"
    );
    let other = RateLimitRequest {
        descriptors: vec![descriptor(&[("bucket", "b")])],
        ..question(&[])
    };
    assert_eq!(
        limits(&other).unwrap_err(),
        r#"a descriptor has no "bucket" or no "key""#
    );
}

#[test]
fn the_first_limit_that_is_reached_is_the_answer() {
    let asked = |text: &str| Asked {
        limit: text.parse().unwrap(),
        key: "k".into(),
    };
    let mut answer = Answer::default();
    let counted = |passes, left, millis| Counted {
        passes,
        left,
        millis,
    };
    assert!(answer.add(&asked("fixed 5/60 a:1/0 told="), counted(true, 4, 59_001)));
    assert!(!answer.add(&asked("sliding 2/1 a:1/0 told=1"), counted(false, 0, 900)));
    let response = answer.response("chancery.limit.redis");
    assert_eq!(response.dynamic_metadata, None);
    assert_eq!(response.overall_code, i32::from(Code::OverLimit));
    let headers = response.response_headers_to_add.iter();
    let headers: Vec<_> = headers
        .map(|one| format!("{}: {}", one.key, one.value))
        .collect();
    assert_eq!(
        headers,
        [
            "X-RateLimit-Limit: 5",
            "X-RateLimit-Remaining: 4",
            "X-RateLimit-Reset: 60",
            "X-1-RateLimit-Limit: 2",
            "X-1-RateLimit-Remaining: 0",
            "X-1-RateLimit-Reset: 1",
        ]
    );
    let nothing = Answer::default().response("");
    assert_eq!(nothing.overall_code, i32::from(Code::Ok));
}

#[test]
fn of_limits_with_the_same_headers_the_last_is_told() {
    let asked = |text: &str| Asked {
        limit: text.parse().unwrap(),
        key: "k".into(),
    };
    let counted = |passes| Counted {
        passes,
        left: 0,
        millis: 0,
    };
    let limits = |limits: &[(&str, bool)]| {
        let mut answer = Answer::default();
        for (text, passes) in limits {
            answer.add(&asked(text), counted(*passes));
        }
        let headers = answer.response("d").response_headers_to_add.into_iter();
        let limits = headers.filter(|one| one.key.ends_with("-Limit"));
        limits.map(|one| one.value).collect::<Vec<_>>()
    };
    let (first, last) = ("fixed 5/60 a:1/0 told=", "fixed 3/60 a:1/0 told=");
    assert_eq!(limits(&[(first, true), (last, true)]), ["3"]);
    assert_eq!(limits(&[("fixed 5/60 a:1/0 beyond=", true)]), [""; 0]);
    assert_eq!(limits(&[("fixed 5/60 a:1/0 beyond=", false)]), ["5"]);
}

#[test]
fn what_is_told_when_a_request_begins_is_said_when_it_has_ended() {
    let flight = |own| Flight {
        redis: "a:1/0".to_owned(),
        own,
        key: "chancery:flying:route/x|1.2.3.4 5".to_owned(),
    };
    let flights = vec![flight(7), flight(u64::MAX)];
    let answer = Answer {
        flights: flights.clone(),
        ..Answer::default()
    };
    let told = answer.response("global/chancery.limit.redis");
    let told = told.dynamic_metadata.unwrap();
    let said = match &told.fields["global/chancery.limit.redis"].kind {
        Some(Kind::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    let at_the_end = RateLimitRequest {
        descriptors: vec![descriptor(&[("ended", &said)])],
        ..question(&[])
    };
    assert_eq!(ended(&at_the_end).unwrap(), flights);
    assert_eq!(limits(&at_the_end).unwrap(), []);
    for wrong in ["a:1/0", "a:1/0 7", "a:1/0 x chancery:flying:k"] {
        let wrong = RateLimitRequest {
            descriptors: vec![descriptor(&[("ended", wrong)])],
            ..question(&[])
        };
        assert!(ended(&wrong).is_err());
    }
}
