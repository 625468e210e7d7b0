//! `echo`: texts before, behind or in the place of what an instance answers, and headers.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{ANSWER_BYTES, Body};
use super::shared::asked::ECHOES;
use super::shared::header::{self, Headers};
use super::shared::script;
use crate::model::bounds::within;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "echo",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("", "no texts beside a `body` of `response-rewrite`"),
        ("headers", "no `$` with a name behind it"),
    ],
    // Its filter stands before those of response-rewrite, as an answer passes it behind them.
    http_filters: Vec::new,
};

/// Gives clients texts beside what an instance answers, or in its place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What stands before the body.
    before_body: Option<Body>,
    /// What stands in its place.
    body: Option<Body>,
    /// What stands behind it.
    after_body: Option<Body>,
    /// Headers to set.
    headers: Option<Headers>,
}

impl decode::Form for Form {}

/// What the script goes by.
#[derive(Debug)]
struct Echo(Map<String, Value>);

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let texts = [
        ("before", &form.before_body),
        ("body", &form.body),
        ("after", &form.after_body),
    ];
    let texts = texts.into_iter();
    let texts = texts.filter_map(|(name, text)| Some((name, &text.as_ref()?.0)));
    let texts: Vec<(&str, &String)> = texts.collect();
    if texts.is_empty() {
        let message = "needs one of `before_body`, `body` and `after_body`";
        return Err(Remark::whole(message));
    }
    let bytes = texts.iter().map(|(_, text)| text.len()).sum();
    within(bytes, "bytes of texts", ANSWER_BYTES as usize).map_err(Remark::whole)?;
    let mut told: Map<String, Value> = texts
        .into_iter()
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect();
    if let Some(headers) = &form.headers {
        if headers.is_empty() {
            let message = "is empty, allowed: at least one header";
            return Err(Remark::new("headers", message));
        }
        let headers = header::plain("headers", headers)?;
        let each = headers.iter();
        let each = each.map(|(name, value)| json!({"name": name, "value": value}));
        told.insert("headers".to_owned(), each.collect());
    }
    Ok(Arc::new(Echo(told)))
}

impl Plugin for Echo {
    fn runs(&self) -> Vec<&'static str> {
        vec![ECHOES]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        script::enable(route, ECHOES, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
    use prost::Message;

    use super::*;
    use crate::plugin::tests::{applied, refusal};

    #[test]
    fn a_script_is_told_the_texts() {
        let route = applied(json!({"echo": {"before_body": "a", "headers": {"X-One": 1}}}));
        let config = &route.typed_per_filter_config[ECHOES];
        let script = LuaPerRoute::decode(config.value.as_slice()).unwrap();
        let mut fields: Vec<_> = script.filter_context.unwrap().fields.into_keys().collect();
        fields.sort();
        assert_eq!(fields, ["before", "headers"]);
    }

    #[test]
    fn what_is_refused() {
        let half = "a".repeat(ANSWER_BYTES as usize / 2 + 1);
        let large = json!({"before_body": half, "after_body": half}).to_string();
        for (configuration, said) in [
            ("{}", "needs one of `before_body`, `body` and `after_body`"),
            (
                r#"{"headers":{"a":"b"}}"#,
                "needs one of `before_body`, `body` and `after_body`",
            ),
            (
                r#"{"body":"a","headers":{}}"#,
                "headers: is empty, allowed: at least one header",
            ),
            (
                r#"{"body":"a","headers":{"content-length":1}}"#,
                "headers.content-length: found the name \"content-length\"",
            ),
            (
                &large,
                "found 1048578 bytes of texts, allowed: at most 1048576",
            ),
        ] {
            let found = refusal("echo", configuration);
            assert!(found.starts_with(said), "{said}: {found}");
        }
    }
}
