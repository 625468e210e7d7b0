//! An example of each plugin, out of the golden cases: a document that has it, and what differs in Envoy's configuration when
//! the plugin is taken out of it.

use std::collections::BTreeMap;
use std::fs;

use chancery::documents::Documents;
use chancery::model::document::Format;
use chancery::model::{Discovery, Document, Kind};
use chancery::translate;
use serde_json::{Map, Value, json};

use crate::golden::case::{Case, table};
use crate::golden::resource;

/// How many lines of Envoy's configuration are shown.
const LINES: usize = 45;

/// A document, and what its plugin becomes.
pub struct Example {
    /// The case that it is of.
    pub case: String,
    /// `routes/echo`
    pub document: String,
    /// `yaml` or `json`
    pub language: &'static str,
    pub text: String,
    /// What the plugin adds to Envoy's configuration, as YAML.
    pub becomes: String,
}

/// The shortest route of the cases with this plugin, and as few others as may be.
pub fn of(plugin: &str, cases: &[Case]) -> Option<Example> {
    let mut found = Vec::new();
    for case in cases {
        for (document, kind, value) in case.values() {
            let plugins = value["plugins"].as_object();
            let has = plugins.and_then(|all| Some((all.len(), all.get(plugin)?)));
            if let (Kind::Route, Some((count, own))) = (kind, has)
                && own["_meta"]["disable"] != true
            {
                // One without fields shows little.
                let bare = own.as_object().is_none_or(Map::is_empty);
                let order = (count, bare, document.value.len());
                found.push((order, case, document, value));
            }
        }
    }
    found.sort_by(|a, b| (a.0, &a.2.path).cmp(&(b.0, &b.2.path)));
    let (_, case, document, value) = found.into_iter().next()?;
    let with = becomes(case, &document, &value);
    let mut other = value.clone();
    other["plugins"].as_object_mut()?.remove(plugin);
    // Without a plugin that answers by itself, a route needs to go somewhere.
    if ["upstream", "upstream_id", "service_id"]
        .iter()
        .all(|field| value.get(field).is_none())
    {
        other["upstream"] = json!({ "nodes": { "127.0.0.1:80": 1 } });
    }
    let without = becomes(case, &document, &other);
    let mut added = added(&with, &without).unwrap_or(Value::Null);
    name_only(&mut added, plugin);
    // Routes first: what clusters are new is a matter of their names.
    let parts = ["routes", "clusters"].into_iter().filter_map(|part| {
        let part = Map::from_iter([(part.to_owned(), added.get(part)?.clone())]);
        Some(serde_saphyr::to_string(&part).expect("a value can be written as YAML"))
    });
    let yaml: String = parts.collect();
    Some(Example {
        case: case.name.clone(),
        document: document.path.to_string(),
        language: if document.format == Format::Json {
            "json"
        } else {
            "yaml"
        },
        text: fs::read_to_string(&*document.source).expect("a document"),
        becomes: shortened(&yaml),
    })
}

/// Leaves the names of the clusters that are the plugin's own: they are as other clusters are.
fn name_only(added: &mut Value, plugin: &str) {
    let own = format!("/{plugin}/");
    let clusters = added.get_mut("clusters").and_then(Value::as_array_mut);
    for cluster in clusters.into_iter().flatten() {
        let name = cluster["name"].clone();
        if name.as_str().is_some_and(|name| name.contains(&own)) {
            *cluster = json!({ "name": name });
        }
    }
}

/// The routes and clusters that a document becomes when it says this.
fn becomes(case: &Case, document: &Document, value: &Value) -> Value {
    let mut all: Vec<Document> = case
        .values()
        .into_iter()
        .map(|(document, _, _)| document)
        .collect();
    for one in &mut all {
        if one.path == document.path {
            one.format = Format::Json;
            one.value = value.to_string().into();
        }
    }
    let mut documents = Documents::new(vec![Discovery::Consul, Discovery::File]);
    documents.list(all);
    let mut changes = documents.settle();
    documents.answer(case.answers(&changes));
    changes.routes.extend(documents.settle().routes);
    let id = document.path.trim_start_matches("routes/");
    let routes = changes.routes.into_iter();
    let route = routes
        .filter_map(|(of, route)| route.filter(|_| of.as_str() == id))
        .next();
    let route =
        route.unwrap_or_else(|| panic!("{} is no route: {:?}", document.path, changes.problems));
    let clusters = route.clusters();
    // A cluster that is named twice is one.
    let clusters: BTreeMap<_, _> = clusters
        .map(|cluster| {
            (
                cluster.name.clone(),
                resource::of(&translate::cluster(cluster, &Default::default())),
            )
        })
        .collect();
    let clusters: Vec<_> = clusters.into_values().collect();
    let table = table(&route.gateways[0], std::slice::from_ref(&route));
    let mut routes = Vec::new();
    collect(&table, &mut routes);
    // What the table says once for all of them is shown as each would say it alone.
    let common = &table["virtual_hosts"][0]["retry_policy"];
    for route in &mut routes {
        if let Some(Value::Object(action)) = route.get_mut("route")
            && !common.is_null()
        {
            let own = action.entry("retry_policy");
            own.or_insert_with(|| common.clone());
        }
    }
    json!({ "routes": routes, "clusters": clusters })
}

/// The routes in a match tree, in the order in which they stand there.
fn collect(value: &Value, routes: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, routes)),
        Value::Object(fields) => {
            let kind = fields
                .get("@type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let mut own = fields.clone();
            own.remove("@type");
            if kind.ends_with("envoy.config.route.v3.Route") {
                routes.push(own.into());
            } else if kind.ends_with("envoy.config.route.v3.RouteList") {
                routes.extend(fields["routes"].as_array().into_iter().flatten().cloned());
            } else {
                fields.values().for_each(|field| collect(field, routes));
            }
        }
        _ => {}
    }
}

/// What `with` has that `without` has not or has otherwise, with what holds it.
fn added(with: &Value, without: &Value) -> Option<Value> {
    if with == without {
        return None;
    }
    match (with, without) {
        (Value::Object(with), Value::Object(without)) => {
            let fields = with.iter().filter_map(|(name, value)| {
                let value = match without.get(name) {
                    Some(other) => added(value, other)?,
                    None => value.clone(),
                };
                Some((name.clone(), value))
            });
            let fields: Map<_, _> = fields.collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        (Value::Array(with), Value::Array(without)) => {
            let more = with.len() != without.len();
            let items = with.iter().enumerate().filter_map(|(at, item)| {
                if without.contains(item) {
                    return None;
                }
                match without.get(at) {
                    Some(other) if !more => added(item, other),
                    _ => Some(item.clone()),
                }
            });
            let items: Vec<_> = items.collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        _ => Some(with.clone()),
    }
}

/// The first lines of a text, and how many there are beside them.
fn shortened(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    if lines.len() <= LINES + 5 {
        return lines.join("\n");
    }
    let more = lines.len() - LINES;
    format!("{}\n# {more} more lines", lines[..LINES].join("\n"))
}
