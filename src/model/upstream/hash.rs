//! What a consistent hash is made of: `hash_on`, `key` and `hash_algorithm` of an upstream.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::decode::quoted;
use crate::model::problem::Remark;

/// One thing of a request that a hash is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    RemoteAddress,
    Header(Arc<str>),
    Cookie(Arc<str>),
    Argument(Arc<str>),
    /// The path, without the query.
    Path,
    Query,
    PathAndQuery,
    /// The host that the client names, without the port.
    Host,
}

/// How the hash finds an instance.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// A ring of points: few requests move when instances come and go.
    #[default]
    RingHash,
    /// A table: faster and more even, and somewhat more requests move.
    Maglev,
}

/// A consistent hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash {
    /// All of them together; those that a request lacks count for nothing, and one that lacks all goes by its address.
    pub keys: Vec<HashKey>,
    pub algorithm: HashAlgorithm,
}

/// Where `key` is looked up.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HashOn {
    /// One variable: `remote_addr`, `arg_user`.
    #[default]
    Vars,
    /// The header of that name.
    Header,
    /// The cookie of that name.
    Cookie,
    /// The consumer's name.
    Consumer,
    /// Several variables: `$remote_addr$http_x_user`.
    VarsCombinations,
}

/// The header in which plugins that know the consumer tell its name, as APISIX's do.
const CONSUMER: &str = "x-consumer-username";

/// A variable as nginx writes it.
static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$(?:\{([A-Za-z0-9_-]+)\}|([A-Za-z0-9_]+))").ok());

/// What the fields of an upstream say.
pub(super) fn keys(on: HashOn, key: Option<&str>) -> Result<Vec<HashKey>, Remark> {
    let one = match (on, key) {
        (HashOn::Vars, None) => HashKey::RemoteAddress,
        (HashOn::Vars, Some(key)) => variable(key)?,
        (HashOn::Header, Some(key)) => HashKey::Header(header_name(token(key)?)),
        (HashOn::Cookie, Some(key)) => HashKey::Cookie(token(key)?.into()),
        (HashOn::Consumer, _) => HashKey::Header(CONSUMER.into()),
        (HashOn::VarsCombinations, Some(key)) => return combination(key),
        (HashOn::Header, None) => return Err(missing("the name of a header")),
        (HashOn::Cookie, None) => return Err(missing("the name of a cookie")),
        (HashOn::VarsCombinations, None) => {
            return Err(missing("variables, as `$remote_addr$http_x_user`"));
        }
    };
    Ok(vec![one])
}

fn missing(what: &str) -> Remark {
    Remark::new("key", format!("is missing, allowed: {what}"))
}

/// What stands between the variables is the same for every request, and says nothing about where one goes.
fn combination(key: &str) -> Result<Vec<HashKey>, Remark> {
    let found = VARIABLE.iter().flat_map(|regex| regex.captures_iter(key));
    let names = found.filter_map(|found| found.get(1).or(found.get(2)));
    let keys: Vec<HashKey> = names
        .map(|name| variable(name.as_str()))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        Err(Remark::new(
            "key",
            format!(
                "found {}, allowed: variables, as `$remote_addr$http_x_user`",
                quoted(key)
            ),
        ))
    } else {
        Ok(keys)
    }
}

fn variable(key: &str) -> Result<HashKey, Remark> {
    let named = |prefix| key.strip_prefix(prefix).map(token);
    match key {
        "remote_addr" => return Ok(HashKey::RemoteAddress),
        "uri" => return Ok(HashKey::Path),
        "query_string" | "args" => return Ok(HashKey::Query),
        "request_uri" => return Ok(HashKey::PathAndQuery),
        "host" => return Ok(HashKey::Host),
        _ => {}
    }
    if let Some(name) = named("http_") {
        return Ok(HashKey::Header(header_name(name?)));
    }
    if let Some(name) = named("cookie_") {
        return Ok(HashKey::Cookie(name?.into()));
    }
    if let Some(name) = named("arg_") {
        return Ok(HashKey::Argument(name?.into()));
    }
    Err(Remark::new(
        "key",
        format!(
            "found {}, allowed: remote_addr, uri, request_uri, query_string, host, http_NAME, cookie_NAME, arg_NAME",
            quoted(key)
        ),
    ))
}

/// nginx's variables write a header's name with `_` for `-`, and so do those who know them.
fn header_name(name: &str) -> Arc<str> {
    name.to_ascii_lowercase().replace('_', "-").into()
}

fn token(name: &str) -> Result<&str, Remark> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !name.is_empty() && name.bytes().all(fits) {
        return Ok(name);
    }
    Err(Remark::new(
        "key",
        format!(
            "found the name {}, allowed: letters, digits, `-`, `_` and `.`",
            quoted(name)
        ),
    ))
}
