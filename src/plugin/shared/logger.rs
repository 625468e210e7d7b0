//! What the loggers have in common whose entries `chancery logs` hands on: how entries go together, what they have, and how their
//! target travels. Where entries go is each plugin's own.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::logged;
use super::metadata::Metadata;
use crate::model::bounds::{self, List, LongText};
use crate::model::decode::{self, Reader, Take, quoted};
use crate::model::key::Id;
use crate::model::log_format;
use crate::model::log_target::{Batching, FORMAT, LINE, LogTarget, To};
use crate::model::problem::Remark;
use crate::model::scalar::Within;
use crate::model::upstream::Cluster;
use crate::plugin::contract::{self, Helper, Plugin};
use crate::plugin::file_logger;

const NO_BODIES: &str = "Envoy tells no bodies to its logs";

/// Fields that no form of theirs has.
pub const BODIES: &[(&str, &str)] = &[
    ("include_req_body_expr", NO_BODIES),
    ("include_resp_body_expr", NO_BODIES),
    ("max_req_body_bytes", NO_BODIES),
    ("max_resp_body_bytes", NO_BODIES),
];

/// What is not as in APISIX: a plugin's own, then what all of them have.
macro_rules! differs {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            (
                "log_format",
                "variables as in the error that refuses another; `$time_iso8601` is when the request came, in UTC",
            ),
            (
                "",
                "request headers are those that came, before any plugin changed them, with `x-request-id` and \
                `x-forwarded-proto` of Envoy's; where only a consumer has a logger, those that there are once it is known",
            ),
            ("", "`server` is Envoy: its node's id, and its version"),
            ("include_req_body", "no bodies"),
            ("include_resp_body", "no bodies"),
            ("", "nothing of what Envoy refuses before it looks for a route"),
        ]
    };
}
pub(crate) use differs;

/// The names of [`Fields`].
const NAMES: &[&str] = &[
    "name",
    "batch_max_size",
    "inactive_timeout",
    "buffer_duration",
    "max_retry_count",
    "retry_delay",
    "log_format",
    "include_req_body",
    "include_resp_body",
];

/// Which entries go together, and what they have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Fields {
    /// What APISIX calls the batches; not used.
    #[serde(rename = "name")]
    _name: Option<String>,
    /// So many entries go together at most.
    #[serde(default = "thousand")]
    batch_max_size: Within<1, 10_000>,
    /// Seconds after the last entry until a batch goes that is not full.
    #[serde(default = "five")]
    inactive_timeout: Within<1, 86_400>,
    /// Seconds after the first entry.
    #[serde(default = "minute")]
    buffer_duration: Within<1, 86_400>,
    /// How often a batch is sent again that the server did not take; then it is lost, and counted.
    #[serde(default = "never")]
    max_retry_count: Within<0, 1_000_000>,
    /// Seconds until then.
    #[serde(default = "second")]
    retry_delay: Within<0, 86_400>,
    /// The fields of an entry: texts, `$` and the name of a variable, or objects of such, at most five in each other.
    log_format: Option<log_format::Fields>,
    /// No other: Envoy tells no bodies.
    #[serde(default)]
    include_req_body: bool,
    /// No other: Envoy tells no bodies.
    #[serde(default)]
    include_resp_body: bool,
}

impl decode::Form for Fields {}

fn thousand() -> Within<1, 10_000> {
    Within(1000)
}

fn five() -> Within<1, 86_400> {
    Within(5)
}

fn minute() -> Within<1, 86_400> {
    Within(60)
}

fn never() -> Within<0, 1_000_000> {
    Within(0)
}

fn second() -> Within<0, 86_400> {
    Within(1)
}

/// Reads what is a plugin's own, and what all of them have.
pub fn read<F: decode::Form>(value: &Value) -> Result<(F, Fields), Remark> {
    read_by(value, decode::read_beside)
}

/// The same where secrets stand among them, of which no error tells.
pub fn read_unquoted<F: decode::Form>(value: &Value) -> Result<(F, Fields), Remark> {
    read_by(value, decode::read_beside_unquoted)
}

type Read<F> = fn(&Value, &'static [&'static str], &mut Take<'_>) -> Result<F, Remark>;

fn read_by<F: decode::Form>(value: &Value, read: Read<F>) -> Result<(F, Fields), Remark> {
    let mut beside = Map::new();
    let mut take = |name: &str, field: Reader<'_>| {
        beside.insert(name.to_owned(), Value::deserialize(field)?);
        Ok(())
    };
    let form = read(value, NAMES, &mut take)?;
    let fields: Fields = decode::read(&Value::Object(beside))?;
    file_logger::check_bodies(fields.include_req_body, fields.include_resp_body, NO_BODIES)?;
    if let Some(format) = &fields.log_format {
        check_format(format)?;
    }
    Ok((form, fields))
}

/// The schema of a plugin's form with the fields that all of them have.
pub fn schema<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = contract::schema::<F>(generator);
    let common = generator.subschema_for::<Fields>();
    let common = common.get("properties").and_then(Value::as_object).cloned();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.extend(common.into_iter().flatten());
    }
    schema
}

/// Refuses fields that no entry can have, of a plugin or of its metadata. What Envoy does not do exactly in lines of its own, it
/// does not have to do here.
pub fn check_format(fields: &log_format::Fields) -> Result<(), Remark> {
    bounds::within(json!(fields).to_string().len(), "bytes", FORMAT)
        .map_err(|said| Remark::new(file_logger::FORMAT, said))?;
    check_fields(file_logger::FORMAT, fields)
}

/// The same of what another field has.
pub fn check_fields(of: &str, fields: &log_format::Fields) -> Result<(), Remark> {
    file_logger::check_fields(of, fields, &mut Vec::new())
}

/// Refuses what is no URL of a server, or has a user.
pub fn check_url(field: &str, text: &str) -> Result<(), Remark> {
    let is_one = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let of_nobody = |url: &Url| url.username().is_empty() && url.password().is_none();
    let said = match Url::parse(text) {
        Ok(url) if is_one(&url) && of_nobody(&url) => return Ok(()),
        Ok(url) if is_one(&url) => "found a user in it, allowed: none".to_owned(),
        _ => format!(
            "found {}, allowed: http://HOST/PATH, https://…",
            quoted(text)
        ),
    };
    Err(Remark::new(field, said))
}

/// Why a secret of a document is not read.
pub const SHOWN: &str = "is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server (--authorization)";

/// Refuses headers that nothing is in the place of, and says which is not read.
pub fn check_headers(
    headers: Option<&BTreeMap<String, String>>,
    warnings: &mut Vec<Remark>,
) -> Result<(), Remark> {
    for name in headers.into_iter().flat_map(BTreeMap::keys) {
        let field = format!("headers.{}", decode::shown(name));
        if !name.eq_ignore_ascii_case("authorization") {
            let message = "found, allowed: none but `Authorization`, as Envoy would have to know what is shown to the server";
            return Err(Remark::new(field, message));
        }
        warnings.push(Remark::new(field, SHOWN));
    }
    Ok(())
}

/// Refuses what no header can have.
pub fn check_header(field: &str, text: &str) -> Result<(), Remark> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.bytes().all(is_plain) {
        return Ok(());
    }
    let message = format!("found {}, allowed: characters of ASCII", quoted(text));
    Err(Remark::new(field, message))
}

/// Where a server is, in the older form (`endpoint_addr`) or the newer (`endpoint_addrs`): at least one URL, some of which may have no
/// `/` at their end.
pub fn endpoints(
    one: Option<&LongText<1024>>,
    several: Option<&List<LongText<1024>, 16>>,
    may_end: bool,
) -> Result<Vec<String>, Remark> {
    let all: Vec<(String, &str)> = match (one, several) {
        (Some(one), None) => vec![("endpoint_addr".to_owned(), &one.0)],
        (None, Some(several)) => {
            let several = several.0.iter().enumerate();
            several
                .map(|(at, url)| (format!("endpoint_addrs[{at}]"), &*url.0))
                .collect()
        }
        (Some(_), Some(_)) => {
            let message = "found beside `endpoint_addrs`, allowed: one of them";
            return Err(Remark::new("endpoint_addr", message));
        }
        (None, None) => return Err(Remark::new("endpoint_addrs", "is missing")),
    };
    if all.is_empty() {
        let message = "found an empty list, allowed: at least one";
        return Err(Remark::new("endpoint_addrs", message));
    }
    for (field, url) in &all {
        check_url(field, url)?;
        if !may_end && url.ends_with('/') {
            let message = format!("found {}, allowed: without a `/` at its end", quoted(url));
            return Err(Remark::new(field.as_str(), message));
        }
    }
    Ok(all.into_iter().map(|(_, url)| url.to_owned()).collect())
}

/// The host of a server, as a resolver takes it. Refuses what is none, a socket's path among it.
pub fn host(field: &str, text: &str) -> Result<String, Remark> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let bare = bare.unwrap_or(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name = !bare.is_empty() && bare.chars().all(is_plain);
    if is_name || bare.parse::<Ipv6Addr>().is_ok() {
        return Ok(bare.to_owned());
    }
    let found = quoted(text);
    let message = format!("found {found}, allowed: a name or an address, without a port");
    Err(Remark::new(field, message))
}

/// Bytes that a service's id and how many may wait take of a line, and more.
const SERVICE: usize = 128;

/// A route's requests are told to `chancery logs`, for this target.
#[derive(Debug, Clone)]
struct Logger(LogTarget);

impl Fields {
    /// The plugin whose entries go there. Refuses what no entry can carry, whatever its service is and its metadata says.
    pub fn to(self, to: To) -> Result<Arc<dyn Plugin>, Remark> {
        let target = LogTarget {
            to,
            batch: Batching {
                most: self.batch_max_size.0,
                idle: self.inactive_timeout.0,
                age: self.buffer_duration.0,
                retries: self.max_retry_count.0,
                pause: self.retry_delay.0,
                pending: None,
            },
            format: self.log_format,
            service: None,
        };
        let most = match target.format {
            Some(_) => LINE - SERVICE,
            None => LINE - SERVICE - FORMAT,
        };
        bounds::within(target.line().len(), "bytes for where entries go", most)
            .map_err(Remark::whole)?;
        Ok(Arc::new(Logger(target)))
    }
}

impl Plugin for Logger {
    fn helper(&self) -> Option<Helper> {
        Some(Helper::Logs)
    }

    fn asks_for_metadata(&self) -> bool {
        true
    }

    fn with_metadata(&self, metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        // Of no fields it is as without metadata, as in APISIX. Checked as the metadata was read.
        let fields = Some(&metadata.format).filter(|fields| !fields.is_empty());
        let mut target = self.0.clone();
        target.format = target.format.or_else(|| fields.cloned());
        target.batch.pending = metadata.pending;
        Some(Arc::new(Self(target)))
    }

    fn of_service(&self, service: &Id) -> Option<Arc<dyn Plugin>> {
        let mut target = self.0.clone();
        target.service = Some(service.to_string());
        Some(Arc::new(Self(target)))
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        logged::log(route, &self.0);
    }
}
