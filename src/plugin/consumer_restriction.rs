//! `consumer-restriction`: only some consumers pass, or all but some.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::{Principal, principal::Identifier, principal::Set};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::denial::{self, Status};
use super::shared::identity::{
    self, CONSUMER, Extension, GROUP, MISSING, NO_GROUP, NOBODY, UNKNOWN,
};
use super::shared::message::Message;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const NAME: &str = "consumer-restriction";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    http_filters: || vec![Extension::Groups.filter(), denial::filter(NAME)],
};

/// Some of the known consumers pass, or all but some.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// What the lists name.
    #[serde(default, rename = "type")]
    by: By,
    /// Those who pass, and nobody else.
    whitelist: Option<Vec<String>>,
    /// Those who do not pass.
    blacklist: Option<Vec<String>>,
    /// Who passes with certain methods only.
    allowed_by_methods: Option<Vec<Allowed>>,
    /// The status of the answer to those who do not pass: 403 or 404; 403 if not written.
    #[serde(default)]
    rejected_code: Status,
    /// What they are told.
    rejected_msg: Option<Message>,
}

impl decode::Form for Form {}

/// What the lists name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    #[default]
    ConsumerName,
    ConsumerGroupId,
    ServiceId,
    RouteId,
}

/// Somebody, and the methods that they may use.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Allowed {
    /// Whom the methods are for.
    user: String,
    /// The methods.
    methods: Vec<String>,
}

#[derive(Debug)]
struct ConsumerRestriction {
    by_group: bool,
    /// Who has what the lists name.
    known: Principal,
    /// Who does not pass, of these.
    denied: Principal,
    status: Status,
    message: String,
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let (header, what) = match form.by {
        By::ConsumerName => (CONSUMER, "consumer_name"),
        By::ConsumerGroupId => (GROUP, "consumer_group_id"),
        By::ServiceId | By::RouteId => {
            return Err(Remark::new(
                "type",
                "found a list of routes or services, which is for a consumer's own plugins, allowed: consumer_name, \
                 consumer_group_id; list the consumers at the route instead",
            ));
        }
    };
    let message = form.rejected_msg.map(|Message(text)| text);
    Ok(Arc::new(ConsumerRestriction {
        by_group: form.by == By::ConsumerGroupId,
        known: known(header),
        denied: denied(
            header,
            &form.whitelist,
            &form.blacklist,
            &form.allowed_by_methods,
        )?,
        status: form.rejected_code,
        message: message.unwrap_or_else(|| format!("The {what} is forbidden.")),
    }))
}

/// Whoever has a name, or a group.
fn known(header: &str) -> Principal {
    let present = denial::header_present(header);
    if header == GROUP {
        let without = denial::header(header, exactly(NO_GROUP));
        all_of(vec![present, denial::not(without)])
    } else {
        present
    }
}

/// Whoever fits one of the lists in the wrong way: who is on the black one; who is not on the white one, unless methods are listed;
/// and who uses a method that is not theirs, unless on the white one.
fn denied(
    header: &str,
    whitelist: &Option<Vec<String>>,
    blacklist: &Option<Vec<String>>,
    allowed: &Option<Vec<Allowed>>,
) -> Result<Principal, Remark> {
    let mut denied = Vec::new();
    let names = |names: &[String]| {
        let is = |name: &String| denial::header(header, exactly(name));
        denial::any_of(names.iter().map(is).collect())
    };
    if let Some(list) = blacklist {
        not_empty("blacklist", list)?;
        denied.push(names(list));
    }
    let not_white = match whitelist {
        None => None,
        Some(list) => {
            not_empty("whitelist", list)?;
            Some(denial::not(names(list)))
        }
    };
    match (not_white, by_methods(header, allowed.as_deref())?) {
        (Some(not_white), Some(wrong)) => denied.push(all_of(vec![not_white, wrong])),
        (one, other) => denied.extend(one.or(other)),
    }
    match denied.len() {
        0 => Err(Remark::whole(
            "needs one of `whitelist`, `blacklist` and `allowed_by_methods`",
        )),
        _ => Ok(denial::any_of(denied)),
    }
}

/// Whoever uses a method that is not listed for them. Of what is said of somebody twice the first counts.
fn by_methods(header: &str, allowed: Option<&[Allowed]>) -> Result<Option<Principal>, Remark> {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for (at, Allowed { user, methods }) in allowed.into_iter().flatten().enumerate() {
        let place = format!("allowed_by_methods[{at}].methods");
        not_empty(&place, methods)?;
        if let Some(wrong) = methods.iter().find(|method| !is_method(method)) {
            let message = format!("found {}, allowed: methods, as GET", quoted(wrong));
            return Err(Remark::new(place, message));
        }
        if seen.insert(user) {
            let method = |method: &String| denial::header(":method", exactly(method));
            let others = denial::not(denial::any_of(methods.iter().map(method).collect()));
            wrong.push(all_of(vec![denial::header(header, exactly(user)), others]));
        }
    }
    Ok((!wrong.is_empty()).then(|| denial::any_of(wrong)))
}

fn all_of(principals: Vec<Principal>) -> Principal {
    denial::principal(Identifier::AndIds(Set { ids: principals }))
}

fn not_empty<T>(field: &str, list: &[T]) -> Result<(), Remark> {
    match list {
        [] => Err(Remark::new(field, "is empty, allowed: at least one")),
        _ => Ok(()),
    }
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn exactly(text: &str) -> StringMatcher {
    StringMatcher {
        match_pattern: Some(MatchPattern::Exact(text.to_owned())),
        ..StringMatcher::default()
    }
}

impl Plugin for ConsumerRestriction {
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let what = if self.by_group {
            "consumer_group_id"
        } else {
            "consumer_name"
        };
        let not_known =
            format!("The request is rejected, please check the {what} for this request");
        if self.by_group {
            Extension::Groups.enable(route);
            for reason in [NOBODY, MISSING, UNKNOWN] {
                identity::say(route, reason, &not_known);
            }
            route.request_headers_to_remove.push(GROUP.to_owned());
        }
        let denied = all_of(vec![self.known.clone(), self.denied.clone()]);
        let unknown = denial::not(self.known.clone());
        let denied = [
            (denied, self.status, &*self.message),
            (unknown, Status::Unauthorized, &*not_known),
        ];
        denial::apply(route, NAME, &denied);
    }
}
