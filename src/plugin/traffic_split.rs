//! `traffic-split`: some of a route's requests go to other upstreams, by weight.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction, RouteMatch};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::condition::Condition;
use super::shared::share;
use crate::cohort::Ability;
use crate::model::bounds::List;
use crate::model::decode;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::scalar::Weight;
use crate::model::upstream::{self, Cluster, Target};

pub(super) const ENTRY: Definition = Definition {
    name: "traffic-split",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        ("rules[].match", "no `remote_addr`"),
        (
            "rules[].weighted_upstreams",
            "a share is a probability, not a turn",
        ),
    ],
    http_filters: Vec::new,
};

/// Rules, and upstreams of one.
const RULES: usize = 64;
const SHARES: usize = 32;

/// Sends some of a route's requests to other upstreams, by weight.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The first that fits a request holds.
    #[serde(default)]
    #[schemars(with = "List<RuleForm, RULES>")]
    rules: List<Value, RULES>,
}

impl decode::Form for Form {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct RuleForm {
    /// Which requests; all by default.
    #[serde(default, rename = "match")]
    matches: Vec<MatchForm>,
    /// Where its requests go; to the route's own upstream by default.
    #[serde(default = "own")]
    weighted_upstreams: List<WeightedForm, SHARES>,
}

impl decode::Form for RuleForm {}

/// Conditions, all of which must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct MatchForm {
    /// Such as `["arg_a", "==", "1"]`.
    #[schemars(with = "Vec<Value>")]
    vars: Value,
}

/// An upstream and its share; without either field of an upstream, the route's own is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct WeightedForm {
    /// An upstream document.
    upstream_id: Option<Id>,
    /// An upstream that stands here.
    #[serde(default)]
    #[schemars(schema_with = "upstream::form::schema")]
    upstream: Option<Value>,
    /// Its share, relative to the others.
    #[serde(default = "one")]
    weight: Weight,
}

fn own() -> List<WeightedForm, SHARES> {
    List(vec![WeightedForm {
        upstream_id: None,
        upstream: None,
        weight: one(),
    }])
}

fn one() -> Weight {
    Weight(1)
}

#[derive(Debug)]
struct TrafficSplit {
    /// The first that fits a request holds.
    rules: Vec<Rule>,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Rule {
    condition: Condition,
    shares: Vec<Share>,
}

/// Where a part of the requests goes.
#[derive(Debug)]
struct Share {
    /// One of the targets; nothing is the route's own upstream.
    target: Option<usize>,
    /// Never 0.
    weight: u32,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let mut targets = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    for (at, value) in form.rules.0.iter().enumerate() {
        let place = format!("rules[{at}]");
        let rule: RuleForm = decode::read(value).map_err(|remark| remark.under(&place))?;
        let vars = rule
            .matches
            .iter()
            .enumerate()
            .map(|(at, item)| (format!("{place}.match[{at}].vars"), &item.vars));
        let condition = Condition::any(&vars.collect::<Vec<_>>(), &mut reading.warnings)?;
        let weighted = format!("{place}.weighted_upstreams");
        let shares = shares(&weighted, rule.weighted_upstreams.0, &mut targets, reading)?;
        if rules.last().is_some_and(|rule| rule.condition.is_always()) {
            let message = "has no effect: a rule before it takes every request";
            reading.warnings.push(Remark::new(place, message));
        } else {
            rules.push(Rule { condition, shares });
        }
    }
    Ok(Arc::new(TrafficSplit { rules, targets }))
}

/// The shares of a rule, those of weight 0 left out.
fn shares(
    place: &str,
    forms: Vec<WeightedForm>,
    targets: &mut Vec<Target>,
    reading: &mut Reading,
) -> Result<Vec<Share>, Remark> {
    let mut shares = Vec::new();
    for (at, form) in forms.into_iter().enumerate() {
        let here = format!("{place}[{at}]");
        let target = match (form.upstream_id, form.upstream) {
            (None, None) => None,
            (Some(id), None) => Some(Target::Reference(id)),
            (None, Some(upstream)) => {
                Some(reading.upstream(&format!("{here}.upstream"), &upstream)?)
            }
            (Some(_), Some(_)) => {
                let message = "found beside `upstream`, allowed: one of the two";
                return Err(Remark::new(format!("{here}.upstream_id"), message));
            }
        };
        let position = target.map(|target| {
            targets.push(target);
            targets.len() - 1
        });
        shares.push(Share {
            target: position,
            weight: form.weight.0,
        });
    }
    shares.retain(|share| share.weight > 0);
    if shares.is_empty() {
        Err(Remark::new(
            place,
            "has no weight above 0, allowed: at least one",
        ))
    } else {
        Ok(shares)
    }
}

impl Plugin for TrafficSplit {
    fn needs(&self) -> Vec<Ability> {
        let rules = self.rules.iter();
        rules.flat_map(|rule| rule.condition.needs()).collect()
    }

    fn targets(&self) -> &[Target] {
        &self.targets
    }

    fn field_of_paths(&self) -> Option<&'static str> {
        let mut rules = self.rules.iter();
        let asks = rules.any(|rule| rule.condition.asks_for_paths());
        asks.then_some("rules")
    }

    fn sends_all(&self) -> bool {
        let shares = self.rules.iter().flat_map(|rule| &rule.shares);
        self.rules
            .last()
            .is_some_and(|rule| rule.condition.is_always())
            && shares.into_iter().all(|share| share.target.is_some())
    }

    fn detours(&self, route: &Route, actions: &[RouteAction]) -> Vec<Route> {
        let rules = self.rules.iter();
        let parts = rules.flat_map(|rule| {
            let narrowed = rule.condition.narrowed(route);
            narrowed.into_iter().map(|part| (part, &rule.shares))
        });
        parts
            .flat_map(|(part, shares)| split(&part, shares, actions))
            .collect()
    }

    /// What it does is in its [`detours`](Self::detours).
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

/// Envoy draws one number for a request, and a route can ask that it is below a bound: the first route takes what is below its
/// share, the next what is below both shares, and so on. Each is a whole route, as each upstream has a Host, a hash and retries
/// of its own.
fn split(route: &Route, shares: &[Share], actions: &[RouteAction]) -> Vec<Route> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let mut below = 0;
    let detour = |share: &Share| {
        below += u64::from(share.weight);
        let mut detour = route.clone();
        if let Some(action) = share.target.and_then(|target| actions.get(target)) {
            detour.action = Some(Action::Route(action.clone()));
        }
        if below < total {
            let bound = below * u64::from(share::ALL) / total;
            let matched = detour.r#match.get_or_insert_with(RouteMatch::default);
            matched.runtime_fraction =
                Some(share::fixed(u32::try_from(bound).unwrap_or(share::ALL)));
        }
        detour
    };
    shares.iter().map(detour).collect()
}

#[cfg(test)]
mod tests;
