use serde_json::json;

use crate::plugin::contract::CountedBy;
use crate::plugin::tests::{read, refusal};

#[test]
fn routes_are_counted_under_their_ids_or_names() {
    let counted = |configuration| {
        let plugins = read(json!({"prometheus": configuration}));
        plugins.unwrap().counted_by()
    };
    assert_eq!(counted(json!({})), Some(CountedBy::Id));
    assert_eq!(counted(json!({"prefer_name": true})), Some(CountedBy::Name));
    let off = json!({"_meta": {"disable": true}});
    assert_eq!(counted(off), None);
}

#[test]
fn what_is_refused() {
    assert_eq!(
        refusal("prometheus", r#"{"prefer_name":1}"#),
        "prefer_name: found 1, allowed: true, false"
    );
}
