//! `fault-injection`: some requests are held up, or answered with an error.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::{
    FaultAbort, HttpFault, fault_abort::ErrorType,
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use envoy_types::pb::google::protobuf::{self, value::Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::answer::{ANSWER_BYTES, Body, Text, answer_with};
use super::shared::condition::Condition;
use super::shared::header::{self, Checked, Headers};
use super::shared::{fault, share};
use crate::cohort::Ability;
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::AnswerStatus;
use crate::model::upstream::Cluster;

/// The headers of what is answered, the delay, and the answer: each a filter of its own, since they draw lots apart.
const HEADERS: &str = "chancery.fault-injection.headers";
const DELAY: &str = "chancery.fault-injection.delay";
const ABORT: &str = "chancery.fault-injection.abort";

pub(super) const ENTRY: Definition = Definition {
    name: "fault-injection",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "abort",
            "variables in bodies and headers only where every request is meant that fits `vars`",
        ),
        ("abort.body", "an abort without it has Envoy's own"),
    ],
    http_filters: || {
        vec![
            filter::disabled(HEADERS, &HeaderMutation::default()),
            fault::disabled(DELAY),
            fault::disabled(ABORT),
        ]
    },
};

/// Holds up some requests, or answers them with an error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Requests that are answered at once.
    #[schemars(with = "Option<AbortForm>")]
    abort: Option<Value>,
    /// Requests that are held up.
    #[schemars(with = "Option<DelayForm>")]
    delay: Option<Value>,
}

impl decode::Form for Form {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct AbortForm {
    /// What they are answered with.
    http_status: AnswerStatus,
    /// The body of the answer, with variables; none if not written.
    body: Option<Body>,
    /// Headers of the answer, with variables.
    #[serde(default)]
    headers: Headers,
    /// How many of a hundred; all by default.
    #[serde(default)]
    percentage: Percentage,
    /// Which requests, as lists of conditions: all of one must hold.
    #[serde(default)]
    #[schemars(with = "Vec<Vec<Value>>")]
    vars: Vec<Value>,
}

impl decode::Form for AbortForm {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct DelayForm {
    /// Seconds, with fractions.
    duration: Seconds,
    /// How many of a hundred; all by default.
    #[serde(default)]
    percentage: Percentage,
    /// Which requests, as lists of conditions: all of one must hold.
    #[serde(default)]
    #[schemars(with = "Vec<Vec<Value>>")]
    vars: Vec<Value>,
}

impl decode::Form for DelayForm {}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Percentage(#[schemars(range(min = 0, max = 100))] u32);

impl Default for Percentage {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<i64> for Percentage {
    type Error = String;

    fn try_from(percentage: i64) -> Result<Self, String> {
        match u32::try_from(percentage) {
            Ok(percentage @ 0..=100) => Ok(Self(percentage)),
            _ => Err(format!("found {percentage}, allowed: 0–100")),
        }
    }
}

impl Percentage {
    fn millionths(self) -> u32 {
        self.0 * (share::ALL / 100)
    }
}

/// Not none, as [`scalar::Seconds`](crate::model::scalar::Seconds) are.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
struct Seconds(#[schemars(with = "f64", range(min = 0, max = 86_400))] Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        if (0.0..=86_400.0).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(format!("found {seconds}, allowed: seconds, 0–86400"))
        }
    }
}

#[derive(Debug)]
struct FaultInjection {
    abort: Option<Abort>,
    /// Never of no time.
    delay: Option<Delay>,
}

#[derive(Debug)]
struct Delay {
    duration: Duration,
    percentage: Percentage,
    condition: Condition,
}

#[derive(Debug)]
struct Abort {
    status: u32,
    body: Text,
    headers: Checked,
    /// Whether something in it is made of the request: the route answers then.
    varies: bool,
    percentage: Percentage,
    condition: Condition,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    if form.abort.is_none() && form.delay.is_none() {
        return Err(Remark::whole("needs `abort`, `delay` or both"));
    }
    let mut warnings = Vec::new();
    let abort = form
        .abort
        .as_ref()
        .map(|value| abort(value, &mut warnings))
        .transpose()
        .map_err(|remark| remark.under("abort"))?;
    let of_abort = warnings.drain(..).map(|remark| remark.under("abort"));
    reading.warnings.extend(of_abort);
    let delay = form
        .delay
        .as_ref()
        .map(|value| delay(value, &mut warnings))
        .transpose()
        .map_err(|remark| remark.under("delay"))?;
    let of_delay = warnings.into_iter().map(|remark| remark.under("delay"));
    reading.warnings.extend(of_delay);
    let (abort, delay) = (abort.flatten(), delay.flatten());
    if let (Some(abort), Some(delay)) = (&abort, &delay)
        && abort.condition.asks_for_paths()
        && delay.condition.asks_for_paths()
        && abort.condition != delay.condition
    {
        let message = "asks a pattern of `uri` beside `abort.vars`, which asks another, allowed: one of the two, as an Envoy route has one";
        return Err(Remark::new("delay.vars", message));
    }
    Ok(Arc::new(FaultInjection { abort, delay }))
}

fn condition(vars: &[Value], warnings: &mut Vec<Remark>) -> Result<Condition, Remark> {
    let all = vars
        .iter()
        .enumerate()
        .map(|(at, value)| (format!("vars[{at}]"), value));
    Condition::any(&all.collect::<Vec<_>>(), warnings)
}

fn abort(value: &Value, warnings: &mut Vec<Remark>) -> Result<Option<Abort>, Remark> {
    let form: AbortForm = decode::read(value)?;
    let body = form.body.map_or_else(String::new, |body| body.0);
    if body.len() > ANSWER_BYTES as usize {
        let message = format!(
            "found {} bytes, allowed: at most {ANSWER_BYTES}",
            body.len()
        );
        return Err(Remark::new("body", message));
    }
    let body = Text::read(&body).map_err(|said| Remark::new("body", said))?;
    let mut headers = header::plain("headers", &form.headers);
    let varies = headers.is_err() || matches!(body, Text::Format(_));
    if varies {
        headers = header::checked("headers", &form.headers, warnings);
    }
    let headers = headers?;
    if varies && !matches!(form.percentage.0, 0 | 100) {
        let message = format!(
            "found {} beside variables in `body` or `headers`, allowed: 100, or texts without variables: where Envoy draws lots, it \
             knows fixed answers only",
            form.percentage.0
        );
        return Err(Remark::new("percentage", message));
    }
    let abort = Abort {
        status: form.http_status.0,
        body,
        headers,
        varies,
        percentage: form.percentage,
        condition: condition(&form.vars, warnings)?,
    };
    Ok(Some(abort).filter(|_| !varies || form.percentage.0 > 0))
}

fn delay(value: &Value, warnings: &mut Vec<Remark>) -> Result<Option<Delay>, Remark> {
    let form: DelayForm = decode::read(value)?;
    let delay = Delay {
        duration: form.duration.0,
        percentage: form.percentage,
        condition: condition(&form.vars, warnings)?,
    };
    Ok(Some(delay).filter(|delay| delay.duration >= Duration::from_millis(1)))
}

impl Abort {
    fn enable(&self, route: &mut Route) {
        if self.varies {
            answer_with(route, self.status, &self.body);
            let headers = self.headers.iter();
            let set = headers.map(|(name, value)| header::set(name, value));
            return route.response_headers_to_add.extend(set);
        }
        filter::enable(route, ABORT, &self.fault());
        if !self.headers.is_empty() {
            filter::enable(route, HEADERS, &self.mutations());
        }
    }

    fn needs(&self) -> Vec<Ability> {
        match &self.body {
            Text::AsWritten(body) if body.is_empty() || self.varies => Vec::new(),
            Text::AsWritten(_) => vec![Ability::BodyOfAbort],
            body => body.needs(),
        }
    }

    /// The headers go along as what Envoy remembers of a request that it answered so, and only of such.
    fn fault(&self) -> HttpFault {
        let values = self.headers.values().enumerate().map(|(at, value)| {
            let kind = Some(Kind::StringValue(value.clone()));
            (at.to_string(), protobuf::Value { kind })
        });
        let fields: HashMap<_, _> = values.collect();
        HttpFault {
            abort: Some(FaultAbort {
                percentage: Some(share::of(self.percentage.millionths())),
                error_type: Some(ErrorType::HttpStatus(self.status)),
                response_body: match &self.body {
                    Text::AsWritten(body) => body.clone(),
                    Text::Format(_) => String::new(),
                },
            }),
            filter_metadata: (!fields.is_empty()).then_some(protobuf::Struct { fields }),
            ..fault::quiet()
        }
    }

    /// Sets the headers from there.
    fn mutations(&self) -> HeaderMutationPerRoute {
        let set = self.headers.keys().enumerate().map(|(at, name)| {
            let value = format!("%DYNAMIC_METADATA({ABORT}:{at})%");
            header::mutation(header::set(name, &value))
        });
        HeaderMutationPerRoute {
            mutations: Some(Mutations {
                response_mutations: set.collect(),
                ..Mutations::default()
            }),
        }
    }
}

impl Plugin for FaultInjection {
    fn needs(&self) -> Vec<Ability> {
        let abort = self.abort.as_ref().map(|abort| &abort.condition);
        let delay = self.delay.as_ref().map(|delay| &delay.condition);
        let asked = abort.into_iter().chain(delay).flat_map(Condition::needs);
        let body = self.abort.iter().flat_map(Abort::needs);
        asked.chain(body).collect()
    }

    fn field_of_paths(&self) -> Option<&'static str> {
        let of_abort = self.abort.as_ref().map(|abort| &abort.condition);
        let of_delay = self.delay.as_ref().map(|delay| &delay.condition);
        let asks = |one: Option<&Condition>| one.is_some_and(Condition::asks_for_paths);
        if asks(of_abort) {
            Some("abort.vars")
        } else {
            asks(of_delay).then_some("delay.vars")
        }
    }

    /// With both faults, then with one of them, each where its conditions hold.
    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let abort = self
            .abort
            .as_ref()
            .filter(|abort| !abort.condition.is_always());
        let delay = self
            .delay
            .as_ref()
            .filter(|delay| !delay.condition.is_always());
        let aborted =
            |route: &Route| abort.map_or(Vec::new(), |abort| abort.condition.narrowed(route));
        let delayed =
            |route: &Route| delay.map_or(Vec::new(), |delay| delay.condition.narrowed(route));
        let mut branches = Vec::new();
        for part in aborted(route) {
            branches.extend(delayed(&part).into_iter().map(|both| (both, true, true)));
            branches.push((part, true, false));
        }
        branches.extend(delayed(route).into_iter().map(|part| (part, false, true)));
        let enabled = |(mut part, abort, delay): (Route, bool, bool)| {
            self.enable(&mut part, abort, delay);
            part
        };
        branches.into_iter().map(enabled).collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        self.enable(route, false, false);
    }
}

impl FaultInjection {
    /// Enables the faults for all requests, and those of which the conditions hold.
    fn enable(&self, route: &mut Route, abort: bool, delay: bool) {
        let delays = |fault: &&Delay| delay || fault.condition.is_always();
        if let Some(fault) = self.delay.as_ref().filter(delays) {
            let config = fault::delay(fault.duration, fault.percentage.millionths());
            filter::enable(route, DELAY, &config);
        }
        let aborts = |fault: &&Abort| abort || fault.condition.is_always();
        if let Some(fault) = self.abort.as_ref().filter(aborts) {
            fault.enable(route);
        }
    }
}

#[cfg(test)]
mod tests;
