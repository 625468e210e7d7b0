//! Where what is written down of a request goes, and in what form, in one line of text: routes carry it, proxies hand it on, and
//! the service that posts logs reads it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log_format::Fields;

/// Where proxies keep what they hand on of a request: its targets, a line each, and the headers of both sides.
pub const METADATA: &str = "chancery.logs";
pub const TO: &str = "to";
pub const REQUEST: &str = "request";
pub const RESPONSE: &str = "response";

/// Entries that one post has at most.
pub const BATCH: u32 = 10_000;
/// Bytes of a line, and of those the fields of entries.
pub const LINE: usize = 64 << 10;
pub const FORMAT: usize = 16 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    pub to: To,
    pub batch: Batching,
    /// The fields of an entry by their names: texts, or `$` and the name of a variable. Those of APISIX without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Fields>,
    /// The id of the service that the route is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Who takes the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum To {
    /// A server of HTTP, which they are posted to.
    Http {
        uri: String,
        /// Seconds that a post may take.
        timeout: u32,
        /// Whether the server's certificate has to be good.
        verify: bool,
        /// Whether a post has a line for each entry; else it is an array.
        lines: bool,
    },
    /// A server that gets each batch by a connection of its own.
    Tcp(Tcp),
    /// A server that gets each batch as a datagram.
    Udp(Udp),
    /// A server of syslog.
    Syslog(Transport),
    /// Grafana's Loki.
    Loki(Loki),
    /// A topic of Kafka's.
    Kafka(Kafka),
    /// An index of Elasticsearch's.
    Elasticsearch(Elasticsearch),
    /// A table of ClickHouse's.
    Clickhouse(Clickhouse),
}

/// An index, and the servers that take entries for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elasticsearch {
    /// Any of them takes a batch.
    pub uris: Vec<String>,
    pub index: String,
    /// Seconds that a post may take.
    pub timeout: u32,
    /// Whether the server's certificate has to be good.
    pub verify: bool,
}

/// A table, and the servers that take rows for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clickhouse {
    /// Any of them takes a batch.
    pub uris: Vec<String>,
    /// Who writes, unless servers are shown something else.
    pub user: String,
    pub database: String,
    pub table: String,
    /// Seconds that a post may take.
    pub timeout: u32,
    /// Whether the server's certificate has to be good.
    pub verify: bool,
}

/// A topic, and who knows where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Who is asked first, each as `HOST:PORT`.
    pub brokers: Vec<String>,
    pub topic: String,
    /// What messages are found by; by it they come to one partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Seconds that a message may take.
    pub timeout: u32,
    /// Seconds until it is asked again which partitions there are.
    pub refresh: u32,
    /// As whom it is sent; the password is not for proxies to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
}

impl Kafka {
    /// What it is called where people read it.
    fn name(&self) -> String {
        let first = self.brokers.first().map_or("", String::as_str);
        format!("kafka://{first}/{}", self.topic)
    }
}

/// Who sends, and how that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub user: String,
}

/// Ways of SASL to show a password.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// As it is.
    #[default]
    #[serde(rename = "PLAIN")]
    Plain,
    /// Proven, and not shown.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Proven, and not shown.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// A Loki, which may be several servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loki {
    /// Any of them takes a batch.
    pub uris: Vec<String>,
    /// Whose logs they are.
    pub tenant: String,
    /// What entries are found by: texts, or `$` and the name of a variable.
    pub labels: BTreeMap<String, String>,
    /// Milliseconds that a post may take.
    pub millis: u32,
    /// Whether the server's certificate has to be good.
    pub verify: bool,
}

/// What servers of HTTP are called where people read it.
fn any_of(uris: &[String]) -> String {
    let first = uris.first().map_or("", |uri| plain(uri));
    match uris.len() {
        0 | 1 => first.to_owned(),
        all => format!("{first} and {} more", all - 1),
    }
}

/// Without what may be secret of it.
fn plain(uri: &str) -> &str {
    &uri[..uri.find(['?', '#']).unwrap_or(uri.len())]
}

/// What messages of syslog are sent by: lines on a connection, or datagrams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transport {
    Tcp(Tcp),
    Udp(Udp),
}

/// How a server is connected with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    pub host: String,
    pub port: u16,
    /// Milliseconds that it may take to connect, and as many to send a batch.
    pub millis: u32,
    /// Without it, in plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// TLS, of whatever certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The name that the server is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How datagrams get to a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Udp {
    pub host: String,
    pub port: u16,
    /// Milliseconds that a batch may take.
    pub millis: u32,
}

impl Udp {
    /// What it is called where people read it.
    fn name(&self) -> String {
        format!("udp://{}", address(&self.host, self.port))
    }
}

impl Tcp {
    /// What it is called where people read it.
    fn name(&self) -> String {
        let scheme = if self.tls.is_some() { "tls" } else { "tcp" };
        format!("{scheme}://{}", address(&self.host, self.port))
    }
}

/// A host and its port, in brackets where they would run together.
pub fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// When entries go, and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// So many go together at most.
    pub most: u32,
    /// Seconds after the last one.
    pub idle: u32,
    /// Seconds after the first one.
    pub age: u32,
    /// How often those that did not get there are sent again.
    pub retries: u32,
    /// Seconds before they are.
    pub pause: u32,
    /// So many may wait; as many as the service lets wait without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u32>,
}

/// A text that is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no target that this version knows")]
pub struct Unknown;

impl LogTarget {
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read(line: &str) -> Result<Self, Unknown> {
        if line.len() > LINE {
            return Err(Unknown);
        }
        let target: Self = serde_json::from_str(line).map_err(|_| Unknown)?;
        let is_somewhere = match &target.to {
            To::Loki(Loki { uris, .. })
            | To::Elasticsearch(Elasticsearch { uris, .. })
            | To::Clickhouse(Clickhouse { uris, .. }) => !uris.is_empty(),
            To::Kafka(kafka) => !kafka.brokers.is_empty(),
            To::Http { .. } | To::Tcp(_) | To::Udp(_) | To::Syslog(_) => true,
        };
        let known = is_somewhere && (1..=BATCH).contains(&target.batch.most);
        Some(target).filter(|_| known).ok_or(Unknown)
    }

    /// What it is called where people read it: without what may be secret of it.
    pub fn name(&self) -> String {
        match &self.to {
            To::Http { uri, .. } => plain(uri).to_owned(),
            To::Loki(Loki { uris, .. })
            | To::Elasticsearch(Elasticsearch { uris, .. })
            | To::Clickhouse(Clickhouse { uris, .. }) => any_of(uris),
            To::Kafka(kafka) => kafka.name(),
            To::Tcp(tcp) | To::Syslog(Transport::Tcp(tcp)) => tcp.name(),
            To::Udp(udp) | To::Syslog(Transport::Udp(udp)) => udp.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"to":{"http":{"uri":"http://a/b?token=planted","timeout":3,"verify":false,"lines":false}},"#,
        r#""batch":{"most":1000,"idle":5,"age":60,"retries":0,"pause":1},"format":{"a":"$host"}}"#
    );

    #[test]
    fn what_is_written_is_read() {
        let target = LogTarget::read(LINE).unwrap();
        assert_eq!(target.line(), LINE);
        assert_eq!(target.name(), "http://a/b");
    }

    #[test]
    fn what_waits_and_objects_of_fields_travel_along() {
        let line = LINE
            .replace(r#""pause":1"#, r#""pause":1,"pending":7"#)
            .replace(r#""$host""#, r#"{"b":"$host","c":{}}"#);
        let target = LogTarget::read(&line).unwrap();
        assert_eq!(target.batch.pending, Some(7));
        assert_eq!(target.line(), line);
    }

    #[test]
    fn a_server_of_any_kind_is_written_and_named() {
        for (to, name) in [
            (
                r#"{"loki":{"uris":["http://a/p?token=planted"],"tenant":"t","labels":{},"millis":1,"verify":false}}"#,
                "http://a/p",
            ),
            (
                r#"{"loki":{"uris":["http://a/p","http://b/p"],"tenant":"t","labels":{"a":"$host"},"millis":1,"verify":true}}"#,
                "http://a/p and 1 more",
            ),
            (
                r#"{"elasticsearch":{"uris":["http://a/_bulk","http://b/_bulk"],"index":"i","timeout":10,"verify":true}}"#,
                "http://a/_bulk and 1 more",
            ),
            (
                r#"{"clickhouse":{"uris":["http://a/?password=planted"],"user":"u","database":"d","table":"t","timeout":3,"verify":true}}"#,
                "http://a/",
            ),
            (
                r#"{"kafka":{"brokers":["a:9092","b:9092"],"topic":"t","timeout":3,"refresh":30}}"#,
                "kafka://a:9092/t",
            ),
            (
                concat!(
                    r#"{"kafka":{"brokers":["[::1]:9092"],"topic":"t","key":"k","timeout":3,"refresh":30,"#,
                    r#""sasl":{"mechanism":"SCRAM-SHA-256","user":"planted"}}}"#
                ),
                "kafka://[::1]:9092/t",
            ),
            (
                r#"{"tcp":{"host":"::1","port":5044,"millis":1000}}"#,
                "tcp://[::1]:5044",
            ),
            (r#"{"udp":{"host":"a","port":1,"millis":1}}"#, "udp://a:1"),
            (
                r#"{"syslog":{"udp":{"host":"a","port":514,"millis":1}}}"#,
                "udp://a:514",
            ),
            (
                r#"{"tcp":{"host":"a","port":1,"millis":1,"tls":{}}}"#,
                "tls://a:1",
            ),
            (
                r#"{"tcp":{"host":"a","port":1,"millis":1,"tls":{"name":"b"}}}"#,
                "tls://a:1",
            ),
        ] {
            let (_, batch) = LINE.split_once(r#","batch""#).unwrap();
            let line = format!(r#"{{"to":{to},"batch"{batch}"#);
            let target = LogTarget::read(&line).unwrap();
            assert_eq!(target.line(), line);
            assert_eq!(target.name(), name);
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for line in [
            "",
            "{}",
            &LINE.replace("http\"", "carrier\""),
            &LINE.replace("1000", "0"),
            &LINE.replace(
                r#"{"http":{"uri":"http://a/b?token=planted","timeout":3,"verify":false,"lines":false}}"#,
                r#"{"loki":{"uris":[],"tenant":"t","labels":{},"millis":1,"verify":false}}"#,
            ),
            &LINE.replace(
                r#"{"http":{"uri":"http://a/b?token=planted","timeout":3,"verify":false,"lines":false}}"#,
                r#"{"kafka":{"brokers":[],"topic":"t","timeout":3,"refresh":30}}"#,
            ),
            &LINE.replace("1000", "10001"),
            &LINE.replace("\"idle\"", "\"other\""),
            &LINE.replace("planted", &"a".repeat(70_000)),
        ] {
            assert_eq!(LogTarget::read(line), Err(Unknown), "{line}");
        }
    }
}
