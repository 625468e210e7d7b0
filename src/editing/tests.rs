//! Documents that are encrypted where they lie, as who writes them has them.

use serde_json::{Value, json};

use super::*;

fn held(path: &str, text: &str) -> Held {
    Held {
        path: path.into(),
        text: text.to_owned().into(),
        created: 1,
        modified: 1,
    }
}

#[test]
fn a_document_is_shown_as_it_was_written_before_it_was_encrypted() {
    let keyring = Keyring::new(&["edd1c9f0985e76a2".to_owned()]).unwrap();
    let clear = json!({ "username": "jack", "plugins": { "key-auth": { "key": "auth-one" } } });
    let stored = keyring.sealed(Kind::Consumer, clear.as_object().unwrap().clone());
    assert!(
        stored.contains("RjeV6km+KxQJN2rfu8Y7aA==") && !stored.contains("auth-one"),
        "{stored}"
    );
    let shown = |keyring: &Keyring, path: &str, text: &str| {
        let text = opened(keyring, held(path, text)).text;
        serde_json::from_slice::<Value>(&text).unwrap_or_default()
    };
    assert_eq!(shown(&keyring, "consumers/jack", &stored), clear);
    let none = Keyring::default();
    assert_eq!(shown(&none, "consumers/jack", &stored).to_string(), stored);
    // What is in the clear, and what is no document, stays byte for byte as it is.
    for (path, text) in [
        (
            "consumers/jack",
            "{ \"plugins\": {\"key-auth\": {\"key\":\"auth-one\"}} }",
        ),
        ("consumers/jack", "RjeV6km+KxQJN2rfu8Y7aA=="),
        ("routes/a", "{ \"desc\": \"RjeV6km+KxQJN2rfu8Y7aA==\" }"),
        ("nowhere", &stored),
    ] {
        assert_eq!(opened(&keyring, held(path, text)), held(path, text));
    }
}
