//! `workflow`: rules, of which the first that fits a request turns it away or counts it.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contract::{Definition, Helper, Plugin, Reading, refused, schema};
use super::shared::answer::answer;
use super::shared::asked::Asked;
use super::shared::condition::Condition;
use super::shared::limit::Limits;
use super::{limit_conn, limit_count};
use crate::cohort::Ability;
use crate::model::Path;
use crate::model::bounds::List;
use crate::model::decode::{self, kind_of};
use crate::model::problem::Remark;
use crate::model::scalar::AnswerStatus;
use crate::model::upstream::Cluster;

pub(super) const NAME: &str = "workflow";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "rules",
            "`limit-conn` with `policy: redis` or `redis-cluster` alone, as the plugin",
        ),
        (
            "rules",
            "`limit-count` counts as the plugin does here; where a route has that as well, who is beyond either is answered as the \
            workflow says. Names of headers in `plugin_metadata/limit-count` are not for it",
        ),
    ],
    // Its filters are those of limit-count and limit-req.
    http_filters: Vec::new,
};

/// Rules that a request may fit.
const RULES: usize = 64;
/// Actions that one of them may have.
const ACTIONS: usize = 8;

/// Does with a request what the first rule says that it fits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// In their order.
    #[schemars(with = "List<RuleForm, RULES>")]
    rules: List<Value, RULES>,
}

impl decode::Form for Form {}

/// What is done with which requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RuleForm {
    /// Which requests, as a route's `vars`; all when absent.
    #[schemars(with = "Option<Vec<Value>>")]
    case: Option<Value>,
    /// What is done: `["return", {"code": 403}]`, or `["limit-count", {…}]` and `["limit-conn", {…}]` with what that plugin has. The
    /// first alone is done.
    actions: List<List<Value, 2>, ACTIONS>,
}

impl decode::Form for RuleForm {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Return {
    code: AnswerStatus,
}

impl decode::Form for Return {}

#[derive(Debug)]
enum Action {
    /// The status of an answer.
    Return(u32),
    Count(Limits),
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    action: Action,
}

/// None stands behind one that every request fits.
#[derive(Debug)]
struct Workflow(Vec<Rule>);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let mut rules: Vec<Rule> = Vec::new();
    for (at, value) in form.rules.0.iter().enumerate() {
        let place = format!("rules[{at}]");
        let read = reading.at(&place, |reading| rule(at, value, reading))?;
        if rules.last().is_some_and(|last| last.condition.is_always()) {
            let message =
                "is never reached: a rule before it has no `case`, so every request fits that";
            reading.warnings.push(Remark::new(place, message));
        } else {
            rules.push(read);
        }
    }
    Ok(Arc::new(Workflow(rules)))
}

fn rule(at: usize, value: &Value, reading: &mut Reading) -> Result<Rule, Remark> {
    let form: RuleForm = decode::read(value)?;
    if form
        .case
        .as_ref()
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
    {
        let message =
            "is empty, allowed: at least one condition; leave it out where every request is meant";
        return Err(Remark::new("case", message));
    }
    let case = form.case.iter().map(|case| ("case".to_owned(), case));
    let condition = Condition::any(&case.collect::<Vec<_>>(), &mut reading.warnings)?;
    let mut actions = Vec::new();
    for (nth, List(parts)) in form.actions.0.iter().enumerate() {
        let place = format!("actions[{nth}]");
        actions.push(reading.at(&place, |reading| action(at, parts, reading))?);
    }
    if actions.len() > 1 {
        let message = "the first is done and no other, as in APISIX";
        reading.warnings.push(Remark::new("actions", message));
    }
    let mut actions = actions.into_iter();
    let action = actions
        .next()
        .ok_or_else(|| Remark::new("actions", "is empty, allowed: at least one"))?;
    Ok(Rule { condition, action })
}

fn action(at: usize, parts: &[Value], reading: &mut Reading) -> Result<Action, Remark> {
    let (name, configuration) = match parts {
        [Value::String(name), configuration] => (name.as_str(), configuration),
        _ => {
            let message = "allowed: a name and what it is to do, as [\"return\", {\"code\": 403}]";
            return Err(Remark::whole(message));
        }
    };
    match name {
        "return" => {
            let form: Return = decode::read(configuration).map_err(|remark| remark.under("[1]"))?;
            Ok(Action::Return(form.code.0))
        }
        limit_count::NAME => {
            if configuration.get("group").is_some() {
                let message = "is not for a workflow, whose rules count apart; leave it out";
                return Err(Remark::new("[1].group", message));
            }
            let read = |reading: &mut Reading| limit_count::limits(configuration, reading);
            Ok(counted(at, reading.at("[1]", read)?))
        }
        limit_conn::NAME => {
            let read = |reading: &mut Reading| limit_conn::limits(configuration, reading);
            Ok(counted(at, reading.at("[1]", read)?))
        }
        _ => {
            let found = kind_of(&parts[0]);
            let message = format!("found {found}, allowed: return, limit-count, limit-conn");
            Err(Remark::new("[0]", message))
        }
    }
}

/// As in APISIX, each rule counts for itself, and apart from what else the route counts.
fn counted(at: usize, mut limits: Limits) -> Action {
    for limit in &mut limits.each {
        limit.key.format = format!("{NAME} {at}|{}", limit.key.format);
    }
    Action::Count(limits)
}

impl Action {
    fn take(&self, route: &mut Route) {
        match self {
            Self::Return(code) => {
                let body = json!({"error_msg": "rejected by workflow"});
                answer(route, *code, &body.to_string());
            }
            Self::Count(limits) => limits.apply(route, &[]),
        }
    }

    fn limits(&self) -> Option<&Limits> {
        match self {
            Self::Return(_) => None,
            Self::Count(limits) => Some(limits),
        }
    }
}

impl Workflow {
    fn limits(&self) -> impl Iterator<Item = &Limits> {
        self.0.iter().filter_map(|rule| rule.action.limits())
    }
}

impl Plugin for Workflow {
    fn asked(&self) -> Vec<Asked> {
        self.limits().flat_map(Plugin::asked).collect()
    }

    fn runs(&self) -> Vec<&'static str> {
        let scripts: BTreeSet<_> = self.limits().flat_map(Plugin::runs).collect();
        scripts.into_iter().collect()
    }

    /// A request fits one rule.
    fn limits(&self) -> usize {
        Self::limits(self)
            .map(Plugin::limits)
            .max()
            .unwrap_or_default()
    }

    fn helper(&self) -> Option<Helper> {
        Self::limits(self).find_map(Plugin::helper)
    }

    fn needs(&self) -> Vec<Ability> {
        let each = self.0.iter();
        each.flat_map(|rule| rule.condition.needs()).collect()
    }

    fn answers(&self, _: &[Path]) -> bool {
        self.0.first().is_some_and(|rule| {
            rule.condition.is_always() && matches!(rule.action, Action::Return(_))
        })
    }

    fn field_of_paths(&self) -> Option<&'static str> {
        let mut rules = self.0.iter();
        let asks = rules.any(|rule| rule.condition.asks_for_paths());
        asks.then_some("rules")
    }

    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let parts = self.0.iter().flat_map(|rule| {
            let mut parts = rule.condition.branches(route);
            parts.iter_mut().for_each(|part| rule.action.take(part));
            parts
        });
        parts.collect()
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let always = self.0.last().filter(|rule| rule.condition.is_always());
        if let Some(rule) = always {
            rule.action.take(route);
        }
    }
}

#[cfg(test)]
mod tests;
