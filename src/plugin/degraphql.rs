//! `degraphql`: a query of GraphQL in the place of what a client asks, with variables from its request.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::QUERIES;
use super::shared::script;
use crate::model::bounds::{List, LongText};
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "degraphql",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "query",
        "is looked at for its brackets and how many definitions it has; what else is wrong with it, the instance says",
    )],
    http_filters,
};

/// Characters of a query, and of an operation's name.
const LONGEST: usize = 1024;
/// Variables of a query.
const VARIABLES: usize = 64;

/// Asks for this by GraphQL: GET by the query of the address, POST by a body.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What is asked.
    query: LongText<LONGEST>,
    /// Its variables: arguments of a GET, fields of what is posted as JSON.
    variables: Option<List<LongText<256>, VARIABLES>>,
    /// Which operation of the query, where it has several definitions.
    operation_name: Option<LongText<LONGEST>>,
}

impl decode::Form for Form {}

/// What the script goes by.
#[derive(Debug)]
struct Degraphql(Map<String, Value>);

fn http_filters() -> Vec<HttpFilter> {
    vec![script::discovered(QUERIES)]
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let query = form.query.0;
    let operation = form.operation_name.map(|LongText(name)| name);
    if operation.as_deref() == Some("") {
        let message = "found an empty text, allowed: at least one character";
        return Err(Remark::new("operation_name", message));
    }
    match definitions(&query) {
        None | Some(0) => {
            let found = quoted(&query);
            let message = format!(
                "found {found}, allowed: a query of GraphQL such as \"{{ persons {{ id }} }}\""
            );
            return Err(Remark::new("query", message));
        }
        Some(2..) if operation.is_none() => {
            let message =
                "is missing, allowed: one of the operations, as `query` has several definitions";
            return Err(Remark::new("operation_name", message));
        }
        Some(_) => {}
    }
    let variables = form.variables.map(|List(names)| names);
    if variables.as_ref().is_some_and(Vec::is_empty) {
        let message = "is empty, allowed: at least one; leave it out where there is none";
        return Err(Remark::new("variables", message));
    }
    let names = variables.map(|names| names.into_iter().map(|LongText(name)| name));
    let told = [
        ("query", Some(json!(query))),
        ("operation", operation.map(Value::from)),
        (
            "variables",
            names.map(|names| names.map(Value::from).collect()),
        ),
    ];
    let told = told.into_iter();
    let told = told.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Arc::new(Degraphql(told.collect())))
}

/// How many definitions a query has: each ends with its outermost braces. Nothing where brackets do not fit.
fn definitions(query: &str) -> Option<usize> {
    let (mut count, mut open) = (0, Vec::new());
    let mut rest = query;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => text(rest)?,
            _ => next.len_utf8(),
        };
        match next {
            '{' => open.push('}'),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '}' | ')' | ']' => {
                if open.pop() != Some(next) {
                    return None;
                }
                count += usize::from(next == '}' && open.is_empty());
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    open.is_empty().then_some(count)
}

/// How long the text is that begins here, with its marks.
fn text(rest: &str) -> Option<usize> {
    if let Some(block) = rest.strip_prefix("\"\"\"") {
        return block.find("\"\"\"").map(|end| end + 6);
    }
    let mut is_escaped = false;
    for (at, next) in rest.char_indices().skip(1) {
        match next {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

impl Plugin for Degraphql {
    fn runs(&self) -> Vec<&'static str> {
        vec![QUERIES]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        script::enable(route, QUERIES, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::tests::refusal;

    #[test]
    fn definitions_are_counted() {
        for (query, count) in [
            ("{ a }", Some(1)),
            ("query Q($a: [Int] = [1]) { a(b: {c: $a}) { d } }", Some(1)),
            ("query A { a } fragment F on T { b } # { c }", Some(2)),
            ("{ a(b: \"}\\\"}\") }", Some(1)),
            ("{ a(b: \"\"\"}\"\"\") }", Some(1)),
            ("{ a", None),
            ("{ a(] }", None),
            ("{ a(b: \"c) }", None),
            ("a", Some(0)),
            ("", Some(0)),
        ] {
            assert_eq!(definitions(query), count, "{query}");
        }
    }

    #[test]
    fn what_is_refused() {
        let long = json!({"query": "a".repeat(1025)}).to_string();
        for (configuration, said) in [
            ("{}", "`query` is missing"),
            (
                r#"{"query":"persons"}"#,
                "query: found \"persons\", allowed: a query of GraphQL",
            ),
            (
                r#"{"query":"{ a"}"#,
                "query: found \"{ a\", allowed: a query of GraphQL",
            ),
            (
                r#"{"query":"query A { a } query B { b }"}"#,
                "operation_name: is missing, allowed: one of the operations",
            ),
            (
                r#"{"query":"{ a }","operation_name":""}"#,
                "operation_name: found an empty text, allowed: at least one character",
            ),
            (
                r#"{"query":"{ a }","variables":[]}"#,
                "variables: is empty, allowed: at least one",
            ),
            (&long, "query: found 1025 characters, allowed: at most 1024"),
        ] {
            let found = refusal("degraphql", configuration);
            assert!(found.starts_with(said), "{configuration}: {found}");
        }
    }
}
