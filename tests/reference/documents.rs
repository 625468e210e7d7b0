//! `documents/<kind>.md`: the fields of each kind of documents.

use std::collections::{BTreeMap, BTreeSet};

use chancery::documents::schema;
use chancery::model::Kind;
use serde_json::Value;

use super::fields::{Links, rows};
use super::page::{Page, code, sentence};

/// Fields that APISIX does not have, and all below them.
const OURS: [&str; 9] = [
    "gateways",
    "routes.gateways",
    "ssls.gateways",
    "stream_routes.gateways",
    "upstreams.discovery_args",
    "upstreams.hash_algorithm",
    "upstreams.slow_start",
    "upstreams.tls.ca",
    "upstreams.tls.sni",
];

/// Where to read on about a kind.
fn more(kind: Kind) -> &'static str {
    match kind {
        Kind::Route => {
            "[Matching](../../explanation/matching.md) explains which route gets a request."
        }
        Kind::Upstream => {
            "[Instances from Consul](../../how-to/consul.md) explains `service_name` and `discovery_args`."
        }
        Kind::Service | Kind::PluginConfig | Kind::GlobalRule => {
            "[Documents](../../explanation/documents.md#who-wins) explains whose plugins win."
        }
        Kind::Ssl => "[TLS](../../how-to/tls.md) explains how to serve HTTPS.",
        Kind::StreamRoute => "[TLS](../../how-to/tls.md) explains how TLS is passed through.",
        Kind::Gateway => {
            "[Several gateways](../../how-to/gateways.md) explains what they are for. `default` exists \
                          without being written."
        }
        Kind::PluginMetadata => {
            "[Documents](../../explanation/documents.md#kinds) explains who goes by it."
        }
        Kind::Proto => "[gRPC](../../how-to/grpc.md) explains how requests over HTTP become calls.",
        Kind::Secret => {
            "[Secrets outside documents](../../how-to/secrets.md#vault) explains who is asked for what."
        }
        Kind::Consumer | Kind::Credential | Kind::ConsumerGroup => {
            "[Consumers](../../how-to/consumers.md) explains how callers are authenticated."
        }
    }
}

/// Where documents of a kind lie below the prefix.
fn key(kind: Kind) -> String {
    match kind {
        Kind::Credential => "consumers/<username>/credentials/<id>".to_owned(),
        Kind::Consumer => "consumers/<username>".to_owned(),
        Kind::PluginMetadata => "plugin_metadata/<plugin>".to_owned(),
        Kind::Secret => "secrets/vault/<id>".to_owned(),
        kind => format!("{}/<id>", kind.as_str()),
    }
}

pub fn pages() -> BTreeMap<String, String> {
    let mut seen = BTreeSet::new();
    let mut pages = BTreeMap::new();
    for kind in Kind::ALL {
        let name = kind.as_str();
        pages.insert(format!("documents/{name}.md"), page(kind, &mut seen));
    }
    let unseen: Vec<_> = OURS.iter().filter(|ours| !seen.contains(**ours)).collect();
    assert!(
        unseen.is_empty(),
        "no kind has the fields {unseen:?}, which are marked as ours"
    );
    pages.insert("documents.md".to_owned(), index());
    pages
}

fn index() -> String {
    let mut page = Page::new("Documents, field by field");
    page.paragraph(
        "A page per kind of documents. [Documents](../explanation/documents.md) explains what they are to each other. \
         Fields that APISIX does not have are marked \"ours\". A field that does not exist is refused by name. A text has 8,192 characters at most where nothing else is said; [how large things may be](../explanation/documents.md#how-large-things-may-be).",
    );
    let rows = Kind::ALL.map(|kind| {
        let schema = schema::of(kind);
        let name = kind.as_str();
        let whose = if OURS.contains(&name) { " (ours)" } else { "" };
        [
            format!("[`{name}`](documents/{name}.md){whose}"),
            code(&key(kind)),
            sentence(schema["description"].as_str().unwrap_or(name)),
        ]
    });
    page.table(["kind", "key below the prefix", "holds"], rows.into());
    page.text()
}

fn page(kind: Kind, seen: &mut BTreeSet<&'static str>) -> String {
    let name = kind.as_str();
    let schema = schema::of(kind);
    let mut page = Page::new(name);
    if let Some(said) = schema["description"].as_str() {
        page.paragraph(&sentence(said));
    }
    page.paragraph(&format!(
        "Key: `<prefix>/{}`. {} `chancery schema {name}` prints the JSON Schema.",
        key(kind),
        more(kind),
    ));
    if OURS.contains(&name) {
        page.paragraph("APISIX does not have this kind.");
    }
    mark(name, &schema, seen);
    let is_ours = |path: &str| {
        let path = format!("{name}.{path}").replace("[]", "");
        // Of a kind that is ours, and below a field that is, all is: said once.
        OURS.contains(&path.as_str())
    };
    let links = Links {
        plugins: "../plugins.md",
        upstreams: "upstreams.md",
    };
    page.table(
        ["field", "type", "default", "says"],
        rows(&schema, &links, &is_ours),
    );
    page.text()
}

/// Notes which of the fields marked as ours there are.
fn mark(path: &str, schema: &Value, seen: &mut BTreeSet<&'static str>) {
    seen.extend(OURS.iter().filter(|ours| **ours == path));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        mark(&format!("{path}.{name}"), field, seen);
    }
}
