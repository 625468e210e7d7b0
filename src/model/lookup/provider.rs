//! What is asked of an identity provider (OpenID Connect Discovery): who it is, and the keys that verify its tokens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::begins;
use crate::model::decode::quoted;

/// The plugin whose documents ask one, and the field that says where.
pub(super) const PLUGIN: &str = "openid-connect";
pub(super) const FIELD: &str = "discovery";
/// Characters of that field.
const LONGEST: usize = 64 * 1024;

/// An identity provider, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Provider {
    /// Where its discovery document is.
    pub address: Arc<str>,
    /// Whether its certificate has to be good.
    pub verify: bool,
    /// Whether its keys are wanted, beside who it is.
    pub keys: bool,
    /// Whether people are to log in there.
    pub login: bool,
}

/// What a provider has said of itself, as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ProviderSaid {
    /// What its tokens name it.
    pub issuer: String,
    /// What verifies them, in the order of their names.
    pub keys: Vec<ProviderKey>,
    /// Where people log in; nothing where nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<ProviderLogin>,
}

/// Where a provider has people log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderLogin {
    /// Where they are sent.
    pub authorization: String,
    /// Where the code that they come back with becomes tokens.
    pub token: String,
    /// Where they log out, if there is such a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_session: Option<String>,
    /// How a client may show its secret, the first one preferred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// A key of a provider's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProviderKey {
    /// What tokens name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Its `SubjectPublicKeyInfo`, in hexadecimal digits.
    pub key: String,
    /// The algorithms of tokens that it verifies.
    pub algorithms: Vec<String>,
}

impl Provider {
    /// What a plugin's configuration, as it is written, has to be asked for; nothing where it says all itself.
    pub(super) fn asked_by(plugin: &Map<String, Value>) -> Option<Result<Self, String>> {
        let is = |name: &str| plugin.get(name).and_then(Value::as_bool) == Some(true);
        let has_key = plugin.get("public_key").is_some();
        let keys = is("use_jwks") && !has_key;
        let issuers = |value: &Value| {
            let issuers = value.pointer("/issuer/valid_issuers")?.as_array()?;
            Some(!issuers.is_empty())
        };
        let has_issuers = plugin.get("claim_validator").and_then(issuers) == Some(true);
        let login = !is("bearer_only");
        let is_asked = login || keys || (has_key && !has_issuers);
        // What is longer is refused as it is read.
        let text = plugin.get(FIELD)?.as_str();
        let text = text.filter(|text| text.chars().count() <= LONGEST)?;
        let address = || match begins(text, "$env://") || begins(text, "$secret://") {
            true => Err(
                "found a reference, allowed: the address itself, as what is said of it names it"
                    .to_owned(),
            ),
            false => address(text),
        };
        is_asked.then(|| {
            Ok(Self {
                address: address()?.as_str().into(),
                verify: is("ssl_verify"),
                keys,
                login,
            })
        })
    }
}

/// Reads where a provider's document is, or its keys are.
pub fn address(text: &str) -> Result<Url, String> {
    let wrong = |why: &str| {
        let found = quoted(text);
        format!(
            "found {found}, {why}, allowed: http or https and a host, as https://login.example.com/.well-known/openid-configuration"
        )
    };
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("which is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user, allowed: write it without one".to_owned());
    }
    if url.fragment().is_some() || text.len() > 2048 {
        return Err(wrong("which has a `#` in it, or more than 2048 bytes"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
