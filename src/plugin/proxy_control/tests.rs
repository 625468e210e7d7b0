use serde_json::json;

use crate::plugin::tests::warned;

#[test]
fn only_what_envoy_does_not_do_is_told() {
    assert!(warned("proxy-control", json!({"request_buffering": false})).is_empty());
    assert_eq!(
        warned("proxy-control", json!({})),
        ["request_buffering: true has no effect: Envoy passes bodies on as they come"]
    );
}
