//! The fields of a schema as rows: name, type and what is allowed, default, what is said.

use chancery::plugin;
use regex::Regex;
use serde_json::{Map, Value};

use super::page::{code, sentence};

/// Parts of a schema that have a page of their own, so that it is linked.
const ELSEWHERE: [(&str, &str); 2] = [
    ("plugins", "see [plugins](PLUGINS)"),
    ("upstream", "see [upstreams](UPSTREAMS)"),
];

/// What ids look like.
const ID: &str = "^[a-zA-Z0-9._-]{1,64}$";

/// Where the pages stand that others link.
pub struct Links {
    pub plugins: &'static str,
    pub upstreams: &'static str,
}

/// The rows of all fields below `schema`, those of objects after what holds them.
pub fn rows(schema: &Value, links: &Links, is_ours: &dyn Fn(&str) -> bool) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    below("", schema, links, is_ours, &mut rows);
    rows
}

fn below(
    at: &str,
    schema: &Value,
    links: &Links,
    is_ours: &dyn Fn(&str) -> bool,
    rows: &mut Vec<[String; 4]>,
) {
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<_> = required.filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        // Every plugin has it: the page of all plugins says so.
        if name == "_meta" {
            continue;
        }
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}.{name}")
        };
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| other == name);
        // Consumers have a few of the plugins, with other fields.
        let is_whole = |field: &Value| {
            let plugins = field["properties"].as_object().map(|all| all.len());
            name != "plugins" || plugins == Some(plugin::names().count())
        };
        let elsewhere = elsewhere.filter(|_| is_whole(field));
        let elsewhere = elsewhere.map(|(_, link)| {
            let link = link.replace("PLUGINS", links.plugins);
            link.replace("UPSTREAMS", links.upstreams)
        });
        let kind = elsewhere.clone().unwrap_or_else(|| kind_of(field));
        let shown = if is_ours(&path) {
            format!("{} (ours)", code(&path))
        } else {
            code(&path)
        };
        let default = default(field, required.contains(&name.as_str()));
        rows.push([shown, kind, default, said(field)]);
        if elsewhere.is_none() {
            nested(&path, field, links, is_ours, rows);
        }
    }
    for form in forms(schema) {
        below(at, form, links, is_ours, rows);
    }
}

/// What stands within a field: of an object, of the items of a list, of the values of a map.
fn nested(
    path: &str,
    field: &Value,
    links: &Links,
    is_ours: &dyn Fn(&str) -> bool,
    rows: &mut Vec<[String; 4]>,
) {
    below(path, field, links, is_ours, rows);
    for form in std::iter::once(field).chain(forms(field)) {
        if form["items"].is_object() {
            nested(&format!("{path}[]"), &form["items"], links, is_ours, rows);
        }
        if form["additionalProperties"].is_object() {
            nested(
                &format!("{path}.*"),
                &form["additionalProperties"],
                links,
                is_ours,
                rows,
            );
        }
    }
}

fn forms(schema: &Value) -> impl Iterator<Item = &Value> {
    let forms = ["anyOf", "oneOf", "allOf"].into_iter();
    forms.filter_map(|form| schema[form].as_array()).flatten()
}

/// The type of a value, and which values are allowed.
fn kind_of(schema: &Value) -> String {
    let Some(fields) = schema.as_object() else {
        return "anything".to_owned();
    };
    if let Some(one) = fields.get("const") {
        return code(&one.to_string().replace('"', ""));
    }
    if let Some(words) = fields.get("enum").and_then(Value::as_array) {
        let words = words
            .iter()
            .map(|word| code(&word.to_string().replace('"', "")));
        return words.collect::<Vec<_>>().join(", ");
    }
    let forms: Vec<_> = forms(schema).collect();
    if forms.iter().any(|form| form["pattern"] == ID) {
        return "id".to_owned();
    }
    if !forms.is_empty() {
        let words = forms.iter().all(|form| form.get("const").is_some());
        let mut kinds: Vec<_> = forms.into_iter().map(kind_of).collect();
        kinds.dedup();
        return kinds.join(if words { ", " } else { " or " });
    }
    match &fields.get("type") {
        Some(Value::String(kind)) => of_type(kind, fields),
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            let kinds: Vec<_> = kinds.map(|kind| of_type(kind, fields)).collect();
            kinds.join(" or ")
        }
        _ => "anything".to_owned(),
    }
}

/// What a list or a map holds, in the plural: ` of texts`, ` of whole numbers (1–5)`.
fn several(kind: &str) -> String {
    if kind == "anything" {
        return String::new();
    }
    for one in ["whole number", "number", "text", "object", "id", "list"] {
        match kind.strip_prefix(one) {
            Some("") => return format!(" of {one}s"),
            Some(more) if more.starts_with(", ") => return format!(" of {one}s ({})", &more[2..]),
            Some(_) | None => {}
        }
    }
    format!(" of: {kind}")
}

fn of_type(kind: &str, fields: &Map<String, Value>) -> String {
    match kind {
        "integer" | "number" => {
            let kind = if kind == "integer" {
                "whole number"
            } else {
                "number"
            };
            format!("{kind}{}", bounds(fields))
        }
        "string" => match (
            fields.get("pattern").and_then(Value::as_str),
            fields.get("minLength"),
        ) {
            (Some(pattern), _) => format!("text that fits {}", code(pattern)),
            (None, Some(_)) => format!("text, not empty{}", longest(fields)),
            (None, None) => format!("text{}", longest(fields)),
        },
        "array" => {
            let items = fields.get("items");
            let items = items.map_or_else(String::new, |items| several(&kind_of(items)));
            let least = fields.get("minItems").and_then(Value::as_u64);
            let most = at_most(fields, "maxItems");
            if least > Some(0) {
                format!("list{items}, not empty{most}")
            } else {
                format!("list{items}{most}")
            }
        }
        "object" => match fields.get("additionalProperties") {
            Some(values) if values.is_object() => {
                let most = at_most(fields, "maxProperties");
                format!("map{}{most}", several(&kind_of(values)))
            }
            _ => "object".to_owned(),
        },
        other => other.to_owned(),
    }
}

/// How many there may be.
fn at_most(fields: &Map<String, Value>, bound: &str) -> String {
    let most = fields.get(bound).map(number);
    most.map_or_else(String::new, |most| format!(", at most {most}"))
}

/// How long a text may be, where that is not what the page on documents says of texts.
fn longest(fields: &Map<String, Value>) -> String {
    const TEXT: u64 = 8192;
    let most = fields.get("maxLength").and_then(Value::as_u64);
    match most.filter(|most| *most != TEXT) {
        Some(most) => format!(", at most {most} characters"),
        None => String::new(),
    }
}

/// The bounds of a number, without those that are the type's own.
fn bounds(fields: &Map<String, Value>) -> String {
    let least = fields
        .get("minimum")
        .filter(|least| least.as_f64() > Some(-1e9));
    let most = fields
        .get("maximum")
        .filter(|most| most.as_f64() < Some(4_294_967_295.0));
    match (least, most) {
        (Some(least), Some(most)) => format!(", {}–{}", number(least), number(most)),
        (Some(least), None) => format!(", at least {}", number(least)),
        (None, Some(most)) => format!(", at most {}", number(most)),
        (None, None) => String::new(),
    }
}

/// `1000` for `1000.0`.
fn number(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| value.to_string(), |number| number.to_string())
}

/// What holds when a field is not written.
fn default(field: &Value, required: bool) -> String {
    if required {
        return "required".to_owned();
    }
    if let Some(default) = field.get("default") {
        return match default {
            Value::String(text) if !text.is_empty() => code(text),
            other => code(&other.to_string()),
        };
    }
    let text = field["description"].as_str().unwrap_or_default();
    let told = Regex::new(
        r"(?s)(?:^|; |: )([^;.:]+?),? (?:if not written|when absent|unless told|by default)",
    );
    let Some(told) = told.expect("a pattern").captures(text) else {
        return "none".to_owned();
    };
    // `1, which is …`
    let told = told[1].split(", which").next().unwrap_or_default();
    let is_value = told.parse::<f64>().is_ok() || ["true", "false"].contains(&told);
    if is_value {
        return code(told);
    }
    match told.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => told.to_owned(),
    }
}

/// What a field says of itself, and what each of its words stands for.
fn said(field: &Value) -> String {
    let text = field["description"].as_str().unwrap_or_default();
    let mut said = if text.is_empty() {
        String::new()
    } else {
        sentence(text)
    };
    for form in forms(field) {
        if let (Some(word), Some(text)) = (form["const"].as_str(), form["description"].as_str()) {
            said += &format!(" {}: {}", code(word), sentence(text));
        }
    }
    if said.is_empty() {
        "What its name says.".to_owned()
    } else {
        said
    }
}
