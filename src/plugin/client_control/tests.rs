use serde_json::json;

use super::FILTER;
use crate::plugin::tests::{applied, refusal};

#[test]
fn a_bound_of_0_is_none() {
    let bounded = |plugin| {
        let route = applied(json!({"client-control": plugin}));
        route.typed_per_filter_config.contains_key(FILTER)
    };
    assert!(bounded(json!({"max_body_size": 1})));
    assert!(!bounded(json!({"max_body_size": 0})));
    assert!(!bounded(json!({})));
}

#[test]
fn what_is_refused() {
    assert_eq!(
        refusal("client-control", r#"{"max_body_size":"1k"}"#),
        r#"max_body_size: found "1k", allowed: 0–4294967295"#
    );
}
