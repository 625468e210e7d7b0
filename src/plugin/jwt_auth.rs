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
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::{Lua, LuaPerRoute};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::{Struct, Value as ProtoValue, value::Kind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, schema};
use super::shared::header;
use super::shared::identity::{
    self, CLAIM_PREFIX, CLAIMED, CLAIMS, Extension, NOBODY, SELECTED, TOKEN, UNKNOWN, UNVERIFIED,
};
use crate::envoy::filter;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

const FIND: &str = "chancery.jwt_auth.find";
const SELECT: &str = "chancery.jwt_auth.select";
const COMPARE: &str = "chancery.jwt_auth.compare";

pub(super) const ENTRY: Definition = Definition {
    name: "jwt-auth",
    read,
    schema: schema::<Form>,
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
    #[serde(default)]
    key_claim_name: Claim,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("anonymous_consumer", identity::ANONYMOUS),
        (
            "realm",
            "the realm that Envoy names is the URL of the request",
        ),
        (
            "store_in_ctx",
            "there is no Lua in Envoy that could read it",
        ),
        (
            "claims_to_verify",
            "Envoy verifies `exp` and `nbf` where a token has them",
        ),
    ];
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn jwt() -> String {
    "jwt".to_owned()
}

/// One of [`CLAIMS`]: listeners have to know them all.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Claim {
    #[default]
    Key,
    Iss,
    Sub,
}

impl Claim {
    fn as_str(self) -> &'static str {
        let [key, iss, sub] = CLAIMS;
        match self {
            Self::Key => key,
            Self::Iss => iss,
            Self::Sub => sub,
        }
    }
}

fn http_filters() -> Vec<HttpFilter> {
    let script = include_str!("jwt_auth/token.lua");
    let find = Lua {
        default_source_code: Some(text(script.to_owned())),
        ..Lua::default()
    };
    vec![
        filter::disabled(FIND, &find),
        filter::disabled(SELECT, &SetFilterState::default()),
        Extension::Jwts.filter(),
        filter::disabled(COMPARE, &HeaderMutation::default()),
        Extension::JwtConsumers.filter(),
    ]
}

/// Has the claim that was read select what verifies the token.
fn select() -> SetFilterState {
    SetFilterState {
        on_request_headers: vec![FilterStateValue {
            key: Some(Key::ObjectKey(SELECTED.to_owned())),
            factory_key: "envoy.string".to_owned(),
            value: Some(StateValue::FormatString(SubstitutionFormatString {
                format: Some(Format::TextFormatSource(text(format!(
                    "%REQ({UNVERIFIED})%"
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
struct JwtAuth(Form);

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let mut form: Form = decode::read(value)?;
    form.header = header::changeable(&form.header).map_err(|said| Remark::new("header", said))?;
    identity::argument(&form.query).map_err(|said| Remark::new("query", said))?;
    identity::argument(&form.cookie).map_err(|said| Remark::new("cookie", said))?;
    Ok(Arc::new(JwtAuth(form)))
}

impl JwtAuth {
    /// What the script is told.
    fn context(&self) -> Struct {
        let Self(form) = self;
        let of = |text: &str| Kind::StringValue(text.to_owned());
        let fields = [
            ("header", of(&form.header)),
            ("query", of(&form.query)),
            ("cookie", of(&form.cookie)),
            ("claim", of(form.key_claim_name.as_str())),
            ("hide", Kind::BoolValue(form.hide_credentials)),
        ];
        let field = |(name, kind): (&str, Kind)| (name.to_owned(), ProtoValue { kind: Some(kind) });
        Struct {
            fields: fields.into_iter().map(field).collect(),
        }
    }

    /// Puts the claim that was read beside the one that was verified.
    fn compare(&self) -> HeaderMutationPerRoute {
        let claim = self.0.key_claim_name.as_str();
        let both = format!("%REQ({UNVERIFIED})% %REQ({CLAIM_PREFIX}{claim})%");
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
    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        let find = LuaPerRoute {
            filter_context: Some(self.context()),
            ..LuaPerRoute::default()
        };
        filter::enable(route, FIND, &find);
        filter::enable(route, SELECT, &select());
        Extension::Jwts.enable(route);
        filter::enable(route, COMPARE, &self.compare());
        Extension::JwtConsumers.enable(route);
        identity::say(route, NOBODY, "Missing related consumer");
        identity::say(route, UNKNOWN, "Invalid user key in JWT token");
        for (reason, message) in REASONS {
            identity::say(route, reason, message);
        }
        let removed = &mut route.request_headers_to_remove;
        removed.extend([TOKEN, UNVERIFIED, CLAIMED].map(ToOwned::to_owned));
        removed.extend(CLAIMS.map(|claim| format!("{CLAIM_PREFIX}{claim}")));
    }
}
