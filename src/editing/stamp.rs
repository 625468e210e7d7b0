//! What is added to a document as it is written: its id, and when it was made and changed.

use serde_json::{Map, Value};

use crate::model::{Key, Kind};

use super::references;

/// Who may say when a document was made and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Chancery only: a document that says so is refused.
    Ours,
    /// The document, where it does.
    Taken,
}

const TIMES: [&str; 2] = ["create_time", "update_time"];

/// Adds the id of a document and its times, where it has none. `now` is in seconds since 1970.
pub fn stamp(
    key: &Key,
    document: &mut Map<String, Value>,
    before: Option<&Map<String, Value>>,
    now: i64,
    times: Times,
) -> Result<(), String> {
    if times == Times::Ours
        && let Some(time) = TIMES.iter().find(|time| document.contains_key(**time))
    {
        // Both blanks: people's tests look for them.
        return Err(format!("the property is forbidden:  {time}"));
    }
    match key.kind {
        Kind::Consumer => same_name(key, document)?,
        _ => same_id(key, document)?,
    }
    // In APISIX it has none either.
    if key.kind == Kind::PluginMetadata {
        return Ok(());
    }
    let made = before.and_then(|before| before.get("create_time")).cloned();
    let was_changed = before.and_then(|before| before.get("update_time"));
    document
        .entry("create_time")
        .or_insert(made.unwrap_or(now.into()));
    // A PATCH has the former time in it, unless it says another.
    if times == Times::Ours || document.get("update_time") == was_changed {
        document.insert("update_time".to_owned(), now.into());
    }
    Ok(())
}

fn same_id(key: &Key, document: &mut Map<String, Value>) -> Result<(), String> {
    let id = key.id.as_str();
    let is_same = match document.get("id") {
        Some(written) => references::id(written).is_some_and(|written| written == id),
        None => {
            document.insert("id".to_owned(), id.into());
            true
        }
    };
    if is_same {
        return Ok(());
    }
    let kind = references::spoken(key.kind.as_str());
    Err(format!(
        "wrong {kind} id: found {}, allowed: \"{id}\" as in the path, or no `id`",
        document["id"]
    ))
}

fn same_name(key: &Key, document: &Map<String, Value>) -> Result<(), String> {
    match document.get("username") {
        Some(Value::String(name)) if name == key.id.as_str() => Ok(()),
        Some(found) => Err(format!(
            "wrong username: found {found}, allowed: \"{}\" as in the path",
            key.id
        )),
        None => Err("missing consumer name: `username` says it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stamped(path: &str, document: Value, before: Value, times: Times) -> Result<Value, String> {
        let (mut fields, before) = (document.as_object().unwrap().clone(), before.as_object());
        stamp(&path.parse().unwrap(), &mut fields, before, 9, times)?;
        Ok(Value::Object(fields))
    }

    #[test]
    fn a_document_gets_its_id_and_its_times() {
        let ours = |path, document, before| stamped(path, document, before, Times::Ours);
        assert_eq!(
            ours("routes/1", json!({"uri": "/"}), Value::Null).unwrap(),
            json!({"uri": "/", "id": "1", "create_time": 9, "update_time": 9})
        );
        // Its id stays as it is written, and the time when it was made.
        assert_eq!(
            ours(
                "routes/1",
                json!({"id": 1}),
                json!({"create_time": 3, "update_time": 4})
            )
            .unwrap(),
            json!({"id": 1, "create_time": 3, "update_time": 9})
        );
        assert_eq!(
            ours("consumers/jack", json!({"username": "jack"}), Value::Null).unwrap(),
            json!({"username": "jack", "create_time": 9, "update_time": 9})
        );
        let patched = json!({"id": "1", "create_time": 3, "update_time": 4});
        let taken = |document| stamped("routes/1", document, patched.clone(), Times::Taken);
        assert_eq!(
            taken(patched.clone()).unwrap(),
            json!({"id": "1", "create_time": 3, "update_time": 9})
        );
        let said = json!({"id": "1", "create_time": 1, "update_time": 2});
        assert_eq!(taken(said.clone()).unwrap(), said);
    }

    #[test]
    fn another_id_and_times_are_refused() {
        let refused =
            |path, document| stamped(path, document, Value::Null, Times::Ours).unwrap_err();
        assert_eq!(
            refused("routes/1", json!({"create_time": 1})),
            "the property is forbidden:  create_time"
        );
        assert!(
            refused("plugin_configs/1", json!({"id": "2"})).starts_with("wrong plugin config id")
        );
        assert!(refused("routes/1", json!({"id": true})).starts_with("wrong route id"));
        assert!(
            refused("consumers/jack", json!({"username": "jill"})).starts_with("wrong username")
        );
        assert!(refused("consumers/jack", json!({})).starts_with("missing consumer name"));
    }
}
