//! An answer by a JSON Schema: the `example` of each part, and where there is none the same each time, where APISIX draws lots.

use serde_json::{Map, Number, Value, json};

use crate::model::decode::{kind_of, shown};
use crate::model::problem::Remark;

const KINDS: &str = "string, number, integer, boolean, array, object";

/// The object that a schema describes, which is at `place`.
pub(super) fn object(schema: &Map<String, Value>, place: &str) -> Result<Value, Remark> {
    let properties = match schema.get("properties") {
        None => return Ok(json!({})),
        Some(Value::Object(properties)) => properties,
        Some(other) => return Err(wrong(&format!("{place}.properties"), other, "an object")),
    };
    let mut made = Map::new();
    for (name, property) in properties {
        let place = format!("{place}.properties.{}", shown(name));
        if let Some(value) = value(property, &place)? {
            made.insert(name.clone(), value);
        }
    }
    Ok(Value::Object(made))
}

/// What a schema describes; nothing for a list of nobody knows what.
fn value(schema: &Value, place: &str) -> Result<Option<Value>, Remark> {
    let Value::Object(schema) = schema else {
        return Err(wrong(place, schema, "an object"));
    };
    let written = schema.get("type").unwrap_or(&Value::Null);
    let kind = written.as_str().map(str::to_lowercase);
    let example = |fits: fn(&Value) -> bool| schema.get("example").filter(|one| fits(one)).cloned();
    let made = match kind.as_deref() {
        Some("string") => example(Value::is_string).unwrap_or(json!("text")),
        Some("number") => example(Value::is_number).unwrap_or(json!(1.5)),
        Some("integer") => example(Value::is_number).map_or(json!(1), whole),
        Some("boolean") => example(Value::is_boolean).unwrap_or(json!(true)),
        Some("object") => object(schema, place)?,
        Some("array") => match schema.get("items") {
            None => return Ok(None),
            Some(items) => value(items, &format!("{place}.items"))?
                .into_iter()
                .collect(),
        },
        _ => return Err(wrong(&format!("{place}.type"), written, KINDS)),
    };
    Ok(Some(made))
}

/// A number without what stands behind the point.
fn whole(number: Value) -> Value {
    let floor = number.as_f64().filter(|_| number.is_f64()).map(f64::floor);
    let written = floor.and_then(|floor| floor.to_string().parse::<Number>().ok());
    written.map_or(number, Value::Number)
}

fn wrong(place: &str, found: &Value, allowed: &str) -> Remark {
    let message = format!("found {}, allowed: {allowed}", kind_of(found));
    Remark::new(place, message)
}
