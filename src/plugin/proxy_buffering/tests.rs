use serde_json::json;

use crate::plugin::tests::warned;

#[test]
fn only_what_envoy_does_not_do_is_told() {
    assert!(warned("proxy-buffering", json!({"disable_proxy_buffering": true})).is_empty());
    assert_eq!(
        warned("proxy-buffering", json!({})),
        ["disable_proxy_buffering: false has no effect: Envoy passes answers on as they come"]
    );
}
