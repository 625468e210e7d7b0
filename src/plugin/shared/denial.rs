//! Requests that a plugin denies by who sends them: an RBAC filter of the plugin's own, since a route may have several.

use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::rbac::Action;
use envoy_types::pb::envoy::config::rbac::v3::{
    Permission, Policy, Principal, Rbac as Rules, permission::Rule, principal::Identifier,
    principal::Set,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::{Rbac, RbacPerRoute};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use prost::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::asked::DENIES;
use super::reply::{self, Reply};
use super::script;
use crate::envoy::filter;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;
use crate::plugin::contract::Plugin;

pub fn filter(name: &str) -> HttpFilter {
    let rules = Rbac {
        rules_stat_prefix: format!("{name}."),
        ..Rbac::default()
    };
    filter::disabled(name, &rules)
}

/// Who is denied: they are told this, with this status.
pub type Denied<'a> = (Principal, Status, &'a str);

/// What the plugin `name` does to a route. Nobody fits two of those who are denied.
pub fn apply(route: &mut Route, name: &str, denied: &[Denied]) {
    let rbac = rbac(route, name, denied);
    filter::enable(route, name, &RbacPerRoute { rbac: Some(rbac) });
}

/// Whoever is told this, with a status that Envoy's filter does not have.
pub struct Other<'a> {
    pub who: Principal,
    pub code: u16,
    pub message: &'a str,
    /// Whether a global rule says so.
    pub of_rules: bool,
}

/// The same with others who are denied, where [`answer`] stands in the chain behind the filter: this one only says who they are.
pub fn apply_with(route: &mut Route, name: &str, denied: &[Denied], other: Other) {
    let Other {
        who,
        code,
        message,
        of_rules,
    } = other;
    let name_or_rule = if of_rules {
        filter::of_rules(name)
    } else {
        name.to_owned()
    };
    let prefix = format!("{name_or_rule}.");
    let rbac = Rbac {
        shadow_rules: Some(deny([(name.to_owned(), who)])),
        shadow_rules_stat_prefix: prefix.clone(),
        ..rbac(route, name, denied)
    };
    filter::enable(route, name, &RbacPerRoute { rbac: Some(rbac) });
    let fields = [
        ("prefix", prefix),
        ("status", code.to_string()),
        ("body", json!({"message": message}).to_string()),
    ];
    let fields = fields.map(|(name, text)| (name.to_owned(), text.into()));
    script::enable(route, DENIES, &Map::from_iter(fields));
}

/// The filter that answers others who are denied.
pub fn answer() -> HttpFilter {
    script::discovered(DENIES)
}

fn rbac(route: &mut Route, name: &str, denied: &[Denied]) -> Rbac {
    for (_, status, message) in denied {
        let body = json!({"message": message}).to_string();
        reply::set_body(route, &status.body(name), &body);
    }
    let each = denied.iter();
    let each = each.map(|(who, status, _)| (status.policy(name), who.clone()));
    Rbac {
        rules: Some(deny(each)),
        rules_stat_prefix: format!("{name}."),
        ..Rbac::default()
    }
}

/// Denies whoever fits one of these, each with a name.
fn deny(each: impl IntoIterator<Item = (String, Principal)>) -> Rules {
    let policy = |(name, who): (String, Principal)| {
        let anything = Permission {
            rule: Some(Rule::Any(true)),
        };
        let policy = Policy {
            permissions: vec![anything],
            principals: vec![who],
            ..Policy::default()
        };
        (name, policy)
    };
    Rules {
        action: Action::Deny.into(),
        policies: each.into_iter().map(policy).collect(),
        ..Rules::default()
    }
}

/// The same under the name of another filter.
pub fn renamed(mut said: RbacPerRoute, filter: &str, name: &str) -> RbacPerRoute {
    if let Some(rbac) = &mut said.rbac {
        rbac.rules_stat_prefix = format!("{name}.");
        if let Some(rules) = &mut rbac.rules {
            let all = std::mem::take(&mut rules.policies).into_iter();
            let renamed = all.map(|(of, policy)| (of.replacen(filter, name, 1), policy));
            rules.policies = renamed.collect();
        }
    }
    said
}

/// Whoever one of two denies, with the same answer.
pub fn together(mut one: RbacPerRoute, other: RbacPerRoute) -> RbacPerRoute {
    if let (Some(held), Some(more)) = (&mut one.rbac, other.rbac) {
        let own = [&mut held.rules, &mut held.shadow_rules];
        for (own, more) in own.into_iter().zip([more.rules, more.shadow_rules]) {
            *own = match (own.take(), more) {
                (Some(own), Some(more)) => Some(either(own, more)),
                (own, more) => own.or(more),
            };
        }
    }
    one
}

fn either(mut all: Rules, more: Rules) -> Rules {
    for (name, policy) in more.policies {
        let held = all.policies.entry(name).or_insert_with(|| Policy {
            principals: Vec::new(),
            ..policy.clone()
        });
        held.principals.extend(policy.principals);
    }
    all
}

/// What a plugin does that denies requests, and nothing else.
#[derive(Debug)]
pub struct Denial {
    /// The plugin's name.
    pub plugin: &'static str,
    pub denied: Principal,
    pub status: Status,
    pub message: String,
}

impl Plugin for Denial {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let denied = (self.denied.clone(), self.status, &*self.message);
        apply(route, self.plugin, &[denied]);
    }
}

/// The status of a denial. Envoy knows 403 only; the policy's name, which it calls the reason, tells the listener of 404.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64", into = "u16")]
#[schemars(with = "u16")]
pub enum Status {
    #[default]
    Forbidden,
    NotFound,
    /// Of whom is not known, where it matters; no document asks for it.
    Unauthorized,
}

impl TryFrom<i64> for Status {
    type Error = String;

    fn try_from(code: i64) -> Result<Self, String> {
        match code {
            403 => Ok(Self::Forbidden),
            404 => Ok(Self::NotFound),
            _ => Err(format!("found {code}, allowed: 403, 404")),
        }
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        match status {
            Status::Forbidden => 403,
            Status::NotFound => 404,
            Status::Unauthorized => 401,
        }
    }
}

impl Status {
    fn policy(self, name: &str) -> String {
        match self {
            Self::Forbidden => name.to_owned(),
            Self::NotFound => format!("{name}/404"),
            Self::Unauthorized => format!("{name}/401"),
        }
    }

    /// What the body is called in the route's metadata.
    fn body(self, name: &str) -> String {
        match self {
            Self::Forbidden | Self::NotFound => name.to_owned(),
            Self::Unauthorized => self.policy(name),
        }
    }
}

/// The answers of a filter of the chain, if it is one of these.
pub fn replies(filter: &HttpFilter) -> Vec<Reply> {
    let ours = match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) => config.type_url == Rbac::type_url(),
        _ => false,
    };
    let reply = |status: Status| Reply {
        details: format!(
            "rbac_access_denied_matched_policy[{}]",
            status.policy(&filter.name)
        ),
        status: (status != Status::Forbidden).then(|| u16::from(status).into()),
        body: status.body(&filter.name),
        challenge: None,
    };
    let statuses = [Status::Forbidden, Status::NotFound, Status::Unauthorized];
    statuses.into_iter().filter(|_| ours).map(reply).collect()
}

/// Whoever fits one of these, which are not none.
pub fn any_of(principals: Vec<Principal>) -> Principal {
    principal(Identifier::OrIds(Set { ids: principals }))
}

/// Whoever fits all of these, which are not none.
pub fn all_of(principals: Vec<Principal>) -> Principal {
    principal(Identifier::AndIds(Set { ids: principals }))
}

/// Everybody, or nobody.
pub fn everybody(all: bool) -> Principal {
    let everybody = principal(Identifier::Any(true));
    if all { everybody } else { not(everybody) }
}

/// Whoever does not fit this.
pub fn not(of: Principal) -> Principal {
    principal(Identifier::NotId(Box::new(of)))
}

/// Whoever sends a header that matches.
pub fn header(name: &str, matcher: StringMatcher) -> Principal {
    header_is(name, HeaderMatchSpecifier::StringMatch(matcher))
}

/// A field that lists who is meant: its name, and what it holds.
pub type List<'a, T> = (&'a str, Option<&'a [T]>);

/// Whoever does not fit one of two lists, those who may and those who may not: a document has one of them, of at least one
/// `what`. `fits` tells who fits one entry.
pub fn unfit<T>(
    may: List<T>,
    may_not: List<T>,
    what: &str,
    fits: impl Fn(&T) -> Result<Principal, String>,
) -> Result<Principal, Remark> {
    let among = |field: &str, list: &[T]| {
        if list.is_empty() {
            return Err(Remark::new(
                field,
                format!("is empty, allowed: at least one {what}"),
            ));
        }
        let fit = list.iter().enumerate().map(|(at, entry)| {
            fits(entry).map_err(|said| Remark::new(format!("{field}[{at}]"), said))
        });
        fit.collect::<Result<_, _>>().map(any_of)
    };
    match (may, may_not) {
        ((field, Some(list)), (_, None)) => among(field, list).map(not),
        ((_, None), (field, Some(list))) => among(field, list),
        ((may, _), (may_not, _)) => Err(Remark::whole(format!(
            "needs one of `{may}` and `{may_not}`, and only one"
        ))),
    }
}

/// Whoever shows something that is `unfit`; and whoever shows nothing, unless these pass.
pub fn unfit_or_missing(shown: Principal, unfit: Principal, bypass_missing: bool) -> Principal {
    if bypass_missing {
        principal(Identifier::AndIds(Set {
            ids: vec![shown, unfit],
        }))
    } else {
        any_of(vec![not(shown), unfit])
    }
}

/// Whoever sends a header, whatever it says.
pub fn header_present(name: &str) -> Principal {
    header_is(name, HeaderMatchSpecifier::PresentMatch(true))
}

fn header_is(name: &str, specifier: HeaderMatchSpecifier) -> Principal {
    principal(Identifier::Header(HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(specifier),
        ..HeaderMatcher::default()
    }))
}

pub fn principal(identifier: Identifier) -> Principal {
    Principal {
        identifier: Some(identifier),
    }
}
