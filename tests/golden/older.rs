//! What is different in listeners of older Envoys.

use serde_json::Value;

/// Takes out the filters that are places.
pub fn without_places(value: &mut Value) {
    without_filters(value, ".filter_chain.v3.FilterChainConfig");
}

/// Takes out the filters that log people in.
pub fn without_logins(value: &mut Value) {
    without_filters(value, ".oauth2.v3.OAuth2");
}

fn without_filters(value: &mut Value, of: &str) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                let found = item["typed_config"]["@type"].as_str().unwrap_or_default();
                !found.ends_with(of)
            });
            items.iter_mut().for_each(|item| without_filters(item, of));
        }
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| without_filters(value, of)),
        _ => {}
    }
}

pub fn without_keepalive(listeners: &mut Value) {
    let listeners = listeners.as_array_mut().into_iter().flatten();
    for listener in listeners.filter_map(Value::as_object_mut) {
        listener.remove("tcp_keepalive");
    }
}

pub fn with_reason_of_unknown_key(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace("'unknown_api_key'", "'unkonwn_api_key'"),
        Value::Array(items) => items.iter_mut().for_each(with_reason_of_unknown_key),
        Value::Object(fields) => fields.values_mut().for_each(with_reason_of_unknown_key),
        _ => {}
    }
}
