//! What a proxy tells of a request, as the object that APISIX writes.

use std::collections::BTreeMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{Address, Node, SocketAddress, address};
use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use envoy_types::pb::google::protobuf::{self, Struct, value::Kind};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::variable;
use crate::model::key::NO_ROUTE;
use crate::model::log_format::{Field, Fields};
use crate::model::log_target::{LogTarget, METADATA, REQUEST, RESPONSE, TO};

/// The last second that can be written as a date: that of the year 9999, since 1970.
const LAST: u64 = 253_402_300_799;

/// The header that says who sent a request, which the gateway itself writes.
const CONSUMER: &str = "x-consumer-username";

/// Who tells.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Proxy {
    hostname: String,
    version: String,
}

impl Proxy {
    pub fn of(node: &Node) -> Self {
        let version = match &node.user_agent_version_type {
            Some(UserAgentVersionType::UserAgentBuildVersion(build)) => build
                .version
                .as_ref()
                .map(|of| format!("{}.{}.{}", of.major_number, of.minor_number, of.patch)),
            Some(UserAgentVersionType::UserAgentVersion(version)) => Some(version.clone()),
            None => None,
        };
        Self {
            hostname: node.id.clone(),
            version: version.unwrap_or_default(),
        }
    }
}

/// Headers by their names in small letters; each has at least one value.
pub type Headers = BTreeMap<String, Vec<String>>;

/// A request, and what became of it.
#[derive(Debug)]
pub struct Entry<'a> {
    entry: &'a HttpAccessLogEntry,
    common: Option<&'a AccessLogCommon>,
    proxy: &'a Proxy,
    targets: &'a str,
    pub request: Headers,
    pub response: Headers,
}

impl<'a> Entry<'a> {
    pub fn read(entry: &'a HttpAccessLogEntry, proxy: &'a Proxy) -> Self {
        let common = entry.common_properties.as_ref();
        let told =
            common.and_then(|common| common.metadata.as_ref()?.filter_metadata.get(METADATA));
        let field = |name| told.and_then(|told| told.fields.get(name)?.kind.as_ref());
        let headers = |name| match field(name) {
            Some(Kind::StructValue(fields)) => headers(fields),
            _ => Headers::new(),
        };
        Self {
            entry,
            common,
            proxy,
            targets: match field(TO) {
                Some(Kind::StringValue(lines)) => lines,
                _ => "",
            },
            request: headers(REQUEST),
            response: headers(RESPONSE),
        }
    }

    /// Where it goes, as [`LogTarget::line`] says it.
    pub fn targets(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.targets.lines()
    }

    /// As this target has it.
    pub fn object(&self, target: &LogTarget) -> Map<String, Value> {
        match &target.format {
            Some(fields) => self.custom(fields, target),
            None => self.full(target),
        }
    }

    /// What a document's text stands for: itself, or a variable, which a request may not have.
    pub fn text(&self, text: &str) -> Option<String> {
        match text.strip_prefix('$') {
            Some(variable) => variable::value(self, variable),
            None => Some(text.to_owned()),
        }
    }

    /// The fields that the request has, with all objects among them.
    fn some(&self, fields: &Fields) -> Map<String, Value> {
        let value = |field: &Field| match field {
            Field::Text(text) => self.text(text).map(Value::from),
            Field::Object(fields) => Some(self.some(fields).into()),
        };
        let some = fields
            .iter()
            .filter_map(|(name, field)| Some((name.clone(), value(field)?)));
        some.collect()
    }

    fn custom(&self, fields: &Fields, target: &LogTarget) -> Map<String, Value> {
        let mut object = self.some(fields);
        let ids = [
            ("route_id", self.route()),
            ("service_id", target.service.clone()),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                object.insert(name.to_owned(), id.into());
            }
        }
        object
    }

    fn full(&self, target: &LogTarget) -> Map<String, Value> {
        let text = |name| variable::value(self, name).unwrap_or_default();
        let common = self.common;
        let (latency, upstream) = (self.latency(), self.upstream_latency());
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put(
            "request",
            json!({
                "method": text("request_method"),
                "uri": text("request_uri"),
                "url": format!(
                    "{}://{}:{}{}", text("scheme"), text("host"), text("server_port"), text("request_uri")
                ),
                "headers": shown(&self.request, Some(text("http_host"))),
                "querystring": arguments(&text("request_uri")),
                "size": common.map_or(0, |common| common.downstream_wire_bytes_received),
            }),
        );
        put(
            "response",
            json!({
                "status": self.status(),
                "headers": shown(&self.response, None),
                "size": common.map_or(0, |common| common.downstream_wire_bytes_sent),
            }),
        );
        put(
            "server",
            json!({"hostname": self.proxy.hostname, "version": self.proxy.version}),
        );
        put(
            "service_id",
            match self.route() {
                Some(_) => target.service.clone().unwrap_or_default().into(),
                // As APISIX has it where no route takes a request.
                None => text("host").into(),
            },
        );
        if let Some(route) = self.route() {
            put("route_id", route.into());
        }
        if let Some(consumer) = self.consumer() {
            put("consumer", json!({"username": consumer}));
        }
        if let Some(upstream) = variable::value(self, "upstream_addr") {
            put("upstream", upstream.into());
        }
        put("client_ip", text("remote_addr").into());
        put("start_time", millis(self.start()).into());
        put("latency", latency.into());
        put(
            "apisix_latency",
            (latency - upstream.unwrap_or_default()).max(0.0).into(),
        );
        if let Some(upstream) = upstream {
            put("upstream_latency", upstream.into());
        }
        object
    }

    /// The id of the document; nothing where no route took the request.
    pub fn route(&self) -> Option<String> {
        let name = self.common?.route_name.strip_prefix("route/")?;
        Some(name.to_owned()).filter(|name| name != NO_ROUTE)
    }

    pub fn consumer(&self) -> Option<&str> {
        let headers = &self.entry.request.as_ref()?.request_headers;
        headers.get(CONSUMER).map(|name| &**name)
    }

    /// 0 where there was no answer.
    pub fn status(&self) -> u32 {
        let response = self.entry.response.as_ref();
        let code = response.and_then(|response| response.response_code.as_ref());
        code.map_or(0, |code| code.value)
    }

    pub fn client(&self) -> Option<&SocketAddress> {
        socket(self.common?.downstream_remote_address.as_ref()?)
    }

    pub fn server(&self) -> Option<&SocketAddress> {
        socket(self.common?.downstream_local_address.as_ref()?)
    }

    pub fn instance(&self) -> Option<&SocketAddress> {
        socket(self.common?.upstream_remote_address.as_ref()?)
    }

    /// Since 1970.
    pub fn start(&self) -> Duration {
        let start = self.common.and_then(|common| common.start_time.as_ref());
        start.map_or(Duration::ZERO, |start| since(start.seconds, start.nanos))
    }

    /// When it was over, since 1970.
    pub fn end(&self) -> Duration {
        let took = self.common.and_then(|common| common.duration.as_ref());
        let took = took.map(|took| since(took.seconds, took.nanos));
        let end = self.start().saturating_add(took.unwrap_or_default());
        end.min(Duration::from_secs(LAST))
    }

    fn latency(&self) -> f64 {
        let took = self.common.and_then(|common| common.duration.as_ref());
        took.map_or(0.0, in_millis)
    }

    /// From the first byte to the instance until the last one from it; nothing where none was asked.
    fn upstream_latency(&self) -> Option<f64> {
        let from = self.common?.time_to_first_upstream_tx_byte.as_ref()?;
        let until = self.common?.time_to_last_upstream_rx_byte.as_ref()?;
        Some((in_millis(until) - in_millis(from)).max(0.0))
    }
}

fn since(seconds: i64, nanos: i32) -> Duration {
    let seconds = u64::try_from(seconds).unwrap_or_default().min(LAST);
    let nanos = u32::try_from(nanos).unwrap_or_default().min(999_999_999);
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into()))
}

fn in_millis(duration: &protobuf::Duration) -> f64 {
    let micros = since(duration.seconds, duration.nanos).as_micros();
    // No longer than millions of years.
    u32::try_from(micros).map_or(f64::from(u32::MAX), f64::from) / 1000.0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub fn port(address: &SocketAddress) -> u32 {
    match address.port_specifier {
        Some(PortSpecifier::PortValue(port)) => port,
        _ => 0,
    }
}

fn socket(address: &Address) -> Option<&SocketAddress> {
    match &address.address {
        Some(address::Address::SocketAddress(socket)) => Some(socket),
        _ => None,
    }
}

fn headers(fields: &Struct) -> Headers {
    let text = |value: &protobuf::Value| match &value.kind {
        Some(Kind::StringValue(text)) => Some(decoded(text)),
        _ => None,
    };
    let values = |value: &protobuf::Value| match &value.kind {
        Some(Kind::ListValue(list)) => list.values.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    let all = fields.fields.iter();
    let all = all.map(|(name, value)| (name.clone(), values(value)));
    all.filter(|(_, values)| !values.is_empty()).collect()
}

/// What proxies wrote as URLs have it, as it was.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// As APISIX shows them: a text, or a list of those that came several times.
fn shown(headers: &Headers, host: Option<String>) -> Map<String, Value> {
    let own = headers.iter().filter(|(name, _)| !name.starts_with(':'));
    let own = own.map(|(name, values)| (name.clone(), one_or_all(values)));
    let host = host.map(|host| ("host".to_owned(), host.into()));
    own.chain(host).collect()
}

fn one_or_all(values: &[String]) -> Value {
    match values {
        [one] => one.as_str().into(),
        all => all.into(),
    }
}

/// Those of a query, decoded; one without `=` is `true`.
fn arguments(uri: &str) -> Map<String, Value> {
    let Some((_, query)) = uri.split_once('?') else {
        return Map::new();
    };
    let mut arguments: Map<String, Value> = Map::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let Some((name, value)) = form_urlencoded::parse(part.as_bytes()).next() else {
            continue;
        };
        let value: Value = if part.contains('=') {
            (*value).into()
        } else {
            true.into()
        };
        match arguments.get_mut(&*name) {
            None => {
                arguments.insert(name.into_owned(), value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(one) => *one = json!([one.clone(), value]),
        }
    }
    arguments
}

#[cfg(test)]
pub(super) mod tests;
