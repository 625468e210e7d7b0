use serde_json::json;

use crate::plugin::tests::{applied, counted, limits, read, refusal, warned};

/// What filters know the limits of a configuration by.
fn names(plugin: &str, configuration: serde_json::Value) -> Vec<String> {
    let headers = counted(&applied(json!({ plugin: configuration })), plugin);
    let is_one = |name: &str| {
        let slot = name.strip_prefix("x-chancery-limit-");
        slot.is_some_and(|slot| slot.parse::<u8>().is_ok())
    };
    let of_limits = headers.into_iter().filter(|(name, _)| is_one(name));
    of_limits.map(|(_, value)| value).collect()
}

#[test]
fn routes_carry_the_limit_to_whoever_counts_and_no_filter_counts_it() {
    let fixed = json!({
        "count": 5, "time_window": 60, "policy": "redis", "redis_host": "redis.internal",
        "redis_password": "planted",
    });
    assert_eq!(
        names("limit-count", fixed.clone()),
        ["chancery.limit.redis fixed 5/60 redis.internal:6379/0 told="]
    );
    let plugins = read(json!({ "limit-count": fixed.clone() })).unwrap();
    assert!(limits(&plugins).is_empty(), "{:?}", limits(&plugins));
    let place = plugins.helped().next().map(|(_, field)| field);
    assert_eq!(place.as_deref(), Some("plugins.limit-count.policy"));
    let route = applied(json!({ "limit-count": fixed }));
    let filters: Vec<_> = route.typed_per_filter_config.keys().collect();
    assert!(
        filters.iter().any(|name| *name == "chancery.limit.redis"),
        "{filters:?}"
    );
    assert!(!format!("{route:?}").contains("planted"));
    let sliding = json!({
        "count": 5, "time_window": 60, "window_type": "sliding", "show_limit_quota_header": false,
        "policy": "redis-cluster", "redis_cluster_name": "limits", "redis_cluster_nodes": [],
        "allow_degradation": true,
    });
    assert_eq!(
        names("limit-count", sliding),
        ["chancery.limit.redis.open sliding 5/60 cluster:limits"]
    );
    let leaky = json!({
        "rate": 1.5, "burst": 3, "key": "remote_addr", "policy": "redis", "redis_host": "fd00::1",
        "redis_port": 6380, "redis_database": 2,
    });
    assert_eq!(
        names("limit-req", leaky),
        ["chancery.limit.redis leaky 1500/3 [fd00::1]:6380/2"]
    );
}

#[test]
fn what_the_service_is_told_by_others_is_said() {
    let of = |field: &str, value: serde_json::Value| {
        let mut configuration = json!({
            "rate": 1, "burst": 0, "key": "remote_addr", "policy": "redis", "redis_host": "a",
        });
        configuration[field] = value;
        warned("limit-req", configuration)
    };
    assert!(of("redis_port", json!(1)).is_empty());
    let said = of("redis_password", json!("planted"));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("redis_password: is not read"), "{said:?}");
    assert!(!said[0].contains("planted"));
}

#[test]
fn what_is_refused() {
    let table = [
        (r#""policy":"redis""#, "`redis_host` is missing"),
        (
            r#""policy":"redis-cluster""#,
            "`redis_cluster_name` is missing",
        ),
        (
            r#""policy":"redis-cluster","redis_cluster_name":"a""#,
            "`redis_cluster_nodes` is missing",
        ),
        (
            r#""policy":"memcached""#,
            r#"policy: found a text, allowed: local, redis, redis-cluster"#,
        ),
        (
            r#""redis_host":"a""#,
            "redis_host: found, allowed: with `policy: redis` or `redis-cluster` only",
        ),
        (
            r#""policy":"redis","redis_host":"a b""#,
            r#"redis_host: found "a b", allowed: letters, digits, `-`, `_`, `.`, `:`"#,
        ),
    ];
    for (fields, said) in table {
        let configuration = format!(r#"{{"rate":1,"burst":1,"key":"remote_addr",{fields}}}"#);
        assert_eq!(refusal("limit-req", &configuration), said, "of {fields}");
    }
    let sliding = r#"{"count":1,"time_window":1,"window_type":"sliding"}"#;
    assert_eq!(
        refusal("limit-count", sliding),
        r#"window_type: found "sliding", allowed: with `policy: redis` or `redis-cluster` only"#
    );
    let prefix = r#"{"policy":"redis","redis_host":"a","rules":[{"count":1,"time_window":1,"key":"$uri","header_prefix":"a b"}]}"#;
    assert_eq!(
        refusal("limit-count", prefix),
        r#"rules[0].header_prefix: found "a b", allowed: letters, digits, `-`, `_`"#
    );
}
