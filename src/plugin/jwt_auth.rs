//! `jwt-auth`: only consumers pass, known by a token that their key verifies.
//!
//! A token says whose it is, and only that consumer's key may verify it, or one consumer could pass for another. Envoy
//! chooses among keys by issuer only, or tries them all. So a script reads the claim from the token; the claim selects the
//! key; and a consumer is found only under the claim that was read together with the same claim once verified. Whatever
//! the script reads, no token passes for another's.

use std::sync::Arc;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier,
    substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue,
    filter_state_value::{Key, Value as StateValue},
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation, HeaderMutationPerRoute, Mutations,
};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::identity::{
    self, CLAIM_PREFIX, CLAIMED, CLAIMS, Extension, JWT_CHALLENGE, KEY_CHALLENGE, MAY_BE_WRONG,
    NOBODY, Realm, SELECTED, TOKEN, Turn, UNKNOWN, UNVERIFIED,
};
use super::shared::{header, reply, script};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::key::{Id, Kind};
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FIND: &str = "chancery.jwt_auth.find";
const SELECT: &str = "chancery.jwt_auth.select";
const COMPARE: &str = "chancery.jwt_auth.compare";

pub(super) const ENTRY: Definition = Definition {
    name: "jwt-auth",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "claims_to_verify",
            "`exp` and `nbf` are verified of every token that has them",
        ),
        ("store_in_ctx", "no plugin could read it"),
    ],
    http_filters,
};

/// Why Envoy turns a request away, and what its sender is told.
pub(super) const REASONS: [(&str, &str); 3] = [
    (
        "jwt_authn_access_denied{Jwt_verification_fails}",
        "failed to verify jwt",
    ),
    (
        "jwt_authn_access_denied{Jwt_is_expired}",
        "failed to verify jwt: it is expired",
    ),
    (
        "jwt_authn_access_denied{Jwt_not_yet_valid}",
        "failed to verify jwt: it is not yet valid",
    ),
];

/// Only known consumers pass, by a signed token.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The header that the token comes in.
    #[serde(default = "authorization")]
    header: String,
    /// The argument of the query that it comes in where there is no such header.
    #[serde(default = "jwt")]
    query: String,
    /// The cookie that it comes in where there is neither.
    #[serde(default = "jwt")]
    cookie: String,
    /// Whether the upstream is not shown the token.
    #[serde(default)]
    hide_credentials: bool,
    /// The claim that says whose the token is.
    #[serde(default = "key")]
    key_claim_name: String,
    /// What is verified of a token that has it.
    #[serde(default = "both")]
    claims_to_verify: Vec<Verified>,
    /// What clients without a token are told that it is for.
    #[serde(default = "realm")]
    realm: Realm,
    /// The consumer that strangers are. Without one they are turned away.
    anonymous_consumer: Option<Id>,
    /// Whether plugins in Lua can read what the token says. There are none in Envoy.
    #[serde(default)]
    store_in_ctx: bool,
}

impl decode::Form for Form {}

fn realm() -> Realm {
    Realm::new("jwt")
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

fn key() -> String {
    "key".to_owned()
}

/// A claim about when a token holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verified {
    Exp,
    Nbf,
}

fn both() -> Vec<Verified> {
    vec![Verified::Exp, Verified::Nbf]
}

/// Says what Envoy verifies beyond what is asked.
fn warn_of_more(asked: &[Verified], warnings: &mut Vec<Remark>) {
    let all = [(Verified::Exp, "exp"), (Verified::Nbf, "nbf")];
    for (_, name) in all.iter().filter(|(one, _)| !asked.contains(one)) {
        let message = format!("Envoy verifies `{name}` as well, of a token that has it");
        warnings.push(Remark::new("claims_to_verify", message));
    }
}

fn http_filters() -> Vec<HttpFilter> {
    vec![
        script::discovered(FIND),
        filter::disabled(SELECT, &SetFilterState::default()),
        Extension::Jwts.filter(),
        filter::disabled(COMPARE, &HeaderMutation::default()),
        Extension::JwtConsumers.filter(),
        Extension::JwtsOrElse.filter(),
    ]
}

/// Has the claim that was read select what verifies the token, behind `before`.
fn select(before: &str) -> SetFilterState {
    SetFilterState {
        on_request_headers: vec![FilterStateValue {
            key: Some(Key::ObjectKey(SELECTED.to_owned())),
            factory_key: "envoy.string".to_owned(),
            value: Some(StateValue::FormatString(SubstitutionFormatString {
                format: Some(Format::TextFormatSource(text(format!(
                    "{before}%REQ({UNVERIFIED})%"
                )))),
                omit_empty_values: true,
                ..SubstitutionFormatString::default()
            })),
            skip_if_empty: true,
            ..FilterStateValue::default()
        }],
        ..SetFilterState::default()
    }
}

fn text(text: String) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineString(text)),
        ..DataSource::default()
    }
}

#[derive(Debug)]
pub(super) struct JwtAuth {
    form: Form,
    pub challenge: String,
    /// Where what is verified of a token lies.
    payload: &'static str,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    Ok(Arc::new(JwtAuth::read(value, reading)?))
}

impl JwtAuth {
    pub(super) fn read(value: &Value, reading: &mut Reading) -> Result<Self, Remark> {
        let mut form: Form = decode::read(value)?;
        form.header =
            header::changeable(&form.header).map_err(|said| Remark::new("header", said))?;
        identity::argument(&form.query).map_err(|said| Remark::new("query", said))?;
        identity::argument(&form.cookie).map_err(|said| Remark::new("cookie", said))?;
        identity::argument(&form.key_claim_name)
            .map_err(|said| Remark::new("key_claim_name", said))?;
        warn_of_more(&form.claims_to_verify, &mut reading.warnings);
        if form.store_in_ctx {
            let message = "has no effect: there is no Lua in Envoy that could read it";
            reading.warnings.push(Remark::new("store_in_ctx", message));
        }
        Ok(Self {
            challenge: form.realm.challenge("Bearer"),
            form,
            payload: identity::payload(reading.key.kind == Kind::GlobalRule),
        })
    }

    pub(super) fn anonymous(&self) -> Option<&Id> {
        self.form.anonymous_consumer.as_ref()
    }

    /// Looks for a consumer, as one of several.
    pub(super) fn apply_in_turn(&self, route: &mut Route, turn: &Turn) {
        self.look(route, true);
        Extension::JwtsOrElse.enable_in_turn(route, turn);
    }

    /// Has the token be found and verified, and its consumer be told. Whether strangers pass these filters, and those whose token is wrong.
    fn look(&self, route: &mut Route, strangers: bool) {
        script::enable(route, FIND, &self.context(strangers));
        let before = if strangers { MAY_BE_WRONG } else { "" };
        filter::enable(route, SELECT, &select(before));
        Extension::Jwts.enable(route);
        filter::enable(route, COMPARE, &self.compare());
        identity::tell(route);
        let removed = &mut route.request_headers_to_remove;
        removed.extend([TOKEN, UNVERIFIED, CLAIMED].map(ToOwned::to_owned));
        removed.extend(CLAIMS.map(|claim| format!("{CLAIM_PREFIX}{claim}")));
    }

    /// What the script is told.
    fn context(&self, strangers: bool) -> Map<String, Value> {
        let Self {
            form, challenge, ..
        } = self;
        let fields = [
            ("header", json!(form.header)),
            ("query", json!(form.query)),
            ("cookie", json!(form.cookie)),
            ("claim", json!(form.key_claim_name)),
            ("hide", json!(form.hide_credentials)),
            ("challenge", json!(challenge)),
            ("strangers", json!(strangers)),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        Map::from_iter(fields)
    }

    /// Puts the claim that was read beside the one that was verified.
    fn compare(&self) -> HeaderMutationPerRoute {
        let claim = self.form.key_claim_name.as_str();
        let verified = if CLAIMS.contains(&claim) {
            format!("%REQ({CLAIM_PREFIX}{claim})%")
        } else {
            format!(
                "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:{}:{claim})%",
                self.payload
            )
        };
        let both = format!("%REQ({UNVERIFIED})% {verified}");
        let append = Mutation {
            action: Some(Action::Append(header::set(CLAIMED, &both))),
        };
        HeaderMutationPerRoute {
            mutations: Some(Mutations {
                request_mutations: vec![append],
                ..Mutations::default()
            }),
        }
    }
}

impl Plugin for JwtAuth {
    fn welcomes_strangers(&self) -> bool {
        self.form.anonymous_consumer.is_some()
    }

    fn runs(&self) -> Vec<&'static str> {
        vec![FIND, identity::TOLD]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let anonymous = self.anonymous();
        self.look(route, anonymous.is_some());
        match anonymous {
            Some(anonymous) => Extension::JwtsOrElse.enable_or_else(route, anonymous),
            None => Extension::JwtConsumers.enable(route),
        }
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, UNKNOWN, "Invalid user key in JWT token");
        for (reason, message) in REASONS {
            identity::say(route, reason, message);
        }
        for name in [JWT_CHALLENGE, KEY_CHALLENGE] {
            reply::set_body(route, name, &self.challenge);
        }
    }
}
