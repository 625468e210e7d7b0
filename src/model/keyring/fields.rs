//! Which fields of documents hold secrets that APISIX encrypts, and these fields sealed and opened.

use serde_json::{Map, Value};

use super::{Keyring, sealed_bytes};
use crate::model::Kind;

/// Fields of plugins, `encrypt_fields` in APISIX: of those that say who a consumer is …
const OF_CONSUMERS: &[(&str, &[&str])] = &[
    ("basic-auth", &["password"]),
    ("jwt-auth", &["secret", "private_key"]),
    ("key-auth", &["key"]),
];
/// … and of all others.
const OF_OTHERS: &[(&str, &[&str])] = &[("csrf", &["key"]), ("openid-connect", &["client_secret"])];

/// What a private key in the clear begins with.
const PEM: &str = "---";

/// A secret of a document.
struct Secret<'a> {
    /// Its field, as a path.
    field: String,
    shape: Shape,
    text: &'a mut String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// In the clear it begins with [`PEM`].
    PrivateKey,
    /// Any text, also one that looks encrypted.
    Any,
}

/// What became of the secrets of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether any was encrypted.
    pub any: bool,
    /// Private keys that are neither in the clear nor opened by any key, by their fields.
    pub shut: Vec<String>,
    /// What looks encrypted, no key opens, and is a text in the clear as well.
    pub doubtful: Vec<String>,
}

impl Keyring {
    /// Whether a text of this kind may hold anything that is sealed or opened. A quick look: most do not.
    pub fn concerns(&self, kind: Kind, text: &[u8]) -> bool {
        match kind {
            _ if self.is_empty() => false,
            Kind::Ssl | Kind::Consumer | Kind::Credential | Kind::Secret => true,
            Kind::Gateway | Kind::ConsumerGroup | Kind::PluginMetadata => false,
            _ => {
                let text = String::from_utf8_lossy(text);
                // JSON may write characters by their numbers.
                ["client_key", "client_secret", "csrf", "\\u"]
                    .iter()
                    .any(|part| text.contains(part))
            }
        }
    }

    /// Opens what is encrypted in a document; what is in the clear stays as it is.
    pub fn open_in(&self, kind: Kind, document: &mut Map<String, Value>) -> Opened {
        let mut opened = Opened::default();
        if self.is_empty() {
            return opened;
        }
        for Secret { field, shape, text } in secrets(kind, document) {
            let is_pem = shape == Shape::PrivateKey;
            if is_pem && text.starts_with(PEM) {
                continue;
            }
            if let Some(clear) = self.open(text) {
                *text = clear;
                opened.any = true;
            } else if is_pem && !text.starts_with('$') {
                opened.shut.push(field);
            } else if !is_pem && sealed_bytes(text).is_some() {
                opened.doubtful.push(field);
            }
        }
        opened
    }

    /// The text of a document in the clear, as it is stored.
    pub fn sealed(&self, kind: Kind, mut document: Map<String, Value>) -> String {
        if !self.is_empty() {
            for Secret { shape, text, .. } in secrets(kind, &mut document) {
                // Another text is no private key: whoever reads it says so.
                if shape == Shape::Any || text.starts_with(PEM) {
                    *text = self.seal(text);
                }
            }
        }
        Value::Object(document).to_string()
    }
}

/// The secrets of a document that APISIX encrypts.
fn secrets(kind: Kind, document: &mut Map<String, Value>) -> Vec<Secret<'_>> {
    let mut found = Vec::new();
    for (name, value) in document {
        match (kind, name.as_str(), value) {
            (Kind::Ssl, "key" | "keys", value) => add(&mut found, name, Shape::PrivateKey, value),
            // The name of a variable is no secret.
            (Kind::Secret, "token", Value::String(text)) if text.starts_with('$') => {}
            (Kind::Secret, "token", value) => add(&mut found, name, Shape::Any, value),
            (Kind::Upstream, "tls", value) => of_tls(&mut found, name, value),
            (_, "upstream", value) => of_upstream(&mut found, name, value),
            (_, "plugins", Value::Object(plugins)) => {
                for (plugin, value) in plugins {
                    of_plugin(&mut found, kind, plugin, value);
                }
            }
            _ => {}
        }
    }
    found
}

fn of_plugin<'a>(found: &mut Vec<Secret<'a>>, kind: Kind, name: &str, plugin: &'a mut Value) {
    let place = format!("plugins.{name}");
    if name == "traffic-split" {
        for (at, rule) in items(plugin, "rules") {
            for (upstream_at, weighted) in items(rule, "weighted_upstreams") {
                let place = format!("{place}.rules[{at}].weighted_upstreams[{upstream_at}]");
                if let Some(upstream) = weighted.get_mut("upstream") {
                    of_upstream(found, &format!("{place}.upstream"), upstream);
                }
            }
        }
        return;
    }
    let known = match kind {
        Kind::Consumer | Kind::Credential => OF_CONSUMERS,
        _ => OF_OTHERS,
    };
    let fields = known.iter().find(|(known, _)| *known == name);
    let Some(((_, fields), Value::Object(plugin))) = fields.map(|of| (of, plugin)) else {
        return;
    };
    for (field, value) in plugin {
        if fields.contains(&field.as_str()) {
            add(found, &format!("{place}.{field}"), Shape::Any, value);
        }
    }
}

fn of_upstream<'a>(found: &mut Vec<Secret<'a>>, place: &str, upstream: &'a mut Value) {
    if let Some(tls) = upstream.get_mut("tls") {
        of_tls(found, &format!("{place}.tls"), tls);
    }
}

fn of_tls<'a>(found: &mut Vec<Secret<'a>>, place: &str, tls: &'a mut Value) {
    if let Some(key) = tls.get_mut("client_key") {
        add(
            found,
            &format!("{place}.client_key"),
            Shape::PrivateKey,
            key,
        );
    }
}

/// The items of a list in a field, with their numbers.
fn items<'a>(of: &'a mut Value, field: &str) -> impl Iterator<Item = (usize, &'a mut Value)> {
    let list = of.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().enumerate()
}

/// Adds a text, or each of a list.
fn add<'a>(found: &mut Vec<Secret<'a>>, field: &str, shape: Shape, value: &'a mut Value) {
    match value {
        Value::String(text) => found.push(Secret {
            field: field.to_owned(),
            shape,
            text,
        }),
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                add(found, &format!("{field}[{at}]"), shape, item);
            }
        }
        _ => {}
    }
}
