//! The `plugins` of a consumer or a credential that are credentials: one for each way of authentication.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwk::{self, Algorithm};
use super::secret::Secret;
use crate::model::bounds::{FIELDS, KEY, LongText, within};
use crate::model::decode::{self, quoted, shown};
use crate::model::problem::Remark;
use crate::model::scalar::Count;

/// What a consumer shows to be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The key that it sends.
    pub key: Option<Secret>,
    pub basic: Option<Basic>,
    /// What signs its tokens.
    pub jwt: Option<Jwt>,
}

/// A name with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basic {
    /// The name, which need not be the consumer's.
    pub username: Arc<str>,
    /// The base64 of the password's SHA-1, the one form that Envoy takes.
    pub hash: Secret,
}

/// What tokens have to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The claim that says whose token it is.
    pub key: Arc<str>,
    /// A JSON Web Key Set of one key.
    pub key_set: Secret,
    /// By how many seconds clocks may differ.
    pub grace_seconds: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct KeyForm {
    /// The key that the consumer sends.
    key: Secret,
}

impl decode::Form for KeyForm {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct BasicForm {
    /// The name that the consumer sends.
    username: String,
    /// The password that it sends.
    password: Secret,
}

impl decode::Form for BasicForm {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct JwtForm {
    /// The claim `key` of the consumer's tokens.
    key: String,
    /// What signs and verifies tokens, for HS256, HS384 and HS512.
    secret: Option<Secret>,
    /// What verifies tokens, for the others, as PEM.
    public_key: Option<LongText<KEY>>,
    /// Not used: Chancery signs no tokens.
    private_key: Option<Secret>,
    /// How tokens are signed.
    #[serde(default)]
    algorithm: Algorithm,
    /// Not used: how long tokens hold that APISIX signs.
    exp: Option<Count>,
    /// Whether `secret` is written in base64.
    #[serde(default)]
    base64_secret: bool,
    /// By how many seconds clocks may differ.
    #[serde(default = "none")]
    lifetime_grace_period: Count,
}

impl decode::Form for JwtForm {}

fn none() -> Count {
    Count(0)
}

/// How the consumer is known.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "its schema is what is wanted")]
pub(super) struct Plugins {
    /// A name and a password.
    #[schemars(rename = "basic-auth")]
    basic: Option<BasicForm>,
    /// What the consumer signs tokens with.
    #[schemars(rename = "jwt-auth")]
    jwt: Option<JwtForm>,
    /// A key.
    #[schemars(rename = "key-auth")]
    key: Option<KeyForm>,
}

/// Reads the `plugins` of a document: credentials, and the others as they are written.
pub(super) fn read(
    plugins: Option<&Value>,
    warnings: &mut Vec<Remark>,
) -> Result<(Credentials, Map<String, Value>), Remark> {
    let (mut credentials, mut others) = (Credentials::default(), Map::new());
    let fields = match plugins {
        None => return Ok((credentials, others)),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Remark::new("plugins", "is no object, allowed: an object")),
    };
    within(fields.len(), "plugins", FIELDS).map_err(|said| Remark::new("plugins", said))?;
    for (name, value) in fields {
        let place = format!("plugins.{}", shown(name));
        let under = |remark: Remark| remark.under(&place);
        if !value.is_object() {
            return Err(Remark::new(place, "is no object, allowed: an object"));
        }
        match name.as_str() {
            "key-auth" => credentials.key = Some(key(value).map_err(under)?),
            "basic-auth" => credentials.basic = Some(basic(value).map_err(under)?),
            "jwt-auth" => {
                let mut said = Vec::new();
                credentials.jwt = Some(jwt(value, &mut said).map_err(under)?);
                warnings.extend(said.into_iter().map(under));
            }
            _ => {
                others.insert(name.clone(), value.clone());
            }
        }
    }
    Ok((credentials, others))
}

fn key(value: &Value) -> Result<Secret, Remark> {
    let KeyForm { key } = decode::read_unquoted(value)?;
    if is_visible(key.reveal()) {
        Ok(key)
    } else {
        Err(Remark::new(
            "key",
            "holds something else, allowed: up to 1024 visible ASCII characters, no space",
        ))
    }
}

fn basic(value: &Value) -> Result<Basic, Remark> {
    let form: BasicForm = decode::read_unquoted(value)?;
    let name = &form.username;
    if !is_visible(name) || name.contains(':') || name.starts_with('#') {
        let message = format!(
            "found {}, allowed: up to 1024 visible ASCII characters, no space, no `:`, and no `#` for a start",
            quoted(name)
        );
        return Err(Remark::new("username", message));
    }
    Ok(Basic {
        username: form.username.into(),
        hash: form.password.hash().into(),
    })
}

fn jwt(value: &Value, warnings: &mut Vec<Remark>) -> Result<Jwt, Remark> {
    let form: JwtForm = decode::read_unquoted(value)?;
    if !is_visible(&form.key) || form.key.contains(['"', '\\']) {
        let message = format!(
            "found {}, allowed: up to 1024 visible ASCII characters, no space, no `\"` and no `\\`",
            quoted(&form.key)
        );
        return Err(Remark::new("key", message));
    }
    let key_set = match (
        form.algorithm.is_symmetric(),
        &form.secret,
        &form.public_key,
    ) {
        (true, Some(secret), _) => jwk::of_secret(form.algorithm, secret, form.base64_secret)
            .map_err(|message| Remark::new("secret", message))?,
        (false, _, Some(LongText(pem))) => jwk::of_public_key(form.algorithm, pem)
            .map_err(|message| Remark::new("public_key", message))?,
        (true, None, _) => return Err(Remark::whole("`secret` is missing")),
        (false, _, None) => return Err(Remark::whole("`public_key` is missing")),
    };
    let unused = [
        ("exp", form.exp.is_some()),
        ("private_key", form.private_key.is_some()),
    ];
    for (field, _) in unused.iter().filter(|(_, written)| *written) {
        warnings.push(Remark::new(
            *field,
            "is of no use: tokens are verified and never signed",
        ));
    }
    Ok(Jwt {
        key: form.key.into(),
        key_set,
        // Envoy reads 0 as a minute.
        grace_seconds: form.lifetime_grace_period.0.max(1),
    })
}

/// What stands for itself in a header, and is one word there.
fn is_visible(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
