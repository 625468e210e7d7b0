//! Documents for callers who may read but not write: what may be secret in them is not shown, and what stands in its place
//! is never written back.

use serde_json::{Map, Value};

use crate::model::{Key, Kind};
use crate::store::writer::Held;

/// What stands in the place of a secret.
pub const MARKER: &str = "(a secret: not shown)";

/// Fields that hold secrets, in whichever plugin or upstream they stand.
const SECRETS: &[&str] = &[
    "secret",
    "password",
    "private_key",
    "client_key",
    "client_secret",
    "token",
    "access_token",
    "secret_key",
    "redis_password",
    "session_secret",
    "auth_header",
];
/// A field that is a secret where a plugin asks who calls; elsewhere it says what is counted.
const KEY: &str = "key";
/// Plugins beside those that end in `-auth` of whom [`KEY`] is a secret.
const KEYED: &[&str] = &["csrf"];
/// What variables begin with whose values only the caller and who wrote the document know.
const PRIVATE: &[&str] = &["http_", "cookie_", "arg_", "post_arg_"];

/// A document as readers are shown it; one that is none is not shown at all.
pub fn shown(held: &Held) -> Value {
    super::fields(held).map_or_else(
        || MARKER.into(),
        |fields| without_secrets(&held.path, fields),
    )
}

/// The document at `path` as readers are shown it.
pub fn without_secrets(path: &str, mut fields: Map<String, Value>) -> Value {
    let kind = path.parse::<Key>().ok().map(|key| key.kind);
    mask(kind, &mut fields);
    Value::Object(fields)
}

/// Takes what may be secret out of a document.
fn mask(kind: Option<Kind>, document: &mut Map<String, Value>) {
    for (name, value) in document.iter_mut() {
        match (name.as_str(), value) {
            ("key" | "keys", value) if kind == Some(Kind::Ssl) => mask_texts(value),
            ("plugins", Value::Object(plugins)) => plugins
                .iter_mut()
                .for_each(|(name, plugin)| mask_plugin(kind, name, plugin)),
            (name, value) => mask_field(name, value, false),
        }
    }
}

fn mask_plugin(kind: Option<Kind>, name: &str, plugin: &mut Value) {
    let asks_who = name.ends_with("-auth");
    if asks_who && matches!(kind, Some(Kind::Consumer | Kind::Credential)) {
        return mask_credential(plugin);
    }
    mask_within(plugin, asks_who || KEYED.contains(&name));
}

/// What a caller shows: also where a secret stands in a field that is none.
fn mask_credential(plugin: &mut Value) {
    match plugin {
        Value::Object(fields) => {
            let others = fields.iter_mut().filter(|(name, _)| *name != "username");
            others.for_each(|(_, value)| mask_texts(value));
        }
        other => mask_texts(other),
    }
}

fn mask_within(value: &mut Value, is_keyed: bool) {
    match value {
        Value::Object(fields) => {
            if fields.keys().any(|name| holds_user(name)) {
                let named = |(name, value): (String, Value)| match holds_user(&name) {
                    true => (MARKER.to_owned(), value),
                    false => (name, value),
                };
                *fields = std::mem::take(fields).into_iter().map(named).collect();
            }
            fields
                .iter_mut()
                .for_each(|(name, value)| mask_field(name, value, is_keyed));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| mask_within(item, is_keyed)),
        // A service that is asked who calls may itself be shown a key.
        Value::String(text) if holds_user(text) || (is_keyed && text.contains(['?', '@'])) => {
            *value = MARKER.into();
        }
        _ => {}
    }
}

/// Whether a text is a URL with a user, and so perhaps with a password.
fn holds_user(text: &str) -> bool {
    let rest = text.split_once("://").map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.contains('@'))
}

fn mask_field(name: &str, value: &mut Value, is_keyed: bool) {
    match name {
        "headers" => mask_texts(value),
        // Others of such a name are lists of names.
        _ if name.ends_with("headers") && value.is_object() => mask_texts(value),
        "vars" => mask_vars(value),
        _ if SECRETS.contains(&name) || (is_keyed && name == KEY) => mask_texts(value),
        _ => mask_within(value, is_keyed),
    }
}

/// Names stay, and what stands under them does not.
fn mask_texts(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(mask_texts),
        Value::Array(items) => items.iter_mut().for_each(mask_texts),
        Value::Null | Value::Bool(_) => {}
        Value::String(_) | Value::Number(_) => *value = MARKER.into(),
    }
}

/// `["http_x_token", "==", "…"]`, however deep such lists are nested.
fn mask_vars(value: &mut Value) {
    let Value::Array(items) = value else { return };
    let variable = items.first().and_then(Value::as_str);
    let is_private = variable.is_some_and(|name| PRIVATE.iter().any(|one| name.starts_with(one)));
    if is_private {
        items.iter_mut().skip(2).for_each(mask_texts);
    } else {
        items.iter_mut().for_each(mask_vars);
    }
}

/// Whether the marker stands anywhere in a text that is to be written.
pub fn holds_marker(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MARKER),
        Value::Array(items) => items.iter().any(holds_marker),
        Value::Object(fields) => fields.values().any(holds_marker),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown_and_all_else_is() {
        let document = json!({
            "uri": "/a", "username": "jack",
            "vars": [["http_x_token", "==", "S"], ["OR", ["cookie_a", "~~", "S"], ["uri", "==", "/shown"]]],
            "upstream": {"nodes": {"10.0.0.1:80": 1}, "tls": {"client_cert": "shown", "client_key": "S"}},
            "plugins": {
                "key-auth": {"key": "S", "header": "shown"},
                "jwt-auth": {"key": "S", "secret": "S", "private_key": "S"},
                "basic-auth": {"username": "shown", "password": "S"},
                "csrf": {"key": "S"},
                "limit-count": {"count": 2, "key": "remote_addr", "redis_password": "S"},
                "forward-auth": {"uri": "http://a/b?key=\"S\"", "request_headers": ["shown"], "extra_headers": {"x-shown": "S"}},
                "http-logger": {"uri": "http://a/shown", "auth_header": "S"},
                "redirect": {"uri": "https://user:\"S\"@a/b"},
                "mocking": {"response_headers": {"x-shown": "S"}},
                "proxy-rewrite": {"headers": {"set": {"x-shown": "S"}, "add": ["x-a: S"], "remove": ["S"]}},
                "traffic-split": {"rules": [{"match": [{"vars": [["arg_a", "in", ["S", "S"]]]}]}]},
            },
        });
        let mut masked = document.as_object().unwrap().clone();
        mask(Some(Kind::Route), &mut masked);
        let masked = Value::Object(masked);
        let text = masked.to_string();
        assert!(!text.contains("\"S\""), "{text}");
        for shown in [
            "shown",
            "/shown",
            "remote_addr",
            "x-shown",
            "10.0.0.1:80",
            "jack",
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(holds_marker(&masked) && !holds_marker(&document));
    }

    #[test]
    fn of_what_callers_show_there_is_nothing_whatever_its_field() {
        let consumer = json!({"username": "shown", "plugins": {
            "jwt-auth": {"key": "S", "base64_secret": "S", "exp": "S"},
            "basic-auth": {"username": "shown", "password": ["S"]},
            "key-auth": "S",
            "limit-count": {"count": 2, "key": "shown"},
        }});
        let text = without_secrets("consumers/jack", consumer.as_object().unwrap().clone());
        let text = text.to_string();
        assert!(
            !text.contains("\"S\"") && text.matches("shown\"").count() == 3,
            "{text}"
        );
    }

    #[test]
    fn private_keys_of_certificates_are_not_shown_and_what_instances_are_chosen_by_is() {
        let held = |path: &str, text: &Value| Held {
            path: path.into(),
            text: text.to_string().into(),
            created: 1,
            modified: 1,
        };
        let ssl = json!({"sni": "a", "cert": "C", "key": "S", "certs": ["C"], "keys": ["S"]});
        let masked =
            json!({"sni": "a", "cert": "C", "key": MARKER, "certs": ["C"], "keys": [MARKER]});
        assert_eq!(shown(&held("ssls/a", &ssl)), masked);
        let upstream = json!({"type": "chash", "key": "remote_addr"});
        assert_eq!(shown(&held("upstreams/a", &upstream)), upstream);
        assert_eq!(shown(&held("ssls/a", &json!("S"))), MARKER);
    }
}
