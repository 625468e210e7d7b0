//! What reading a document says of its plugins: warnings, and why it is refused.

use chancery::documents::Documents;
use chancery::model::document::Format;
use chancery::model::{Discovery, Document, Problem};
use regex::Regex;
use serde_json::{Value, json};

/// Documents, read.
pub fn read(documents: Vec<Document>) -> Documents {
    let mut all = Documents::new(vec![Discovery::Consul, Discovery::File]);
    all.list(documents);
    all.settle();
    all
}

/// What is wrong with a route that has this plugin.
pub fn refusal(plugin: &str, configuration: &Value) -> Option<Problem> {
    let documents = with(plugin, configuration);
    documents.problems().next().cloned()
}

/// What a route that has this plugin is warned of about it: the field within it, and what is said.
pub fn warnings(plugin: &str, configuration: &Value) -> Vec<(String, String)> {
    let documents = with(plugin, configuration);
    let all = documents.statuses(0).flat_map(|status| status.warnings);
    all.filter_map(|warning| about(plugin, &warning)).collect()
}

/// A route that has nothing but this plugin, and an upstream.
fn with(plugin: &str, configuration: &Value) -> Documents {
    let value = json!({
        "uri": "/*",
        "plugins": { plugin: configuration },
        "upstream": { "nodes": { "127.0.0.1:80": 1 } },
    });
    read(vec![Document {
        path: "routes/r".into(),
        source: "routes/r".into(),
        format: Format::Json,
        value: value.to_string().into(),
        revision: 1,
    }])
}

/// Whether a remark is about this plugin: its field within the configuration, and what is said.
pub fn about(plugin: &str, problem: &Problem) -> Option<(String, String)> {
    let place = format!("plugins.{plugin}");
    let field = problem.field.strip_prefix(&place)?;
    let field = match field.strip_prefix('.') {
        Some(field) => field,
        None if field.is_empty() || field.starts_with('[') => field,
        None => return None,
    };
    let place = Regex::new(r"\[\d+\]").expect("a pattern");
    let field = place.replace_all(field, "[]").into_owned();
    Some((field, problem.message.clone()))
}
