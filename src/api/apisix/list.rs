//! A list of documents: which of them are asked for, in which order, which page. Pure.

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::editing;
use crate::store::writer::Held;

use super::answer::{self, Secrets};
use crate::api::listing::PAGE;

/// The longest pattern, in bytes.
const PATTERN: usize = 256;

/// Which documents are asked for.
#[derive(Debug, Default)]
pub struct Filter {
    name: Option<Regex>,
    uri: Option<Regex>,
    label: Option<String>,
    fields: Vec<(String, String)>,
    search: Option<String>,
    page: Option<(usize, usize)>,
}

impl Filter {
    /// Reads the parameters of a call. Those of other names are for others.
    pub fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut filter = Self::default();
        let (mut page, mut size) = (None, None);
        for (name, value) in parameters {
            match name.as_str() {
                "page" => page = Some(value.parse::<usize>().unwrap_or(1).max(1)),
                "page_size" => size = Some(value.parse().unwrap_or(0)),
                "name" => filter.name = Some(pattern(name, value)?),
                "uri" => filter.uri = Some(pattern(name, value)?),
                "label" => filter.label = Some(value.clone()),
                "search" => filter.search = Some(value.to_lowercase()),
                "filter" => {
                    let pairs = url::form_urlencoded::parse(value.as_bytes());
                    filter.fields = pairs.into_owned().collect();
                }
                _ => {}
            }
        }
        if size.is_some_and(|size| !PAGE.contains(&size)) {
            return Err("page_size must be between 10 and 500".to_owned());
        }
        filter.page = page.zip(size);
        Ok(filter)
    }

    /// The answer: the documents that are asked for, each with its whole key.
    pub fn answer(
        &self,
        mut documents: Vec<Held>,
        secrets: Secrets,
        key: impl Fn(&str) -> String,
    ) -> Value {
        if self.page.is_some() {
            documents.sort_by_key(|held| held.created);
        }
        if self.chooses() {
            documents.retain(|held| editing::fields(held).is_some_and(|it| self.takes(held, &it)));
        }
        let total = documents.len();
        let (skipped, taken) = match self.page {
            Some((page, size)) => ((page - 1).saturating_mul(size), size),
            None => (0, total),
        };
        let shown = documents.iter().skip(skipped).take(taken);
        let list: Vec<_> = shown
            .map(|held| answer::held(&key(&held.path), held, secrets))
            .collect();
        json!({ "list": list, "total": total })
    }

    fn chooses(&self) -> bool {
        let Self {
            name,
            uri,
            label,
            fields,
            search,
            page: _,
        } = self;
        name.is_some() || uri.is_some() || label.is_some() || search.is_some() || !fields.is_empty()
    }

    fn takes(&self, held: &Held, document: &Map<String, Value>) -> bool {
        let text = |field: &str| document.get(field).and_then(Value::as_str);
        let name = |pattern: &Regex| text("name").is_some_and(|name| pattern.is_match(name));
        let uri =
            |pattern: &Regex| texts(document, &["uri", "uris"]).any(|it| pattern.is_match(it));
        let label = |label: &String| {
            let labels = document.get("labels").and_then(Value::as_object);
            !label.is_empty() && labels.is_some_and(|labels| labels.contains_key(label))
        };
        let is = |(field, value): &(String, String)| match document.get(field) {
            Some(Value::String(found)) => found == value,
            Some(other) => *value == *other.to_string(),
            None => false,
        };
        self.name.as_ref().is_none_or(name)
            && self.uri.as_ref().is_none_or(uri)
            && self.label.as_ref().is_none_or(label)
            && self.fields.iter().all(is)
            && self
                .search
                .as_ref()
                .is_none_or(|words| is_found(words, held, document))
    }
}

/// Whether what a person typed is in the parts by which people look for documents; all words have to be.
fn is_found(typed: &str, held: &Held, document: &Map<String, Value>) -> bool {
    let parts = parts(&held.path, document);
    let mut words = typed.split_whitespace();
    words.all(|word| parts.iter().any(|part| part.contains(word)))
}

/// What people look for documents by, in small letters.
pub(in crate::api) fn parts(path: &str, document: &Map<String, Value>) -> Vec<String> {
    const TEXTS: &[&str] = &[
        "id",
        "name",
        "desc",
        "host",
        "hosts",
        "uri",
        "uris",
        "username",
        "upstream_id",
        "service_id",
        "plugin_config_id",
        "sni",
        "snis",
        "gateways",
    ];
    let mut parts: Vec<String> = texts(document, TEXTS).map(str::to_lowercase).collect();
    parts.extend(path.rsplit('/').next().map(str::to_lowercase));
    let object = |field: &str| document.get(field).and_then(Value::as_object);
    parts.extend(object("plugins").into_iter().flat_map(Map::keys).cloned());
    for (name, value) in object("labels").into_iter().flatten() {
        parts.push(match value.as_str() {
            Some(value) => format!("{name}:{value}").to_lowercase(),
            None => name.to_lowercase(),
        });
    }
    let upstream = object("upstream").unwrap_or(document);
    parts.extend(service(upstream));
    match upstream.get("nodes") {
        Some(Value::Object(nodes)) => parts.extend(nodes.keys().map(|node| node.to_lowercase())),
        Some(Value::Array(nodes)) => {
            let hosts = nodes.iter().filter_map(|node| node.get("host")?.as_str());
            parts.extend(hosts.map(str::to_lowercase));
        }
        _ => {}
    }
    parts
}

/// The service by which instances are found, as it is called everywhere: `consul/echo`.
fn service(upstream: &Map<String, Value>) -> Option<String> {
    let text = |field: &str| upstream.get(field).and_then(Value::as_str);
    let name = text("service_name")?.to_lowercase();
    Some(match text("discovery_type") {
        Some(registry) => format!("{}/{name}", registry.to_lowercase()),
        None => name,
    })
}

/// The texts in these fields, which may be lists of them.
pub(in crate::api) fn texts<'a>(
    document: &'a Map<String, Value>,
    fields: &'a [&str],
) -> impl Iterator<Item = &'a str> {
    let values = fields.iter().filter_map(|field| document.get(*field));
    let each = values.flat_map(|value| match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    });
    each.filter_map(Value::as_str)
}

fn pattern(name: &str, text: &str) -> Result<Regex, String> {
    if text.len() > PATTERN {
        return Err(format!(
            "{name}: found {} bytes, allowed: a pattern of at most {PATTERN}",
            text.len()
        ));
    }
    Regex::new(text).map_err(|error| format!("{name}: no pattern: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: &str, created: i64, document: &Value) -> Held {
        Held {
            path: format!("routes/{id}").into(),
            text: document.to_string().into(),
            created,
            modified: created,
        }
    }

    fn documents() -> Vec<Held> {
        vec![
            held(
                "a",
                9,
                &json!({"name": "shop", "uri": "/shop/*", "labels": {"team": "Red"}}),
            ),
            held(
                "b",
                7,
                &json!({"uris": ["/a", "/cart"], "service_id": 1, "plugins": {"cors": {}},
                    "upstream": {"discovery_type": "consul", "service_name": "Echo"}}),
            ),
            held(
                "c",
                8,
                &json!({"name": "workshop", "host": "Pets.example.com", "upstream": {"nodes": {"10.0.0.7:80": 1}}}),
            ),
        ]
    }

    fn asked(query: &str) -> Result<(Vec<String>, u64), String> {
        let parameters = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let parameters: Vec<_> = parameters.collect();
        let answer = Filter::read(&parameters)?
            .answer(documents(), Secrets::Shown, |path| format!("/x/{path}"));
        let keys = answer["list"].as_array().unwrap().iter();
        let ids = keys.map(|one| {
            one["key"]
                .as_str()
                .unwrap()
                .trim_start_matches("/x/routes/")
                .to_owned()
        });
        Ok((ids.collect(), answer["total"].as_u64().unwrap()))
    }

    fn ids(query: &str) -> String {
        asked(query).unwrap().0.concat()
    }

    #[test]
    fn filters_are_all_of_them_true() {
        for (query, found) in [
            ("", "abc"),
            ("name=shop", "ac"),
            ("name=^shop", "a"),
            ("uri=cart", "b"),
            ("uri=/shop&name=work", ""),
            ("label=team", "a"),
            ("label=", ""),
            ("filter=service_id%3D1", "b"),
            ("filter=service_id%3D1%26upstream_id%3D2", ""),
            ("search=SHOP", "ac"),
            ("search=red", "a"),
            ("search=cors", "b"),
            ("search=10.0.0.7", "c"),
            ("search=consul/echo", "b"),
            ("search=pets+work", "c"),
            ("search=pets+cart", ""),
            ("color=blue", "abc"),
        ] {
            assert_eq!(ids(query), found, "{query}");
        }
    }

    #[test]
    fn pages_are_in_the_order_in_which_documents_were_made_and_end_empty() {
        assert_eq!(ids("page=1&page_size=10"), "bca");
        assert_eq!(ids("page=0&page_size=10"), "bca");
        assert_eq!(asked("page=2&page_size=10").unwrap(), (Vec::new(), 3));
        assert_eq!(ids("page=2"), "abc");
        let size = "page_size must be between 10 and 500";
        for query in ["page=1&page_size=9", "page_size=501", "page_size=x"] {
            assert_eq!(asked(query), Err(size.to_owned()), "{query}");
        }
        assert!(asked("name=(").unwrap_err().starts_with("name: no pattern"));
    }
}
