//! `uri-blocker`: requests whose URI holds something that it should not are turned away.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route, RouteMatch, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{Rejection, answer, rejection};
use super::shared::header;
use super::shared::pattern::search;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{AnswerStatus, Within, each_once};
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "uri-blocker",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "block_rules",
        "patterns that PCRE and RE2 mean alike; paths are looked at as Envoy has normalised \
            them",
    )],
    http_filters: Vec::new,
};

/// Turns requests away whose URI holds something that it should not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Patterns of which none may match the path with its query.
    block_rules: Vec<String>,
    /// The status of the answer.
    #[serde(default = "forbidden")]
    rejected_code: AnswerStatus,
    /// What the client is told; nothing without it.
    rejected_msg: Option<Rejection>,
    /// Whether the patterns match letters of the other case too.
    #[serde(default)]
    case_insensitive: bool,
}

impl decode::Form for Form {}

fn forbidden() -> AnswerStatus {
    Within(403)
}

#[derive(Debug)]
struct UriBlocker {
    rules: Vec<StringMatcher>,
    status: u32,
    body: String,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.block_rules.is_empty() {
        let message = "is empty, allowed: at least one pattern";
        return Err(Remark::new("block_rules", message));
    }
    each_once("block_rules", &form.block_rules)?;
    let mut rules = Vec::new();
    for (at, rule) in form.block_rules.iter().enumerate() {
        let place = format!("block_rules[{at}]");
        rules.push(search(rule, form.case_insensitive).map_err(|said| Remark::new(&place, said))?);
        if ["%", "//", ".."].iter().any(|raw| rule.contains(raw)) {
            let message = "sees paths as Envoy has normalised them: without `//` and `..`, letters and digits unescaped";
            reading.warnings.push(Remark::new(place, message));
        }
    }
    Ok(Arc::new(UriBlocker {
        rules,
        status: form.rejected_code.0,
        body: rejection(form.rejected_msg.as_ref()),
    }))
}

impl Plugin for UriBlocker {
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}

    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        self.rules
            .iter()
            .map(|rule| self.blocked(route, rule))
            .collect()
    }
}

impl UriBlocker {
    fn blocked(&self, route: &Route, rule: &StringMatcher) -> Route {
        let mut blocked = route.clone();
        let uri = HeaderMatcher {
            name: ":path".to_owned(),
            header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(rule.clone())),
            ..HeaderMatcher::default()
        };
        let matches = blocked.r#match.get_or_insert_with(RouteMatch::default);
        matches.headers.push(uri);
        answer(&mut blocked, self.status, &self.body);
        if !self.body.is_empty() {
            let json = header::set("content-type", "application/json");
            blocked.response_headers_to_add.push(json);
        }
        blocked
    }
}

#[cfg(test)]
mod tests;
