//! The documents that a route is made of, as its plugins tell them to others: without what may be a secret.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::entry::Entry;
use super::text;
use crate::model::Id;
use crate::plugin::contract::Shown;

/// What is left out: plugins and upstreams have credentials and keys, and conditions compare with tokens.
const LEFT_OUT: [&str; 3] = ["plugins", "upstream", "vars"];

/// The route's own document over its service's, and that of the service.
pub(super) fn of(entries: &HashMap<Arc<str>, Entry>, id: &Id, service: Option<&Id>) -> Shown {
    let mut route = fields(entries, "routes", id);
    let service = service.map(|service| fields(entries, "services", service));
    for (name, value) in service.iter().flatten() {
        // A route is not called as its service is, and its own host is in the place of the service's.
        let is_own = name == "name" || (name == "hosts" && route.contains_key("host"));
        if !is_own && !route.contains_key(name) {
            route.insert(name.clone(), value.clone());
        }
    }
    let told = |fields: Map<String, Value>| Arc::from(Value::Object(fields).to_string());
    Shown {
        route: told(route),
        service: service.map(told),
    }
}

/// What a document says, of the text that is in force.
fn fields(entries: &HashMap<Arc<str>, Entry>, kind: &str, id: &Id) -> Map<String, Value> {
    let entry = entries.get(&*format!("{kind}/{id}"));
    let text = entry.map(|entry| {
        let (newest, good) = entry.texts();
        good.unwrap_or(newest)
    });
    let read = text.and_then(|text| text::read(text.format, &text.value).ok());
    let mut fields = read.unwrap_or_default();
    fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    fields.insert("id".to_owned(), id.as_str().into());
    fields
}
