//! `kafka-logger`: what a route's requests were, and what became of them, as messages of Kafka. Envoy tells `chancery logs`, which
//! sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::{List, LongText};
use crate::model::decode::{self, quoted, shown};
use crate::model::log_target::{self, Kafka, Mechanism, Sasl, To};
use crate::model::problem::Remark;
use crate::model::scalar::{Count, Port, Quantity, Within};

/// What is said of how APISIX's client gathers messages.
const NOT_USED: &str = "is not used: batches go as the other fields say, and `chancery logs` has a client for each of them";

pub(super) const ENTRY: Definition = Definition {
    name: "kafka-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "brokers",
            "asked by `chancery logs`, which `logs` of the gateway names; refused without it. Without TLS, as there",
        ),
        (
            "brokers",
            "the same `mechanism` and `user` of `sasl_config` at all; `password` is for that process to know \
             (`--authorization`), not for Envoy",
        ),
        (
            "kafka_topic",
            "a batch is one message, as there, but several where it is more than 1,000,000 bytes",
        ),
        (
            "producer_type",
            "both are `sync`: a batch is there once the brokers say so, and else is sent again",
        ),
        (
            "required_acks",
            "both are -1: all replicas that are in step have a message before it counts as sent",
        ),
        (
            "timeout",
            "also what it may take to connect; a message that took longer may be there, and comes again",
        ),
        ("cluster_name", NOT_USED),
        ("producer_batch_num", NOT_USED),
        ("producer_batch_size", NOT_USED),
        ("producer_max_buffering", NOT_USED),
        ("producer_time_linger", NOT_USED),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, sent to a topic of Kafka in batches: an array, or an object where `batch_max_size` is 1.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Who is asked where the topic is.
    brokers: Option<List<Broker, 64>>,
    /// The older form: ports by hosts. Not both.
    broker_list: Option<BTreeMap<String, Port>>,
    /// The topic; made where it is missing if brokers make such (`auto.create.topics.enable`).
    kafka_topic: LongText<249>,
    /// Has one meaning here.
    #[serde(rename = "producer_type", default)]
    _producer_type: Producer,
    /// Whose word it takes; here that of all replicas that are in step.
    #[serde(rename = "required_acks", default)]
    _required_acks: Acks,
    /// What messages are found by: those of one key are in one partition, by its CRC-32; those without go round.
    key: Option<String>,
    /// Seconds that a message may take.
    #[serde(default = "three")]
    timeout: Within<1, 3600>,
    /// What an entry is.
    #[serde(default)]
    meta_format: MetaFormat,
    /// Seconds until it is asked again which partitions the topic has.
    #[serde(default = "thirty")]
    meta_refresh_interval: Within<1, 86_400>,
    /// Not used: each document has a client of its own.
    cluster_name: Option<Quantity>,
    /// Not used: a batch goes at once.
    producer_batch_num: Option<Quantity>,
    /// Not used: a batch goes at once.
    producer_batch_size: Option<Count>,
    /// Not used: `--buffer` of `chancery logs` says how much waits.
    producer_max_buffering: Option<Quantity>,
    /// Not used: a batch goes at once.
    producer_time_linger: Option<Quantity>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

/// A broker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Broker {
    /// Its name or address.
    host: LongText<253>,
    /// Its port.
    port: Port,
    /// As whom it is asked.
    sasl_config: Option<SaslConfig>,
}

/// As whom brokers are asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct SaslConfig {
    /// How the password is shown.
    #[serde(default)]
    mechanism: Mechanism,
    /// The user.
    user: LongText<256>,
    /// Not read: `chancery logs` is told.
    #[serde(rename = "password")]
    _password: String,
}

/// How APISIX's client waits.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Producer {
    /// Not at all.
    #[default]
    Async,
    /// For the broker.
    Sync,
}

/// What an entry is.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum MetaFormat {
    /// An object.
    #[default]
    Default,
    /// Refused.
    Origin,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Acks(#[schemars(with = "i64", range(min = -1, max = 1))] ());

impl TryFrom<i64> for Acks {
    type Error = String;

    fn try_from(acks: i64) -> Result<Self, String> {
        match acks {
            -1 | 1 => Ok(Self(())),
            _ => Err(format!(
                "found {acks}, allowed: 1, -1; the brokers are always waited for"
            )),
        }
    }
}

fn three() -> Within<1, 3600> {
    Within(3)
}

fn thirty() -> Within<1, 86_400> {
    Within(30)
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read_unquoted::<Form>(value)?;
    if form.meta_format == MetaFormat::Origin {
        let message = "found \"origin\", allowed: default, as Envoy tells no request as it came; `log_format` with \
                       `$request_method`, `$request_uri` and `$http_NAME` has most of it";
        return Err(Remark::new("meta_format", message));
    }
    check_topic(&form.kafka_topic.0)?;
    warn(&form, &mut reading.warnings);
    let (brokers, sasl) = brokers(form.brokers, form.broker_list, &mut reading.warnings)?;
    fields.to(To::Kafka(Kafka {
        brokers,
        topic: form.kafka_topic.0,
        key: form.key,
        timeout: form.timeout.0,
        refresh: form.meta_refresh_interval.0,
        sasl,
    }))
}

/// Says what is not used.
fn warn(form: &Form, warnings: &mut Vec<Remark>) {
    let unused = [
        ("cluster_name", form.cluster_name.is_some()),
        ("producer_batch_num", form.producer_batch_num.is_some()),
        ("producer_batch_size", form.producer_batch_size.is_some()),
        (
            "producer_max_buffering",
            form.producer_max_buffering.is_some(),
        ),
        ("producer_time_linger", form.producer_time_linger.is_some()),
    ];
    for (field, _) in unused.iter().filter(|(_, written)| *written) {
        warnings.push(Remark::new(*field, NOT_USED));
    }
}

/// Refuses what no topic can be called.
fn check_topic(topic: &str) -> Result<(), Remark> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !matches!(topic, "" | "." | "..") && topic.chars().all(is_plain) {
        return Ok(());
    }
    let found = quoted(topic);
    let message = format!("found {found}, allowed: letters of ASCII, digits, `.`, `_`, `-`");
    Err(Remark::new("kafka_topic", message))
}

/// The brokers in either form, each as `HOST:PORT`, and as whom all of them are asked.
fn brokers(
    list: Option<List<Broker, 64>>,
    older: Option<BTreeMap<String, Port>>,
    warnings: &mut Vec<Remark>,
) -> Result<(Vec<String>, Option<Sasl>), Remark> {
    let all = match (list, older) {
        (Some(list), None) => named(list.0, warnings)?,
        (None, Some(older)) => older_form(&older)?,
        (Some(_), Some(_)) => {
            let message = "found beside `brokers`, allowed: one of them";
            return Err(Remark::new("broker_list", message));
        }
        (None, None) => return Err(Remark::new("brokers", "is missing")),
    };
    if all.0.is_empty() {
        let message = "found none, allowed: at least one broker";
        return Err(Remark::new("brokers", message));
    }
    Ok(all)
}

fn older_form(list: &BTreeMap<String, Port>) -> Result<(Vec<String>, Option<Sasl>), Remark> {
    let all = list.iter().map(|(host, port)| {
        let field = format!("broker_list.{}", shown(host));
        let host = logger::host(&field, host)?;
        Ok(log_target::address(&host, port.0))
    });
    Ok((all.collect::<Result<_, _>>()?, None))
}

fn named(
    list: Vec<Broker>,
    warnings: &mut Vec<Remark>,
) -> Result<(Vec<String>, Option<Sasl>), Remark> {
    let mut addresses = Vec::new();
    let mut as_whom: Option<Option<Sasl>> = None;
    let mut known = BTreeSet::new();
    for (at, broker) in list.into_iter().enumerate() {
        let host = logger::host(&format!("brokers[{at}].host"), &broker.host.0)?;
        let address = log_target::address(&host, broker.port.0);
        if !known.insert(address.clone()) {
            let message = format!("found {} again, allowed: each once", quoted(&address));
            return Err(Remark::new(format!("brokers[{at}]"), message));
        }
        addresses.push(address);
        let field = format!("brokers[{at}].sasl_config");
        let own = broker.sasl_config.map(|sasl| user(&field, sasl));
        let own = own.transpose()?;
        if own.is_some() {
            let message = "is not read, as Envoy would have to know it: `chancery logs` is told what it shows the brokers \
                           (--authorization)";
            warnings.push(Remark::new(format!("{field}.password"), message));
        }
        match &as_whom {
            Some(first) if *first != own => {
                let message = "found another `mechanism` or `user` than `brokers[0]` has, allowed: the same at all brokers";
                return Err(Remark::new(field, message));
            }
            _ => as_whom = Some(own),
        }
    }
    Ok((addresses, as_whom.flatten()))
}

fn user(field: &str, sasl: SaslConfig) -> Result<Sasl, Remark> {
    let SaslConfig {
        mechanism,
        user: LongText(user),
        ..
    } = sasl;
    // It stands in a line of the file that has the passwords.
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    if user.is_empty() || !user.chars().all(is_plain) {
        let message = "found an empty text, or one with spaces, allowed: at least one character, and no spaces";
        return Err(Remark::new(format!("{field}.user"), message));
    }
    Ok(Sasl { mechanism, user })
}

#[cfg(test)]
mod tests;
