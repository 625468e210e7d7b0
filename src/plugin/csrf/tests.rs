use serde_json::json;

use crate::plugin::tests::warned;

#[test]
fn what_differs_is_told_without_the_key() {
    let said = warned("csrf", json!({"key": "very-secret", "expires": 60}));
    assert!(said[0].contains("no tokens"), "{said:?}");
    assert!(!said[0].contains("very-secret"), "{said:?}");
}
