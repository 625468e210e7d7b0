//! A document as it counts, in JSON: with what it has from the documents that it names and from global rules, and from where it has
//! what. For people to read; what is in force is made by `resolve`, whose order this follows.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Key, Kind};

/// Documents in force, by path.
pub type Texts = BTreeMap<String, Map<String, Value>>;

/// A document with what it has from others.
#[derive(Debug, Default, PartialEq)]
pub struct Effective {
    pub fields: Map<String, Value>,
    /// By field, which document it is from: `plugins.cors`.
    pub origins: BTreeMap<String, String>,
}

/// The fields that only name others, and what a service says where its route does not.
const NAMES: [&str; 3] = ["service_id", "plugin_config_id", "plugins"];
const OF_SERVICE: [&str; 2] = ["hosts", "enable_websocket"];
const TARGETS: [&str; 2] = ["upstream", "upstream_id"];
/// Where the plugins of global rules stand, by rule.
const RULES: &str = "global_rules";
/// What belongs to the document that is named, and not to what it says.
const OWN: [&str; 6] = ["id", "name", "desc", "labels", "create_time", "update_time"];

impl Effective {
    /// Of the document of this path; nothing where it is not among the texts.
    pub fn of(path: &str, texts: &Texts) -> Option<Self> {
        let own = texts.get(path)?;
        let kind = path.parse::<Key>().ok().map(|key| key.kind);
        let mut whole = Self::default();
        for (field, value) in own.iter().filter(|(field, _)| !NAMES.contains(&&***field)) {
            whole.take(field, value, path);
        }
        let named = |field: &str, folder: &str| {
            let id = match own.get(field)? {
                Value::String(id) => id.clone(),
                Value::Number(id) => id.to_string(),
                _ => return None,
            };
            let path = format!("{folder}/{id}");
            let fields = texts.get(&path)?;
            Some((path, fields))
        };
        let has_plugins = kind != Some(Kind::StreamRoute);
        whole.plugins(own, path);
        if let Some((path, config)) = named("plugin_config_id", "plugin_configs") {
            whole.plugins(config, &path);
        }
        if let Some((path, service)) = named("service_id", "services") {
            whole.service(service, &path, has_plugins);
        }
        if kind == Some(Kind::Route) {
            let rules = texts
                .iter()
                .filter(|(path, _)| path.starts_with("global_rules/"));
            for (path, rule) in rules {
                whole.rule(rule, path);
            }
        }
        whole.upstream(texts);
        Some(whole)
    }

    fn take(&mut self, field: &str, value: &Value, from: &str) {
        self.fields.insert(field.to_owned(), value.clone());
        self.origins.insert(field.to_owned(), from.to_owned());
    }

    /// The plugins of a document, of those that nothing before it names.
    fn plugins(&mut self, of: &Map<String, Value>, from: &str) {
        let Some(plugins) = of.get("plugins").and_then(Value::as_object) else {
            return;
        };
        let all = self
            .fields
            .entry("plugins")
            .or_insert_with(|| Map::new().into());
        let Some(all) = all.as_object_mut() else {
            return;
        };
        for (name, plugin) in plugins {
            if !all.contains_key(name) {
                all.insert(name.clone(), plugin.clone());
                self.origins
                    .insert(format!("plugins.{name}"), from.to_owned());
            }
        }
    }

    /// The plugins of a global rule, which run before the document's own and beside them.
    fn rule(&mut self, rule: &Map<String, Value>, path: &str) {
        let (Some((_, id)), Some(plugins)) = (path.split_once('/'), rule.get("plugins")) else {
            return;
        };
        let rules = self
            .fields
            .entry(RULES)
            .or_insert_with(|| Map::new().into());
        if let Some(rules) = rules.as_object_mut() {
            rules.insert(id.to_owned(), plugins.clone());
            self.origins
                .insert(format!("{RULES}.{id}"), path.to_owned());
        }
    }

    fn service(&mut self, service: &Map<String, Value>, path: &str, has_plugins: bool) {
        let says = |whole: &Self, fields: &[&str]| {
            fields.iter().any(|field| whole.fields.contains_key(*field))
        };
        let has_target = says(self, &TARGETS);
        let has_host = says(self, &["host", "hosts", "server_addr"]) || !has_plugins;
        for field in TARGETS.iter().chain(&OF_SERVICE) {
            let is_said = match *field {
                "hosts" => has_host,
                "enable_websocket" => says(self, &["enable_websocket"]) || !has_plugins,
                _ => has_target,
            };
            if let (false, Some(value)) = (is_said, service.get(*field)) {
                self.take(field, value, path);
            }
        }
        if has_plugins {
            self.plugins(service, path);
        }
    }

    /// What a named upstream says stands in its place.
    fn upstream(&mut self, texts: &Texts) {
        let id = match self.fields.get("upstream_id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return,
        };
        let path = format!("upstreams/{id}");
        if let Some(upstream) = texts.get(&path) {
            let says = upstream
                .iter()
                .filter(|(field, _)| !OWN.contains(&&***field));
            let says: Map<_, _> = says
                .map(|(field, value)| (field.clone(), value.clone()))
                .collect();
            self.fields.remove("upstream_id");
            self.origins.remove("upstream_id");
            self.take("upstream", &says.into(), &path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::documents::{Documents, Route};
    use crate::model::Document;
    use crate::model::document::Format;

    fn texts() -> Texts {
        let texts = [
            (
                "routes/a",
                json!({"uri": "/a", "service_id": "s", "plugin_config_id": "p", "plugins": {"cors": {"max_age": 1}}}),
            ),
            (
                "routes/b",
                json!({"uri": "/b", "host": "b.com", "service_id": "s", "upstream": {"nodes": {"10.0.0.9:80": 1}}, "enable_websocket": false}),
            ),
            (
                "routes/c",
                json!({"uri": "/c", "upstream_id": 7, "plugins": {"cors": {}, "request-id": {"header_name": "X-Own"}}}),
            ),
            (
                "plugin_configs/p",
                json!({"plugins": {"cors": {"max_age": 2}, "ip-restriction": {"whitelist": ["10.0.0.0/8"]}}}),
            ),
            (
                "services/s",
                json!({"name": "s", "hosts": ["s.com"], "enable_websocket": true, "upstream_id": "7", "plugins": {"ip-restriction": {"blacklist": ["1.2.3.4"]}, "gzip": {}}}),
            ),
            (
                "upstreams/7",
                json!({"name": "seven", "nodes": {"10.0.0.7:80": 1}, "timeout": {"connect": 1, "send": 2, "read": 3}}),
            ),
            (
                "global_rules/1",
                json!({"plugins": {"request-id": {}, "gzip": {"min_length": 9}}}),
            ),
        ];
        let text =
            |(path, value): (&str, Value)| (path.to_owned(), value.as_object().unwrap().clone());
        texts.map(text).into()
    }

    fn route(texts: &Texts, id: &str) -> Arc<Route> {
        let document = |(path, fields): (&String, &Map<String, Value>)| Document {
            path: path.as_str().into(),
            source: path.as_str().into(),
            format: Format::Json,
            value: Value::Object(fields.clone()).to_string().into(),
            revision: 1,
        };
        let mut documents = Documents::new(Vec::new());
        documents.list(texts.iter().map(document).collect());
        let changes = documents.settle();
        assert!(changes.problems.is_empty(), "{:?}", changes.problems);
        let mut routes = changes.routes.into_iter();
        routes.find(|(of, _)| of.as_str() == id).unwrap().1.unwrap()
    }

    #[test]
    fn what_is_told_alone_is_the_same_route_as_with_all_that_it_names() {
        let texts = texts();
        for id in ["a", "b", "c"] {
            let path = format!("routes/{id}");
            let whole = Effective::of(&path, &texts).unwrap();
            let mut fields = whole.fields;
            let rules = fields.remove(RULES).unwrap();
            let rules = rules.as_object().unwrap().iter();
            let mut alone: Texts = rules
                .map(|(id, plugins)| {
                    let rule = Map::from_iter([("plugins".to_owned(), plugins.clone())]);
                    (format!("{RULES}/{id}"), rule)
                })
                .collect();
            alone.insert(path, fields);
            let (one, other) = (route(&alone, id), route(&texts, id));
            assert_eq!(one.hosts, other.hosts, "{id}");
            assert_eq!(one.websocket, other.websocket, "{id}");
            assert_eq!(one.timeout, other.timeout, "{id}");
            // Their rests name where they were read.
            let upstream =
                |route: &Route| format!("{:?}", route.cluster.as_ref().unwrap().upstream);
            assert_eq!(upstream(&one), upstream(&other), "{id}");
            assert_eq!(
                format!("{:?}", one.plugins),
                format!("{:?}", other.plugins),
                "{id}"
            );
        }
    }

    #[test]
    fn of_each_field_is_told_which_document_it_is_from() {
        let texts = texts();
        let origins = |path: &str| {
            let origins = Effective::of(path, &texts).unwrap().origins.into_iter();
            let origins = origins.map(|(field, from)| format!("{field} {from}"));
            origins.collect::<Vec<_>>()
        };
        assert_eq!(
            origins("routes/a"),
            [
                "enable_websocket services/s",
                "global_rules.1 global_rules/1",
                "hosts services/s",
                "plugins.cors routes/a",
                "plugins.gzip services/s",
                "plugins.ip-restriction plugin_configs/p",
                "upstream upstreams/7",
                "uri routes/a",
            ]
        );
        assert!(!origins("routes/b").contains(&"hosts services/s".to_owned()));
        assert_eq!(origins("upstreams/7").len(), 3);
        assert_eq!(Effective::of("routes/none", &texts), None);
    }
}
