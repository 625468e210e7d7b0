//! Documents at random, by the schema of their kind: what stands in their fields is often what people write there.

use serde_json::{Map, Value, json};

use crate::model::Kind;

/// What people write in a field of this name.
const USUAL: &[(&str, &[&str])] = &[
    ("uri", &["/a", "/a/*", "/"]),
    ("uris", &["/a", "/b/*", "/c/:id"]),
    ("host", &["a.example.com", "*.example.com"]),
    ("hosts", &["a.example.com", "*.example.com"]),
    ("sni", &["a.example.com", "*"]),
    ("snis", &["a.example.com", "*.example.com"]),
    ("upstream_id", &["u", "u", "gone"]),
    ("service_id", &["s", "s", "gone"]),
    ("plugin_config_id", &["p"]),
    ("group_id", &["g", "gone"]),
    ("client_cert_id", &["c", "u"]),
    ("gateways", &["default", "edge", "gone"]),
    ("address", &["10.0.0.1", "::"]),
    ("server_addr", &["10.0.0.1"]),
    ("remote_addr", &["10.0.0.1", "10.0.0.0/8"]),
    ("remote_addrs", &["10.0.0.0/8", "::1"]),
    ("whitelist", &["10.0.0.0/8", "jack"]),
    ("blacklist", &["10.0.0.0/8", "jack"]),
    ("trusted_addresses", &["10.0.0.0/8"]),
    ("service_name", &["echo"]),
    ("type", &["roundrobin", "chash", "server", "client"]),
    ("hash_on", &["vars", "header"]),
    ("username", &["jack", "jill"]),
    ("password", &["secret"]),
    ("secret", &["secret-secret-secret-secret-secret"]),
];
const TEXTS: &[&str] = &[
    "a",
    "k",
    "l",
    "/a",
    "remote_addr",
    "$remote_addr",
    "x-a",
    "1s",
    "",
    "\u{e9} \n",
    "$env://A",
    "RjeV6km+KxQJN2rfu8Y7aA==",
    "^/a(.*)$",
];
const NUMBERS: &[i64] = &[0, 1, 1, 2, 60, 80, 200, 403, 503, -1, 1 << 40];
/// Keys of objects whose names are free.
const NAMES: &[&str] = &["10.0.0.1:80", "a.example.com:8080", "x-a", "a"];

/// A source of documents.
pub struct Draw<'a> {
    random: fastrand::Rng,
    /// A certificate and its key.
    pair: &'a (String, String),
    depth: usize,
    of_ssl: bool,
    of_secret: bool,
}

impl<'a> Draw<'a> {
    pub fn new(seed: u64, pair: &'a (String, String)) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            pair,
            depth: 0,
            of_ssl: false,
            of_secret: false,
        }
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.random.usize(..all.len())]
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.random.usize(..times) == 0
    }

    /// A value of a field, mostly as its schema says.
    pub fn value(&mut self, field: &str, schema: &Value) -> Value {
        if self.depth > 0 && self.once_in(80) {
            let others = [
                json!(null),
                json!(true),
                json!([1]),
                json!({ "a": 1 }),
                json!("a"),
            ];
            return others[self.random.usize(..others.len())].clone();
        }
        for forms in ["anyOf", "oneOf"] {
            if let Some(forms) = schema[forms].as_array().filter(|forms| !forms.is_empty()) {
                let chosen = &forms[self.random.usize(..forms.len())];
                return self.value(field, chosen);
            }
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        if let Some(all) = schema["enum"].as_array().filter(|all| !all.is_empty()) {
            return all[self.random.usize(..all.len())].clone();
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) if !kinds.is_empty() => {
                let chosen = &kinds[self.random.usize(..kinds.len())];
                chosen.as_str().unwrap_or_default()
            }
            one => one.as_str().unwrap_or_default(),
        };
        match kind {
            "object" => self.object(field, schema),
            "array" => self.list(field, schema),
            "integer" => self.one_of(NUMBERS).into(),
            "number" if self.once_in(3) => json!(0.5),
            "number" => self.one_of(NUMBERS).into(),
            "boolean" => self.random.bool().into(),
            _ => self.text(field),
        }
    }

    fn object(&mut self, field: &str, schema: &Value) -> Value {
        self.of_ssl |= field == Kind::Ssl.as_str();
        self.of_secret |= field == Kind::Secret.as_str();
        self.depth += 1;
        let mut fields = Map::new();
        let required = |name: &str| {
            let mut all = schema["required"].as_array().into_iter().flatten();
            all.any(|one| one == name)
        };
        let known = schema["properties"].as_object();
        // Of plugins and of an upstream's ways to say where it is, few are chosen.
        let times = match field {
            "plugins" => 16,
            _ if self.depth > 2 => 6,
            _ => 4,
        };
        for (name, schema) in known.into_iter().flatten() {
            let often = match name.as_str() {
                "uri" | "nodes" | "upstream_id" | "plugins" | "snis" => 2,
                "upstream" => 3,
                _ => times,
            };
            if required(name) || self.once_in(often) {
                fields.insert(name.clone(), self.value(name, schema));
            }
        }
        if schema["additionalProperties"].is_object() {
            for _ in 0..self.random.usize(..3) {
                let value = self.value(field, &schema["additionalProperties"]);
                fields.insert(self.one_of(NAMES).to_owned(), value);
            }
        }
        if self.once_in(60) {
            fields.insert("surprise".to_owned(), 1.into());
        }
        self.depth -= 1;
        fields.into()
    }

    fn list(&mut self, field: &str, schema: &Value) -> Value {
        if field == "vars" {
            return json!([["arg_a", "==", self.one_of(TEXTS)]]);
        }
        self.depth += 1;
        let count = self.random.usize(..3);
        let items = (0..count).map(|_| self.value(field, &schema["items"]));
        let items = items.collect();
        self.depth -= 1;
        Value::Array(items)
    }

    fn text(&mut self, field: &str) -> Value {
        let (cert, key) = self.pair;
        match field {
            "cert" | "certs" | "client_cert" | "ca" => return cert.as_str().into(),
            // Of other documents it says what requests are told apart by.
            "key" | "keys" if self.of_ssl => return key.as_str().into(),
            "client_key" => return key.as_str().into(),
            "uri" if self.of_secret => return "https://vault.example.com:8200".into(),
            "prefix" | "token" if self.of_secret && !self.once_in(4) => return "a/b".into(),
            _ => {}
        }
        let usual = USUAL.iter().find(|(name, _)| *name == field);
        match usual {
            Some((_, usual)) if !self.once_in(12) => self.one_of(usual).into(),
            _ => self.one_of(TEXTS).into(),
        }
    }
}
