//! Which requests are counted together: APISIX's `key` and `key_type` as the descriptors of Envoy's rate limits.

use envoy_types::pb::envoy::config::route::v3::rate_limit::Action;
use envoy_types::pb::envoy::config::route::v3::rate_limit::action::{
    ActionSpecifier, HeaderValueMatch, RemoteAddressMatch,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, RateLimit, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::r#type::matcher::v3::AddressMatcher;
use envoy_types::pb::xds::core::v3::CidrRange;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envoy::proto::{boolean, uint32};
use crate::model::problem::Remark;
use crate::plugin::shared::variable::{self, Piece};

/// The entry whose value is the key.
const KEY: &str = "key";
/// The entry that tells what the key is made of.
const OF: &str = "of";
const VARIABLES: &str = "variables";
const ADDRESS: &str = "address";
const ADDRESS_FORMAT: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";

/// How `key` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// The name of a variable.
    #[default]
    Var,
    /// A text with variables.
    VarCombination,
    /// A text: all requests are counted together.
    Constant,
}

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitKey {
    /// All.
    Same,
    /// Those of the same text.
    Variables {
        /// One of Envoy's format strings.
        format: String,
        /// Headers without all of which the client's address is the key; none where there always is a key.
        headers: Vec<String>,
    },
}

impl LimitKey {
    pub fn read(kind: KeyType, key: &str, warnings: &mut Vec<Remark>) -> Result<Self, Remark> {
        let wrong = |said: String| Remark::new("key", said);
        if key.is_empty() {
            return Err(wrong("found an empty text, allowed: a variable".into()));
        }
        let pieces = match kind {
            KeyType::Constant => return Ok(Self::Same),
            KeyType::Var => vec![Piece::Variable(key)],
            KeyType::VarCombination => variable::pieces(key).map_err(wrong)?,
        };
        if let Some(said) = variable::warning(&pieces) {
            warnings.push(Remark::new("key", said));
        }
        let mut format = String::new();
        let mut headers = Vec::new();
        let mut always = false;
        for piece in pieces {
            match piece {
                Piece::Text(text) => format.push_str(&variable::literal(text)),
                // Where such a one is not there, the client's address is the key, which Envoy cannot be told.
                Piece::Variable(name)
                    if ["arg_", "cookie_", "consumer_name"]
                        .iter()
                        .any(|kind| name.starts_with(kind)) =>
                {
                    return Err(wrong(format!(
                        "found the variable `${name}`, allowed: variables that every request has, and $http_NAME"
                    )));
                }
                Piece::Variable(name) => {
                    format.push_str(&variable::operator(name).map_err(wrong)?);
                    match name
                        .strip_prefix("http_")
                        .filter(|header| *header != "host")
                    {
                        Some(header) => headers.push(header.replace('_', "-")),
                        None => always = true,
                    }
                }
            }
        }
        if always {
            headers.clear();
        } else if headers.is_empty() {
            // A text without variables: what APISIX takes for no key at all.
            format = ADDRESS_FORMAT.to_owned();
        }
        Ok(Self::Variables { format, headers })
    }

    /// The descriptors that have buckets: one for each value that an entry without a value is met with.
    pub fn descriptors(&self) -> Vec<Vec<Entry>> {
        let of = |of: &str| vec![entry(KEY, ""), entry(OF, of)];
        match self {
            Self::Same => Vec::new(),
            Self::Variables { headers, .. } if headers.is_empty() => vec![vec![entry(KEY, "")]],
            Self::Variables { .. } => vec![of(VARIABLES), of(ADDRESS)],
        }
    }

    /// What a request's descriptor is made of.
    pub fn rate_limits(&self) -> Vec<RateLimit> {
        match self {
            Self::Same => Vec::new(),
            Self::Variables { format, headers } if headers.is_empty() => {
                vec![rate_limit(vec![formatted(format)])]
            }
            Self::Variables { format, headers } => vec![
                rate_limit(vec![
                    formatted(format),
                    unless_absent(headers, VARIABLES, false),
                ]),
                rate_limit(vec![
                    formatted(ADDRESS_FORMAT),
                    unless_absent(headers, ADDRESS, true),
                ]),
            ],
        }
    }
}

fn entry(key: &str, value: &str) -> Entry {
    Entry {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn rate_limit(actions: Vec<ActionSpecifier>) -> RateLimit {
    let action = |specifier| Action {
        action_specifier: Some(specifier),
    };
    RateLimit {
        actions: actions.into_iter().map(action).collect(),
        ..RateLimit::default()
    }
}

/// An entry whose value is made by a format string: of all actions only this one takes one, and it asks for an address that
/// it is not to be.
fn formatted(format: &str) -> ActionSpecifier {
    let nobody = CidrRange {
        address_prefix: "255.255.255.255".to_owned(),
        prefix_len: Some(uint32(32)),
    };
    ActionSpecifier::RemoteAddressMatch(RemoteAddressMatch {
        descriptor_key: KEY.to_owned(),
        descriptor_value: format.to_owned(),
        address_matcher: Some(AddressMatcher {
            ranges: vec![nobody],
            invert_match: true,
        }),
        ..RemoteAddressMatch::default()
    })
}

/// An entry that is there if all of these headers are absent, or if they are not.
fn unless_absent(headers: &[String], of: &str, absent: bool) -> ActionSpecifier {
    let missing = |name: &String| HeaderMatcher {
        name: name.clone(),
        header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(false)),
        ..HeaderMatcher::default()
    };
    ActionSpecifier::HeaderValueMatch(HeaderValueMatch {
        descriptor_key: OF.to_owned(),
        descriptor_value: of.to_owned(),
        expect_match: Some(boolean(absent)),
        headers: headers.iter().map(missing).collect(),
        ..HeaderValueMatch::default()
    })
}
