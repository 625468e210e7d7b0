//! What a PATCH makes of a document.

use serde_json::{Map, Value};

/// Merges a change into a value: objects by field, anything else is replaced, and `null` deletes.
pub fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge_field(fields, name, change);
            }
        }
        (target, change) => *target = without_nulls(change),
    }
}

fn merge_field(fields: &mut Map<String, Value>, name: String, change: Value) {
    match (fields.get_mut(&name), change) {
        (_, Value::Null) => {
            fields.remove(&name);
        }
        (Some(field), change) => merge(field, change),
        (None, change) => {
            fields.insert(name, without_nulls(change));
        }
    }
}

/// A new object holds no field that is to be deleted.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            let kept = kept.map(|(name, value)| (name, without_nulls(value)));
            Value::Object(kept.collect())
        }
        other => other,
    }
}

/// Puts a value where the steps lead, through objects that are made where there are none; the last step is replaced, and
/// deleted by `null`. Fails where the steps lead through anything but an object.
pub fn replace_at(
    document: &mut Map<String, Value>,
    steps: &[&str],
    value: Value,
) -> Result<(), String> {
    let Some((last, through)) = steps.split_last() else {
        let mut whole = Value::Object(std::mem::take(document));
        merge(&mut whole, value);
        if let Value::Object(fields) = whole {
            *document = fields;
        }
        return Ok(());
    };
    let mut fields = document;
    for step in through {
        let next = fields
            .entry((*step).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(within) = next else {
            return Err(format!("invalid sub-path: /{}", steps.join("/")));
        };
        fields = within;
    }
    if value.is_null() {
        fields.remove(*last);
    } else {
        fields.insert((*last).to_owned(), without_nulls(value));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut document: Value, change: Value) -> Value {
        merge(&mut document, change);
        document
    }

    #[test]
    fn objects_merge_and_all_else_is_replaced_and_null_deletes() {
        let before = json!({"uri": "/a", "methods": ["GET"], "upstream": {"type": "roundrobin", "nodes": {"a:1": 1}}});
        let change = json!({"uri": null, "methods": ["PUT"], "upstream": {"nodes": {"b:1": 2}}, "labels": {"a": null, "b": "c"}});
        let after = json!({"methods": ["PUT"], "labels": {"b": "c"}, "upstream": {
            "type": "roundrobin", "nodes": {"a:1": 1, "b:1": 2}
        }});
        assert_eq!(merged(before, change), after);
        let list = json!({"nodes": [{"host": "a", "port": 1}]});
        assert_eq!(
            merged(list, json!({"nodes": {"b:1": 1}})),
            json!({"nodes": {"b:1": 1}})
        );
        let map = json!({"nodes": {"b:1": 1}});
        assert_eq!(merged(map, json!({"nodes": [1]})), json!({"nodes": [1]}));
    }

    #[test]
    fn a_sub_path_takes_any_value_and_leads_through_objects_only() {
        let at = |path: &str, value: Value| {
            let mut fields = Map::new();
            fields.insert("uri".into(), "/a".into());
            let steps: Vec<_> = path.split('/').filter(|step| !step.is_empty()).collect();
            replace_at(&mut fields, &steps, value).map(|()| Value::Object(fields))
        };
        let made = json!({"uri": "/a", "upstream": {"nodes": {"a:1": 1}}});
        assert_eq!(at("upstream/nodes", json!({"a:1": 1})), Ok(made));
        assert_eq!(
            at("methods", json!(["POST"])),
            Ok(json!({"uri": "/a", "methods": ["POST"]}))
        );
        assert_eq!(at("uri", json!(false)), Ok(json!({"uri": false})));
        assert_eq!(at("uri", Value::Null), Ok(json!({})));
        assert_eq!(at("", json!({"uri": "/b"})), Ok(json!({"uri": "/b"})));
        assert_eq!(
            at("uri/b", json!(1)),
            Err("invalid sub-path: /uri/b".to_owned())
        );
    }
}
