//! `response-rewrite`: another answer, or other headers, than the instance's.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, HeaderValueOption, SubstitutionFormatString, data_source::Specifier,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue,
    filter_state_value::{Key as StateKey, Value as StateValue},
};
use envoy_types::pb::envoy::extensions::filters::http::custom_response::v3::CustomResponse;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
use prost::Name;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{ANSWER_BYTES, Body};
use super::shared::asked::{ANSWERS, Answer, Asked, ECHOES};
use super::shared::condition::Condition;
use super::shared::header::{self, Checked, Headers};
use super::shared::{script, variable};
use crate::cohort::Ability;
use crate::envoy::any;
use crate::envoy::filter::{self, Whose};
use crate::envoy::proto::uint32;
use crate::model::bounds::LongText;
use crate::model::decode::{self, kind_of};
use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::model::scalar::Within;
use crate::model::upstream::Cluster;
use filters::Filters;
use statuses::Statuses;

/// Other headers, and another answer.
const HEADERS: &str = "chancery.response-rewrite.headers";
const ANSWER: &str = ANSWERS;
/// Another status for the instance's own, and other texts in it.
const CHANGES: &str = "chancery.response-rewrite.changes";

/// Says which answer a request gets. It stands before all filters that could answer it themselves.
const WHICH: &str = "chancery.response-rewrite.which";

pub(super) fn which() -> HttpFilter {
    filter::disabled(WHICH, &SetFilterState::default())
}

/// What no answer is called.
const NONE: &str = "none";

/// Says once more which answer a request gets where consumers have answers: the route that was chosen first may have named another.
pub(super) fn settle(of_consumers: &mut [Route], of_others: &[Route]) {
    let late = Whose::Consumers.name(WHICH);
    let says = |route: &Route| {
        let configs = &route.typed_per_filter_config;
        configs.contains_key(WHICH) || configs.contains_key(&late)
    };
    if !of_consumers.iter().chain(of_others).any(says) {
        return;
    }
    for route in of_consumers {
        let configs = &mut route.typed_per_filter_config;
        let own = configs.get(WHICH).cloned();
        let own = own.unwrap_or_else(|| any(&named(Answer::state(false), NONE)));
        configs.entry(late.clone()).or_insert(own);
    }
}

pub(super) const ENTRY: Definition = Definition {
    name: "response-rewrite",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "filters",
            "look for texts, not for patterns, and not in what is compressed",
        ),
        (
            "vars",
            "about the request, and about `status` where all conditions must hold; then no \
            variables in headers without `body`",
        ),
        ("body", "the instance's headers are replaced as well"),
    ],
    http_filters: || {
        vec![
            // That of echo, which changes what is made of an answer here: answers pass the chain from its end.
            script::discovered(ECHOES),
            filter::disabled(HEADERS, &HeaderMutation::default()),
            filter::discovered(ANSWER, CustomResponse::type_url()),
            script::discovered(CHANGES),
        ]
    },
};

/// Gives clients another answer, or other headers, than the instance's.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Another status.
    status_code: Option<Within<200, 598>>,
    /// Another body.
    body: Option<Body>,
    /// Whether `body` is base64 of what is meant.
    #[serde(default)]
    body_base64: bool,
    /// Which answers, by their `status` and by what stands in the request; all by default.
    #[schemars(with = "Option<Vec<Value>>")]
    vars: Option<Value>,
    /// Headers to add, set and remove, or just to set.
    #[serde(default)]
    #[schemars(schema_with = "header::changes::<HeadersForm>")]
    headers: Option<Value>,
    /// Texts to put others in the place of, one after the other; where an instance's answer is compressed, none.
    filters: Option<Filters>,
}

impl decode::Form for Form {}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct HeadersForm {
    /// `NAME: VALUE`
    #[serde(default)]
    add: Vec<String>,
    /// Headers to set in the place of those of the same name.
    #[serde(default)]
    set: Headers,
    /// Names of headers to remove.
    #[serde(default)]
    remove: Vec<String>,
}

impl decode::Form for HeadersForm {}

/// `headers` as headers to set.
#[derive(Debug, Deserialize)]
struct OnlySet(Headers);

impl decode::Form for OnlySet {}

#[derive(Debug, Default)]
struct ResponseRewrite {
    condition: Condition,
    /// In place of what the instance answers.
    answer: Option<Answer>,
    /// What changes in the instance's own answer.
    changes: Map<String, Value>,
    add: Vec<(String, String)>,
    set: Checked,
    remove: Vec<String>,
    /// The script changes headers, as it alone knows the status of an answer.
    by_status: bool,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let mut rewrite = match &form.headers {
        None => ResponseRewrite::default(),
        Some(headers) => read_headers(headers, reading)?,
    };
    let split = form.vars.as_ref().map(statuses::split).transpose()?;
    let (vars, statuses) = split.unwrap_or_default();
    let vars = vars.iter().map(|vars| ("vars".to_owned(), vars));
    rewrite.condition = Condition::any(&vars.collect::<Vec<_>>(), &mut reading.warnings)?;
    let Some(body) = body(&form)? else {
        rewrite.changes = changes(&form);
        if let Some(statuses) = &statuses {
            rewrite.only_for(statuses)?;
        }
        return Ok(Arc::new(rewrite));
    };
    if form.filters.is_some() {
        return Err(Remark::new(
            "filters",
            "found beside `body`, allowed: one of both",
        ));
    }
    let message = "replaces the instance's headers as well: the client gets those of `headers` only, and `content-type: text/plain` \
                   unless they say otherwise";
    reading.warnings.push(Remark::new("body", message));
    let of_rules = reading.key.kind == Kind::GlobalRule;
    let policy = LocalResponsePolicy {
        status_code: form.status_code.map(|status| uint32(status.0)),
        body: Some(DataSource {
            specifier: Some(Specifier::InlineBytes(body)),
            ..DataSource::default()
        }),
        response_headers_to_add: rewrite.headers_of_answer(),
        ..LocalResponsePolicy::default()
    };
    let statuses = statuses.as_ref().map(Statuses::pattern);
    rewrite.answer = Some(Answer::new(of_rules, statuses, &policy));
    Ok(Arc::new(rewrite))
}

/// What the script goes by.
fn changes(form: &Form) -> Map<String, Value> {
    let status = form
        .status_code
        .map(|status| ("status", json!(status.0.to_string())));
    let filters = form
        .filters
        .as_ref()
        .map(|filters| ("filters", json!(filters)));
    let changes = status.into_iter().chain(filters);
    changes
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The body as it goes out.
fn body(form: &Form) -> Result<Option<Vec<u8>>, Remark> {
    let wrong = |message: &str| Err(Remark::new("body", message));
    let Some(LongText(text)) = &form.body else {
        return if form.body_base64 {
            wrong("is missing beside `body_base64`")
        } else {
            Ok(None)
        };
    };
    let body = if form.body_base64 {
        match BASE64.decode(text) {
            Ok(body) if !body.is_empty() => body,
            _ => return wrong("found something else beside `body_base64`, allowed: base64"),
        }
    } else {
        text.clone().into_bytes()
    };
    if body.len() > ANSWER_BYTES as usize {
        wrong(&format!(
            "found {} bytes, allowed: at most {ANSWER_BYTES}",
            body.len()
        ))
    } else {
        Ok(Some(body))
    }
}

fn read_headers(value: &Value, reading: &mut Reading) -> Result<ResponseRewrite, Remark> {
    let Value::Object(fields) = value else {
        let message = format!("found {}, allowed: an object", kind_of(value));
        return Err(Remark::new("headers", message));
    };
    let under = |remark: Remark| remark.under("headers");
    let is = |name: &str, kind: fn(&Value) -> bool| fields.get(name).is_some_and(kind);
    if !is("add", Value::is_array) && !is("set", Value::is_object) && !is("remove", Value::is_array)
    {
        let OnlySet(set) = decode::read(value).map_err(under)?;
        let (set, remove) = header::set_or_removed(
            "headers",
            set,
            &variable::operator_of_answer,
            &mut reading.warnings,
        )?;
        return Ok(ResponseRewrite {
            set,
            remove,
            ..ResponseRewrite::default()
        });
    }
    let form: HeadersForm = decode::read(value).map_err(under)?;
    let mut add = Vec::new();
    for (at, line) in form.add.iter().enumerate() {
        let place = format!("headers.add[{at}]");
        let pair = header::line(
            line,
            &place,
            &variable::operator_of_answer,
            &mut reading.warnings,
        )?;
        add.push(pair);
    }
    let (set, mut remove) = header::set_or_removed(
        "headers.set",
        form.set,
        &variable::operator_of_answer,
        &mut reading.warnings,
    )?;
    for (at, name) in form.remove.iter().enumerate() {
        let read = header::changeable(name)
            .map_err(|said| Remark::new(format!("headers.remove[{at}]"), said))?;
        remove.push(read);
    }
    Ok(ResponseRewrite {
        add,
        set,
        remove,
        ..ResponseRewrite::default()
    })
}

impl ResponseRewrite {
    /// Leaves all changes to the script, which looks at the status first.
    fn only_for(&mut self, statuses: &Statuses) -> Result<(), Remark> {
        let pair = |(name, value): (&String, &String)| {
            let Some(value) = variable::as_written(value) else {
                let message = "found a variable in the value of a header beside `vars` about `status`, allowed: values without \
                               variables";
                return Err(Remark::new("headers", message));
            };
            Ok(json!({"name": name, "value": value}))
        };
        let add = self.add.iter().map(|(name, value)| pair((name, value)));
        let add = add.collect::<Result<Value, _>>()?;
        let set = self.set.iter().map(pair).collect::<Result<Value, _>>()?;
        let told = [
            ("statuses", statuses.written()),
            ("add", add),
            ("set", set),
            ("remove", json!(self.remove)),
        ];
        let told = told.map(|(name, value)| (name.to_owned(), value));
        self.changes.extend(told);
        self.by_status = true;
        Ok(())
    }

    /// In APISIX's order: it adds, then sets, then removes. What is set to nothing is taken away.
    fn headers(&self) -> HeaderMutationPerRoute {
        let varying = self.set.iter();
        let varying = varying.filter(|(_, value)| variable::as_written(value).is_none());
        let replaced = varying.map(|(name, _)| header::removal(name));
        let (added, set) = (self.added(), self.set());
        let removed = self.remove.iter().map(|name| header::removal(name));
        let put = added.map(header::mutation).chain(replaced);
        let put = put.chain(set.map(header::mutation));
        HeaderMutationPerRoute {
            mutations: Some(Mutations {
                response_mutations: put.chain(removed).collect(),
                ..Mutations::default()
            }),
        }
    }

    /// Nothing is there that could be removed, but what was to be added.
    fn headers_of_answer(&self) -> Vec<HeaderValueOption> {
        let kept = |option: &HeaderValueOption| {
            let name = option.header.as_ref().map(|header| &header.key);
            name.is_none_or(|name| !self.remove.contains(name))
        };
        self.added().chain(self.set()).filter(kept).collect()
    }

    fn added(&self) -> impl Iterator<Item = HeaderValueOption> {
        let add = self.add.iter();
        add.map(|(name, value)| header::add(name, value))
    }

    fn set(&self) -> impl Iterator<Item = HeaderValueOption> {
        let set = self.set.iter();
        set.map(|(name, value)| header::set(name, value))
    }

    fn enable(&self, route: &mut Route) {
        match &self.answer {
            Some(answer) => {
                let state = Answer::state(answer.of_rules);
                filter::enable(route, WHICH, &named(state, &answer.name));
                filter::enable_as_it_is(route, ANSWER);
            }
            None if self.by_status => {}
            None => filter::enable(route, HEADERS, &self.headers()),
        }
        if !self.changes.is_empty() {
            script::enable(route, CHANGES, &self.changes);
        }
    }
}

impl Plugin for ResponseRewrite {
    fn runs(&self) -> Vec<&'static str> {
        let changes = !self.changes.is_empty();
        changes.then_some(CHANGES).into_iter().collect()
    }

    fn asked(&self) -> Vec<Asked> {
        let answer = self.answer.iter();
        answer.map(|answer| Asked::Answer(answer.clone())).collect()
    }

    fn needs(&self) -> Vec<Ability> {
        self.condition.needs()
    }

    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let mut parts = self.condition.branches(route);
        parts.iter_mut().for_each(|part| self.enable(part));
        parts
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if self.condition.is_always() {
            self.enable(route);
        }
    }
}

/// Names the answer of a request.
fn named(state: &str, answer: &str) -> SetFilterState {
    SetFilterState {
        on_request_headers: vec![FilterStateValue {
            key: Some(StateKey::ObjectKey(state.to_owned())),
            factory_key: "envoy.string".to_owned(),
            value: Some(StateValue::FormatString(SubstitutionFormatString {
                format: Some(Format::TextFormatSource(DataSource {
                    specifier: Some(Specifier::InlineString(answer.to_owned())),
                    ..DataSource::default()
                })),
                ..SubstitutionFormatString::default()
            })),
            ..FilterStateValue::default()
        }],
        ..SetFilterState::default()
    }
}

mod filters;
mod statuses;
#[cfg(test)]
mod tests;
