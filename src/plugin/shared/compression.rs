//! What `gzip` and `brotli` share: which answers are compressed.

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::compressor::v3::{
    Compressor,
    compressor::{CommonDirectionConfig, ResponseDirectionConfig},
};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use schemars::JsonSchema;
use serde::de::{self, Deserializer, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

use crate::cohort::Ability;
use crate::envoy::place;
use crate::envoy::proto::uint32;
use crate::model::bounds;
use crate::model::problem::Remark;
use crate::model::scalar::Quantity;
use crate::model::upstream::Cluster;
use crate::plugin::contract::Plugin;

/// The media types that are compressed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Types {
    /// These, without parameters.
    Some(Vec<String>),
    /// `*`: all.
    All(Star),
}

/// `*`
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub enum Star {
    #[serde(rename = "*")]
    Star,
}

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TypesVisitor)
    }
}

struct TypesVisitor;

impl<'de> Visitor<'de> for TypesVisitor {
    type Value = Types;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a list of media types, such as ["text/html"], or "*""#)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Types, E> {
        if text == "*" {
            Ok(Types::All(Star::Star))
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Types, A::Error> {
        bounds::read_within(items, bounds::ITEMS).map(Types::Some)
    }
}

impl Default for Types {
    fn default() -> Self {
        Self::Some(vec!["text/html".to_owned()])
    }
}

impl Types {
    /// Refuses a list that names nothing.
    pub fn check(&self) -> Result<(), Remark> {
        match self {
            Self::Some(types) if types.is_empty() || types.iter().any(String::is_empty) => {
                let message = "allowed: at least one media type, such as \"text/html\", or \"*\"";
                Err(Remark::new("types", message))
            }
            Self::Some(_) | Self::All(_) => Ok(()),
        }
    }

    fn matchers(&self) -> Vec<StringMatcher> {
        let matcher = |pattern| StringMatcher {
            match_pattern: Some(pattern),
            ..StringMatcher::default()
        };
        match self {
            Self::Some(types) => types
                .iter()
                .map(|name| matcher(MatchPattern::Exact(name.clone())))
                .collect(),
            Self::All(Star::Star) => vec![matcher(MatchPattern::SafeRegex(RegexMatcher {
                regex: ".*".to_owned(),
                ..RegexMatcher::default()
            }))],
        }
    }
}

/// A version of HTTP that clients must have at least.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
pub struct HttpVersion(f64);

impl TryFrom<f64> for HttpVersion {
    type Error = String;

    fn try_from(version: f64) -> Result<Self, String> {
        if [1.0, 1.1].contains(&version) {
            Ok(Self(version))
        } else {
            Err(format!("found {version}, allowed: 1.0, 1.1"))
        }
    }
}

/// What to know of `http_version`: Envoy does not ask for it.
pub fn http_version(version: Option<HttpVersion>) -> Option<Remark> {
    let message = "1.1 has no effect: Envoy compresses for clients of HTTP/1.0 as well, where they say that they take it";
    let is_told = version.is_some_and(|HttpVersion(version)| version > 1.0);
    is_told.then(|| Remark::new("http_version", message))
}

/// What to know of `vary`.
pub fn vary(vary: Option<bool>) -> Option<Remark> {
    let message =
        "false has no effect: Envoy always adds `vary: Accept-Encoding` to what it could compress";
    (vary == Some(false)).then(|| Remark::new("vary", message))
}

/// A filter that compresses, and its place in the chain.
#[derive(Debug)]
pub struct Compression {
    pub place: &'static str,
    pub filter: Compressor,
}

impl Plugin for Compression {
    fn needs(&self) -> Vec<Ability> {
        vec![Ability::MediaTypes]
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        place::fill(route, self.place, &self.filter);
    }
}

/// The shortest body that is compressed, where a document does not say.
pub fn min_length() -> Quantity {
    Quantity(20)
}

/// Envoy's filter with this library.
pub fn compressor(types: &Types, min_length: u32, library: TypedExtensionConfig) -> Compressor {
    Compressor {
        response_direction_config: Some(ResponseDirectionConfig {
            common_config: Some(CommonDirectionConfig {
                min_content_length: Some(uint32(min_length)),
                content_type_matcher: types.matchers(),
                ..CommonDirectionConfig::default()
            }),
            ..ResponseDirectionConfig::default()
        }),
        compressor_library: Some(library),
        ..Compressor::default()
    }
}
