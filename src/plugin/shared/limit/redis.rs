//! Counts that lie in Redis: the fields that say where, which stand beside those of a plugin.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::bounds::{List, LongText};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::scalar::{Port, Quantity, Within};
use crate::model::shared_limit;
use crate::plugin::contract;

/// What is said of fields that others are told in the place of a document.
pub const NOT_READ: &str = "is not read: `chancery ratelimit` is told how to speak with Redis, and `rate_limit` of the \
    gateway how long to wait";

/// The fields of which that is said.
const UNREAD: [&str; 9] = [
    "redis_cluster_ssl",
    "redis_cluster_ssl_verify",
    "redis_keepalive_pool",
    "redis_keepalive_timeout",
    "redis_password",
    "redis_ssl",
    "redis_ssl_verify",
    "redis_timeout",
    "redis_username",
];

/// What a plugin does otherwise, and these fields behind: `ALL` is `OWN` and as many as they are.
pub const fn with_not_read<const OWN: usize, const ALL: usize>(
    own: [(&'static str, &'static str); OWN],
) -> [(&'static str, &'static str); ALL] {
    let mut all = [("", NOT_READ); ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < OWN {
            own[at]
        } else {
            (UNREAD[at - OWN], NOT_READ)
        };
        at += 1;
    }
    all
}

/// How many nodes of a cluster a document may name.
const NODES: usize = 64;

/// Where the counts lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// In each proxy.
    #[default]
    Local,
    /// In Redis, which the gateway's `rate_limit` asks.
    Redis,
    /// In a cluster of Redis, likewise.
    RedisCluster,
}

/// Where Redis is. How it is spoken with is known to the service that asks it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where the counts lie.
    #[serde(default)]
    policy: Policy,
    /// The host of Redis.
    redis_host: Option<LongText<253>>,
    /// Its port; 6379 if not written.
    redis_port: Option<Port>,
    /// The number of a database; 0 if not written.
    redis_database: Option<Within<0, 1_000_000>>,
    /// What a cluster of Redis is called by the service that asks it.
    redis_cluster_name: Option<LongText<128>>,
    /// Its nodes, which the service is told.
    redis_cluster_nodes: Option<List<LongText<512>, NODES>>,
    /// Not read: the service is told.
    #[serde(rename = "redis_username")]
    _redis_username: Option<String>,
    /// Not read: the service is told.
    #[serde(rename = "redis_password")]
    _redis_password: Option<String>,
    /// Not read: the service is told.
    #[serde(rename = "redis_ssl")]
    _redis_ssl: Option<bool>,
    /// Not read: the service is told.
    #[serde(rename = "redis_ssl_verify")]
    _redis_ssl_verify: Option<bool>,
    /// Not read: the service is told.
    #[serde(rename = "redis_cluster_ssl")]
    _redis_cluster_ssl: Option<bool>,
    /// Not read: the service is told.
    #[serde(rename = "redis_cluster_ssl_verify")]
    _redis_cluster_ssl_verify: Option<bool>,
    /// Not read: the time-out of the gateway's `rate_limit` counts.
    #[serde(rename = "redis_timeout")]
    _redis_timeout: Option<Quantity>,
    /// Not read: the service holds one connection.
    #[serde(rename = "redis_keepalive_timeout")]
    _redis_keepalive_timeout: Option<Quantity>,
    /// Not read: the service holds one connection.
    #[serde(rename = "redis_keepalive_pool")]
    _redis_keepalive_pool: Option<Quantity>,
}

impl decode::Form for Form {}

/// A plugin's own fields, and where its counts lie: nothing where each proxy counts.
pub fn split(value: &Value, warnings: &mut Vec<Remark>) -> Result<(Value, Option<String>), Remark> {
    let Value::Object(fields) = value else {
        return Ok((value.clone(), None));
    };
    let is_one = |name: &String| name == "policy" || name.starts_with("redis_");
    let (of_redis, own): (Map<_, _>, Map<_, _>) = fields
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .partition(|(name, _)| is_one(name));
    let form: Form = decode::read_unquoted(&Value::Object(of_redis))?;
    let redis = form.checked(fields, warnings)?;
    Ok((Value::Object(own), redis))
}

impl Form {
    fn checked(
        self,
        fields: &Map<String, Value>,
        warnings: &mut Vec<Remark>,
    ) -> Result<Option<String>, Remark> {
        let of = match self.policy {
            Policy::Local => "",
            Policy::Redis => "redis_host redis_port redis_database",
            Policy::RedisCluster => "redis_cluster_name redis_cluster_nodes",
        };
        let wanted = |name: &str| of.split(' ').any(|one| one == name);
        for name in fields.keys().filter(|name| name.starts_with("redis_")) {
            if self.policy == Policy::Local {
                let message = "found, allowed: with `policy: redis` or `redis-cluster` only";
                return Err(Remark::new(name, message));
            }
            if !wanted(name) {
                warnings.push(Remark::new(name, NOT_READ));
            }
        }
        match self.policy {
            Policy::Local => Ok(None),
            Policy::Redis => {
                let host = self.redis_host.ok_or_else(|| missing("redis_host"))?.0;
                word("redis_host", &host)?;
                let port = self.redis_port.map_or(6379, |port| port.0);
                let database = self.redis_database.map_or(0, |database| database.0);
                Ok(Some(shared_limit::server(&host, port, database)))
            }
            Policy::RedisCluster => {
                let name = self.redis_cluster_name;
                let name = name.ok_or_else(|| missing("redis_cluster_name"))?.0;
                word("redis_cluster_name", &name)?;
                if self.redis_cluster_nodes.is_none() {
                    return Err(missing("redis_cluster_nodes"));
                }
                Ok(Some(shared_limit::cluster(&name)))
            }
        }
    }
}

fn missing(field: &str) -> Remark {
    Remark::whole(format!("`{field}` is missing"))
}

/// It becomes a word of a header.
fn word(field: &str, text: &str) -> Result<(), Remark> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(());
    }
    let found = decode::quoted(text);
    let message = format!("found {found}, allowed: letters, digits, `-`, `_`, `.`, `:`");
    Err(Remark::new(field, message))
}

/// The schema of a plugin's form with these fields.
pub fn schema<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = contract::schema::<F>(generator);
    let own = generator.subschema_for::<Form>();
    let own = own.get("properties").and_then(Value::as_object).cloned();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.extend(own.into_iter().flatten());
    }
    schema
}

#[cfg(test)]
mod tests;
