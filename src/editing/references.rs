//! Which documents a document names, read off its text: also where the text is not good otherwise.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{Key, Kind, SecretName};

/// One document that another names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub path: Arc<str>,
    /// Whether a plugin names it.
    pub by_plugin: bool,
}

/// The kinds that others can name, and the folders of those that can name them.
const NAMED_BY: &[(Kind, &[&str])] = &[
    (
        Kind::Upstream,
        &[
            "routes/",
            "services/",
            "stream_routes/",
            "plugin_configs/",
            "global_rules/",
            "consumers/",
            "consumer_groups/",
            "gateways/",
        ],
    ),
    (Kind::Service, &["routes/", "stream_routes/"]),
    (Kind::PluginConfig, &["routes/"]),
    (Kind::ConsumerGroup, &["consumers/"]),
    (
        Kind::Ssl,
        &["upstreams/", "routes/", "services/", "stream_routes/"],
    ),
    (Kind::Gateway, &["routes/", "ssls/", "stream_routes/"]),
    (
        Kind::Proto,
        &["routes/", "services/", "plugin_configs/", "global_rules/"],
    ),
    (
        Kind::Secret,
        &[
            "routes/",
            "services/",
            "stream_routes/",
            "plugin_configs/",
            "global_rules/",
            "consumers/",
            "consumer_groups/",
            "ssls/",
        ],
    ),
];

/// The folders in which documents may lie that name one of this kind.
pub fn named_by(kind: Kind) -> &'static [&'static str] {
    let found = NAMED_BY.iter().find(|(named, _)| *named == kind);
    found.map_or(&[], |(_, folders)| folders)
}

/// The documents that a document of this kind names, each once.
pub fn of(key: &Key, document: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut add = |folder: &str, value: Option<&Value>, by_plugin: bool| {
        if let Some(id) = value.and_then(id) {
            let path = format!("{folder}/{id}").into();
            found.push(Reference { path, by_plugin });
        }
    };
    match key.kind {
        Kind::Route | Kind::StreamRoute | Kind::Service => {
            add("upstreams", document.get("upstream_id"), false);
            let client_cert = document.pointer("/upstream/tls/client_cert_id");
            add("ssls", client_cert, false);
        }
        Kind::Upstream => add("ssls", document.pointer("/tls/client_cert_id"), false),
        Kind::Consumer => add("consumer_groups", document.get("group_id"), false),
        Kind::Gateway => add("upstreams", document.pointer("/tracing/upstream_id"), false),
        Kind::Credential
        | Kind::PluginConfig
        | Kind::GlobalRule
        | Kind::Ssl
        | Kind::ConsumerGroup
        | Kind::PluginMetadata
        | Kind::Proto
        | Kind::Secret => {}
    }
    if let Kind::Route | Kind::StreamRoute = key.kind {
        add("services", document.get("service_id"), false);
    }
    if key.kind == Kind::Route {
        add("plugin_configs", document.get("plugin_config_id"), false);
    }
    if let (Kind::Credential, Some(consumer)) = (key.kind, &key.consumer) {
        let consumer = Value::String(consumer.to_string());
        add("consumers", Some(&consumer), false);
    }
    if let Kind::Route | Kind::StreamRoute | Kind::Ssl = key.kind {
        let gateways = document.get("gateways").and_then(Value::as_array);
        // It is there without being written.
        let named = gateways.into_iter().flatten().filter(|id| *id != "default");
        named.for_each(|gateway| add("gateways", Some(gateway), false));
    }
    let mut open: Vec<&Value> = document.get("plugins").into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                add("upstreams", fields.get("upstream_id"), true);
                add("ssls", fields.get("client_cert_id"), true);
                add("protos", fields.get("proto_id"), false);
                open.extend(fields.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    found.extend(managers(key.kind, document));
    found.sort();
    found.dedup_by(|a, b| a.path == b.path);
    found
}

/// The documents of the secret managers that a document's references are about.
fn managers(kind: Kind, document: &Value) -> Vec<Reference> {
    if let Kind::Upstream | Kind::Gateway | Kind::PluginMetadata | Kind::Proto | Kind::Secret = kind
    {
        return Vec::new();
    }
    let names = SecretName::all_in(kind, document).into_iter();
    let named = names.map(|name| Reference {
        path: name.manager,
        by_plugin: false,
    });
    named.collect()
}

/// What a document is checked with though it does not name it, and though it need not be there.
pub fn implied(key: &Key) -> Option<Reference> {
    (key.kind == Kind::StreamRoute).then(|| Reference {
        path: "gateways/default".into(),
        by_plugin: false,
    })
}

/// The kind of a reference, as people write it: `plugin config`.
pub fn spoken(folder: &str) -> String {
    folder.trim_end_matches('s').replace('_', " ")
}

impl Reference {
    /// What is said where it is not there, in the words that clients know.
    pub fn missing(&self) -> String {
        match self.path.split_once('/') {
            Some(("consumers", _)) => "consumer not found".to_owned(),
            Some((folder, id)) => {
                let kind = spoken(folder);
                format!("failed to fetch {kind} info by {kind} id [{id}], response code: 404")
            }
            None => format!("`{}` does not exist", self.path),
        }
    }

    /// What is said where it is to be deleted and the document `by` names it.
    pub fn in_use(&self, by: &str) -> String {
        let kind = spoken(self.path.split('/').next().unwrap_or_default());
        let (folder, id) = by.split_once('/').unwrap_or((by, ""));
        let directly = if kind == "service" { " directly" } else { "" };
        let plugin = if self.by_plugin { "plugin in " } else { "" };
        let user = if self.by_plugin && folder == "global_rules" {
            folder.to_owned()
        } else {
            folder.trim_end_matches('s').to_owned()
        };
        format!("can not delete this {kind}{directly}, {plugin}{user} [{id}] is still using it now")
    }
}

/// An id as documents write it.
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(path: &str, document: &Value) -> Vec<String> {
        let named = of(&path.parse().unwrap(), document).into_iter();
        named.map(|one| one.path.to_string()).collect()
    }

    #[test]
    fn what_a_document_names_is_found_wherever_it_stands() {
        let route = json!({
            "upstream_id": 1, "service_id": "s", "plugin_config_id": "p", "gateways": ["default", "edge"],
            "upstream": {"tls": {"client_cert_id": "c"}},
            "plugins": {"proxy-rewrite": {"headers": {"set": {"x-a": "$secret://vault/1/a/b"}}}, "traffic-split": {"rules": [{"weighted_upstreams": [
                {"upstream_id": "u"}, {"upstream": {"tls": {"client_cert_id": 7}}}, {"weight": 1},
            ]}]}, "grpc-transcode": {"proto_id": 3}},
        });
        assert_eq!(
            paths("routes/1", &route),
            [
                "gateways/edge",
                "plugin_configs/p",
                "protos/3",
                "secrets/vault/1",
                "services/s",
                "ssls/7",
                "ssls/c",
                "upstreams/1",
                "upstreams/u"
            ]
        );
        let consumer = json!({"username": "jack", "group_id": "g"});
        assert_eq!(paths("consumers/jack", &consumer), ["consumer_groups/g"]);
        assert_eq!(
            paths("consumers/jack/credentials/a", &json!({})),
            ["consumers/jack"]
        );
        let gateway = json!({"tracing": {"upstream_id": "t"}});
        assert_eq!(paths("gateways/edge", &gateway), ["upstreams/t"]);
        assert_eq!(
            paths("routes/1", &json!({"plugins": 1, "upstream_id": {}})),
            Vec::<String>::new()
        );
    }

    #[test]
    fn whoever_names_a_kind_is_among_those_who_are_looked_through() {
        let all = json!({
            "upstream_id": 1, "service_id": 1, "plugin_config_id": 1, "group_id": 1, "gateways": ["g"],
            "tls": {"client_cert_id": 1}, "upstream": {"tls": {"client_cert_id": 1}}, "tracing": {"upstream_id": 1},
            "plugins": {"a": {"b": "$secret://vault/a/b/c"}}, "key": "$secret://vault/a/b/c",
        });
        for kind in Kind::ALL {
            let path = match kind {
                Kind::Credential => "consumers/jack/credentials/a".to_owned(),
                Kind::Secret => "secrets/vault/a".to_owned(),
                _ => format!("{}/a", kind.as_str()),
            };
            for named in of(&path.parse().unwrap(), &all) {
                let of_kind = named.path.parse::<Key>().unwrap().kind;
                let folder = format!("{}/", path.split('/').next().unwrap());
                let is_consumer = of_kind == Kind::Consumer;
                assert!(
                    is_consumer || named_by(of_kind).contains(&folder.as_str()),
                    "{path} names {}",
                    named.path
                );
            }
        }
    }

    #[test]
    fn refusals_are_in_the_words_that_clients_know() {
        let reference = |path: &str, by_plugin| Reference {
            path: path.into(),
            by_plugin,
        };
        let upstream = reference("upstreams/9", false);
        assert_eq!(
            upstream.missing(),
            "failed to fetch upstream info by upstream id [9], response code: 404"
        );
        assert_eq!(
            upstream.in_use("routes/1"),
            "can not delete this upstream, route [1] is still using it now"
        );
        assert_eq!(
            reference("upstreams/9", true).in_use("global_rules/1"),
            "can not delete this upstream, plugin in global_rules [1] is still using it now"
        );
        assert_eq!(
            reference("services/9", false).in_use("stream_routes/1"),
            "can not delete this service directly, stream_route [1] is still using it now"
        );
        assert_eq!(
            reference("plugin_configs/9", false).in_use("routes/1"),
            "can not delete this plugin config, route [1] is still using it now"
        );
        assert_eq!(
            reference("protos/9", false).in_use("routes/1"),
            "can not delete this proto, route [1] is still using it now"
        );
    }
}
