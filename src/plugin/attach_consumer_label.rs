//! `attach-consumer-label`: upstreams are told labels of whoever sends a request.
//!
//! The filters that find a consumer find its labels with it, and [`identity::told`](super::shared::identity::told) leaves them to the
//! script here, which is the route's last word on headers.

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::LABELS;
use super::shared::{header, script};
use crate::model::decode::{self, quoted, shown};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "attach-consumer-label",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "headers",
        "what a client sends in them is taken off also where the consumer has no labels at all, \
        or nobody asks who it is",
    )],
    http_filters: || vec![script::discovered(LABELS)],
};

/// Tells upstreams labels of the consumer who sends a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// By header, the label that it holds: `$department`.
    #[schemars(extend("minProperties" = 1))]
    headers: BTreeMap<String, String>,
}

impl decode::Form for Form {}

#[derive(Debug)]
struct AttachConsumerLabel {
    /// In small letters.
    names: Vec<String>,
    /// Headers and labels, as the script goes by them.
    told: Map<String, Value>,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.headers.is_empty() {
        let message = "found an empty object, allowed: at least one header";
        return Err(Remark::new("headers", message));
    }
    let (mut headers, mut names) = (Vec::new(), Vec::new());
    for (name, label) in &form.headers {
        let wrong = |said: String| Remark::new(format!("headers.{}", shown(name)), said);
        let header = header::changeable(name).map_err(wrong)?;
        if header == "host" {
            let message = "found \"host\", which `host` of `proxy-rewrite` is for";
            return Err(wrong(message.to_owned()));
        }
        let Some(label) = label.strip_prefix('$') else {
            let found = quoted(label);
            return Err(wrong(format!(
                "found {found}, allowed: `$` and the name of a label"
            )));
        };
        headers.push(json!({"header": header, "label": label}));
        names.push(header);
    }
    let told = Map::from_iter([("headers".to_owned(), json!(headers))]);
    Ok(Arc::new(AttachConsumerLabel { names, told }))
}

impl Plugin for AttachConsumerLabel {
    fn runs(&self) -> Vec<&'static str> {
        vec![LABELS]
    }

    /// What another plugin sets there would be set behind all filters.
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let is_own = |name: &String| self.names.contains(name);
        route.request_headers_to_add.retain(|option| {
            let name = option.header.as_ref().map(|header| &header.key);
            !name.is_some_and(is_own)
        });
        script::enable(route, LABELS, &self.told);
    }
}

#[cfg(test)]
mod tests {
    use crate::plugin::tests::refusal;

    #[test]
    fn what_is_no_label_is_refused() {
        let table = [
            (
                r#"{"headers":{}}"#,
                "headers: found an empty object, allowed: at least one header",
            ),
            (
                r#"{"headers":{"X-A":"department"}}"#,
                "headers.X-A: found \"department\", allowed: `$` and the name of a label",
            ),
            (
                r#"{"headers":{"Host":"$a"}}"#,
                "headers.Host: found \"host\", which `host` of `proxy-rewrite` is for",
            ),
            ("{}", "`headers` is missing"),
        ];
        for (configuration, said) in table {
            let found = refusal("attach-consumer-label", configuration);
            assert!(found.starts_with(said), "{configuration}: {found}");
        }
    }
}
