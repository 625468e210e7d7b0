//! A JSON Schema as the script goes by it. What the script does not know is refused by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pattern;
use crate::model::decode::{self, shown};
use crate::model::problem::Remark;

/// How many schemas may stand within each other, and how many there may be in all.
const DEEPEST: usize = 16;
const MOST: usize = 512;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object")]
struct Form {
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    r#type: Option<Value>,
    r#enum: Option<Vec<Value>>,
    r#const: Option<Value>,
    #[serde(rename = "default")]
    _default: Option<Value>,
    required: Option<Vec<String>>,
    #[serde(default)]
    properties: BTreeMap<String, Value>,
    additional_properties: Option<bool>,
    min_length: Option<u32>,
    max_length: Option<u32>,
    pattern: Option<String>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    exclusive_minimum: Option<f64>,
    exclusive_maximum: Option<f64>,
    items: Option<Value>,
    min_items: Option<u32>,
    max_items: Option<u32>,
    #[serde(default)]
    unique_items: bool,
}

impl decode::Form for Form {}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    String,
    Number,
    Integer,
    Boolean,
    Null,
    Object,
    Array,
}

#[derive(Debug, Deserialize)]
struct Kinds(Vec<Kind>);

impl decode::Form for Kinds {}

/// A schema of headers: of them all it may say only which there must be, and what they are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct HeadersForm {
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "type")]
    _kind: Option<AllHeaders>,
    #[serde(rename = "required")]
    _required: Option<Vec<String>>,
    #[serde(rename = "properties")]
    _properties: Option<BTreeMap<String, Value>>,
}

impl decode::Form for HeadersForm {}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AllHeaders {
    Object,
}

pub(super) fn of_headers(schema: &Value) -> Result<Value, Remark> {
    let under = |remark: Remark| remark.under("header_schema");
    check_fields(schema).map_err(under)?;
    decode::read::<HeadersForm>(schema).map_err(under)?;
    rule(schema, DEEPEST, &mut 0).map_err(under)
}

pub(super) fn of_body(schema: &Value) -> Result<Value, Remark> {
    rule(schema, DEEPEST, &mut 0).map_err(|remark| remark.under("body_schema"))
}

/// Refuses what is too large before each field is looked at.
fn check_fields(schema: &Value) -> Result<(), Remark> {
    let found = schema.as_object().map_or(0, serde_json::Map::len);
    if found > MOST {
        let message = format!("found {found} fields, allowed: at most {MOST}");
        return Err(Remark::whole(message));
    }
    Ok(())
}

fn rule(schema: &Value, depth: usize, count: &mut usize) -> Result<Value, Remark> {
    *count += 1;
    if depth == 0 || *count > MOST {
        return Err(Remark::whole(format!(
            "is too large, allowed: {MOST} schemas, and {DEEPEST} within each other"
        )));
    }
    check_fields(schema)?;
    let form: Form = decode::read(schema)?;
    let pattern = form.pattern.as_ref().map(|written| {
        let pattern = pattern::of_lua(written).map_err(|said| Remark::new("pattern", said))?;
        Ok(json!(pattern))
    });
    let items = form
        .items
        .as_ref()
        .map(|items| rule(items, depth - 1, count).map_err(|remark| remark.under("items")));
    let items = items.transpose()?;
    let of_list = items.is_some()
        || form.min_items.is_some()
        || form.max_items.is_some()
        || form.unique_items;
    let closed = form.additional_properties == Some(false);
    let of_object = closed || form.required.is_some() || !form.properties.is_empty();
    let properties = properties(&form, depth, count)?;
    let told = [
        ("kinds", kinds(form.r#type)?),
        ("only", form.r#const.as_ref().map(|_| json!(true))),
        ("values", values(form.r#enum, form.r#const)?),
        ("properties", of_object.then_some(properties)),
        ("closed", closed.then_some(json!(true))),
        ("min_length", form.min_length.map(Value::from)),
        ("max_length", form.max_length.map(Value::from)),
        ("pattern", pattern.transpose()?),
        ("regex", form.pattern.map(Value::from)),
        ("minimum", form.minimum.map(Value::from)),
        ("maximum", form.maximum.map(Value::from)),
        ("over", form.exclusive_minimum.map(Value::from)),
        ("under", form.exclusive_maximum.map(Value::from)),
        ("is_list", of_list.then_some(json!(true))),
        ("items", items),
        ("min_items", form.min_items.map(Value::from)),
        ("max_items", form.max_items.map(Value::from)),
        ("unique", form.unique_items.then_some(json!(true))),
    ];
    let told = told.into_iter();
    let told = told.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Value::Object(told.collect::<Map<_, _>>()))
}

fn kinds(written: Option<Value>) -> Result<Option<Value>, Remark> {
    let Some(written) = written else {
        return Ok(None);
    };
    let list = if written.is_array() {
        written
    } else {
        json!([written])
    };
    let Kinds(kinds) = decode::read(&list).map_err(|remark| remark.under("type"))?;
    if kinds.is_empty() {
        return Err(Remark::new("type", "is empty, allowed: at least one"));
    }
    Ok(Some(json!(kinds)))
}

/// All that a value may be.
fn values(listed: Option<Vec<Value>>, only: Option<Value>) -> Result<Option<Value>, Remark> {
    let (field, values) = match (listed, only) {
        (None, None) => return Ok(None),
        (Some(listed), None) => ("enum", listed),
        (None, Some(only)) => ("const", vec![only]),
        (Some(_), Some(_)) => {
            return Err(Remark::new(
                "const",
                "found beside `enum`, allowed: one of both",
            ));
        }
    };
    if values.is_empty() {
        return Err(Remark::new(field, "is empty, allowed: at least one value"));
    }
    let plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    if values.iter().all(plain) {
        Ok(Some(Value::Array(values)))
    } else {
        let message = "found a list, an object or null, allowed: texts, numbers, true and false";
        Err(Remark::new(field, message))
    }
}

/// In the order of their names; those that are only required are any value.
fn properties(form: &Form, depth: usize, count: &mut usize) -> Result<Value, Remark> {
    let mut all = BTreeMap::new();
    let required = form.required.as_deref().unwrap_or_default();
    if form.required.is_some() && required.is_empty() {
        return Err(Remark::new("required", "is empty, allowed: at least one"));
    }
    for name in required {
        all.insert(name, json!({"name": name, "required": true, "rule": {}}));
    }
    for (name, schema) in &form.properties {
        let under = |remark: Remark| remark.under(&format!("properties.{}", shown(name)));
        let required = required.contains(name);
        let rule = rule(schema, depth - 1, count).map_err(under)?;
        let mut told = json!({"name": name, "required": required, "written": true, "rule": rule});
        // As in APISIX, these two are none.
        let default = schema
            .get("default")
            .filter(|it| !it.is_null() && **it != json!(false));
        if let (Some(default), false) = (default, required) {
            told["default"] = format!("{}:{default}", json!(name)).into();
        }
        all.insert(name, told);
    }
    Ok(all.into_values().collect())
}
