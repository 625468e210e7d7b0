//! What is different in listeners of older Envoys.

use serde_json::Value;

/// Takes out the filters that are places.
pub fn without_places(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                let of = item["typed_config"]["@type"].as_str().unwrap_or_default();
                !of.ends_with(".filter_chain.v3.FilterChainConfig")
            });
            items.iter_mut().for_each(without_places);
        }
        Value::Object(fields) => fields.values_mut().for_each(without_places),
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
