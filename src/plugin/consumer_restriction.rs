//! `consumer-restriction`: only some consumers pass, or all but some; or some routes and services. Which route and service a
//! request is for is known when a route is made.

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::rbac::v3::Principal;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::DENIES;
use super::shared::denial::{self, Status};
use super::shared::identity::{
    self, CONSUMER, Extension, GROUP, MISSING, NO_GROUP, NOBODY, UNKNOWN,
};
use super::shared::message::Message;
use crate::model::decode::{self, quoted};
use crate::model::key::{Id, Kind};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const NAME: &str = "consumer-restriction";

pub(super) const ENTRY: Definition = Definition {
    name: NAME,
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[],
    http_filters: || {
        vec![
            Extension::Groups.filter(),
            denial::filter(NAME),
            denial::answer(),
        ]
    },
};

/// Some of the known consumers pass, or all but some; or requests of some routes or services.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
    /// The status of the answer to those who do not pass: 403 if not written.
    #[serde(default)]
    rejected_code: Code,
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
    /// The service of the route.
    ServiceId,
    /// The route itself.
    RouteId,
}

impl By {
    /// What messages call it.
    fn as_str(self) -> &'static str {
        match self {
            Self::ConsumerName => "consumer_name",
            Self::ConsumerGroupId => "consumer_group_id",
            Self::ServiceId => "service_id",
            Self::RouteId => "route_id",
        }
    }
}

/// A status of 200–599.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Code(#[schemars(range(min = 200, max = 599))] u16);

impl Default for Code {
    fn default() -> Self {
        Self(403)
    }
}

impl TryFrom<i64> for Code {
    type Error = String;

    fn try_from(code: i64) -> Result<Self, String> {
        let known = u16::try_from(code).ok();
        let known = known.filter(|code| (200..600).contains(code));
        known
            .map(Self)
            .ok_or_else(|| format!("found {code}, allowed: 200–599"))
    }
}

/// Somebody, and the methods that they may use.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Allowed {
    /// Whom the methods are for.
    user: String,
    /// The methods.
    methods: Vec<String>,
}

#[derive(Debug)]
struct ConsumerRestriction {
    form: Form,
    message: String,
    /// The service of the route, where the plugin knows it.
    service: Option<Id>,
    of_rules: bool,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    check(&form)?;
    let message = form.rejected_msg.as_ref();
    let message = message.map(|Message(text)| text.clone());
    Ok(Arc::new(ConsumerRestriction {
        message: message.unwrap_or_else(|| format!("The {} is forbidden.", form.by.as_str())),
        service: None,
        of_rules: reading.key.kind == Kind::GlobalRule,
        form,
    }))
}

fn check(form: &Form) -> Result<(), Remark> {
    let lists = [
        ("whitelist", &form.whitelist),
        ("blacklist", &form.blacklist),
    ];
    for (field, list) in lists {
        if let Some(list) = list {
            not_empty(field, list)?;
        }
    }
    let allowed = form.allowed_by_methods.as_deref().unwrap_or_default();
    for (at, Allowed { methods, .. }) in allowed.iter().enumerate() {
        let place = format!("allowed_by_methods[{at}].methods");
        not_empty(&place, methods)?;
        if let Some(wrong) = methods.iter().find(|method| !is_method(method)) {
            let message = format!("found {}, allowed: methods, as GET", quoted(wrong));
            return Err(Remark::new(place, message));
        }
    }
    if form.whitelist.is_none() && form.blacklist.is_none() && allowed.is_empty() {
        let message = "needs one of `whitelist`, `blacklist` and `allowed_by_methods`";
        return Err(Remark::whole(message));
    }
    Ok(())
}

/// What the lists are about, of a request.
enum Subject<'a> {
    /// What a header says.
    Header(&'a str),
    /// The same for all requests of a route; there may be none.
    Fixed(Option<&'a str>),
}

impl Subject<'_> {
    /// Whoever has what the lists name.
    fn known(&self) -> Principal {
        match self {
            Self::Header(GROUP) => {
                let without = denial::header(GROUP, exactly(NO_GROUP));
                denial::all_of(vec![denial::header_present(GROUP), denial::not(without)])
            }
            Self::Header(header) => denial::header_present(header),
            Self::Fixed(value) => denial::everybody(value.is_some()),
        }
    }

    fn is(&self, name: &str) -> Principal {
        match self {
            Self::Header(header) => denial::header(header, exactly(name)),
            Self::Fixed(value) => denial::everybody(*value == Some(name)),
        }
    }

    fn among(&self, names: &[String]) -> Principal {
        denial::any_of(names.iter().map(|name| self.is(name)).collect())
    }

    /// Whoever fits one of the lists in the wrong way: who is on the black one; who is not on the white one, unless methods are
    /// listed; and who uses a method that is not theirs, unless on the white one.
    fn denied(&self, form: &Form) -> Principal {
        let mut denied = Vec::new();
        denied.extend(form.blacklist.as_deref().map(|list| self.among(list)));
        let white = form.whitelist.as_deref();
        let not_white = white.map(|list| denial::not(self.among(list)));
        let allowed = form.allowed_by_methods.as_deref().unwrap_or_default();
        match (not_white, self.by_methods(allowed)) {
            (Some(not_white), Some(wrong)) => {
                denied.push(denial::all_of(vec![not_white, wrong]));
            }
            (one, other) => denied.extend(one.or(other)),
        }
        denial::any_of(denied)
    }

    /// Whoever uses a method that is not listed for them. Of what is said of somebody twice the first counts.
    fn by_methods(&self, allowed: &[Allowed]) -> Option<Principal> {
        let mut seen = BTreeSet::new();
        let first = allowed.iter().filter(|one| seen.insert(&one.user));
        let wrong = first.map(|Allowed { user, methods }| {
            let method = |method: &String| denial::header(":method", exactly(method));
            let others = denial::not(denial::any_of(methods.iter().map(method).collect()));
            denial::all_of(vec![self.is(user), others])
        });
        let wrong: Vec<_> = wrong.collect();
        (!wrong.is_empty()).then(|| denial::any_of(wrong))
    }
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
    fn runs(&self) -> Vec<&'static str> {
        // With any status: where the last of others changes, nobody may pass meanwhile.
        vec![DENIES]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let what = self.form.by.as_str();
        let not_known =
            format!("The request is rejected, please check the {what} for this request");
        if self.form.by == By::ConsumerGroupId {
            Extension::Groups.enable(route);
            for reason in [NOBODY, MISSING, UNKNOWN] {
                identity::say(route, reason, &not_known);
            }
            route.request_headers_to_remove.push(GROUP.to_owned());
        }
        let name = route.name.clone();
        let subject = match self.form.by {
            By::ConsumerName => Subject::Header(CONSUMER),
            By::ConsumerGroupId => Subject::Header(GROUP),
            By::ServiceId => Subject::Fixed(self.service.as_ref().map(Id::as_str)),
            By::RouteId => Subject::Fixed(route_id(&name)),
        };
        let denied = denial::all_of(vec![subject.known(), subject.denied(&self.form)]);
        let unknown = denial::not(subject.known());
        let unknown = (unknown, Status::Unauthorized, &*not_known);
        match Status::try_from(i64::from(self.form.rejected_code.0)) {
            Ok(status) => denial::apply(route, NAME, &[(denied, status, &self.message), unknown]),
            Err(_) => {
                let other = denial::Other {
                    who: denied,
                    code: self.form.rejected_code.0,
                    message: &self.message,
                    of_rules: self.of_rules,
                };
                denial::apply_with(route, NAME, &[unknown], other);
            }
        }
    }

    fn of_service(&self, service: &Id) -> Option<Arc<dyn Plugin>> {
        (self.form.by == By::ServiceId).then(|| {
            let of_service = Self {
                form: self.form.clone(),
                message: self.message.clone(),
                service: Some(service.clone()),
                of_rules: self.of_rules,
            };
            Arc::new(of_service) as Arc<dyn Plugin>
        })
    }
}

/// The id of the document behind a route of Envoy's, where there is one.
fn route_id(name: &str) -> Option<&str> {
    let id = name.strip_prefix("route/")?;
    (id != Id::no_route().as_str()).then_some(id)
}
