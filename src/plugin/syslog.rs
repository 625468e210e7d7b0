//! `syslog`: what a route's requests were, and what became of them, as messages of syslog. Envoy tells `chancery logs`, which sends
//! them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::LongText;
use crate::model::decode;
use crate::model::log_target::{Tcp, Tls, To, Transport, Udp};
use crate::model::problem::Remark;
use crate::model::scalar::{Count, Port, Quantity, Within};

/// What stands in the place of the buffers of APISIX's own client of syslog.
const NOT_USED: &str = "is not used: batches go as the other fields say, `--buffer` of `chancery logs` says how much waits, and a \
    connection has one batch";

pub(super) const ENTRY: Definition = Definition {
    name: "syslog",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "host",
            "sent to by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        ("sock_type", "a datagram has one message, not a batch"),
        ("flush_limit", NOT_USED),
        ("drop_limit", NOT_USED),
        ("pool_size", NOT_USED),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, sent as messages of RFC 5424 (facility SYSLOG, severity INFO, the host that was asked for), a line each.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The server's name or address.
    host: LongText<253>,
    /// Its port.
    port: Port,
    /// Milliseconds that it may take to connect, and as many to send a batch.
    #[serde(default = "three")]
    timeout: Within<1, 3_600_000>,
    /// What messages are sent by.
    #[serde(default)]
    sock_type: Socket,
    /// Whether the connection is encrypted; the server's certificate is not looked at. Not with `udp`.
    #[serde(default)]
    tls: bool,
    /// Not used: batches go as the other fields say.
    flush_limit: Option<Quantity>,
    /// Not used: `--buffer` of `chancery logs` says how much waits.
    drop_limit: Option<Count>,
    /// Not used: a connection has one batch.
    pool_size: Option<Within<5, { u32::MAX }>>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Socket {
    /// A connection for each batch.
    #[default]
    Tcp,
    /// A datagram for each message.
    Udp,
}

fn three() -> Within<1, 3_600_000> {
    Within(3000)
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read::<Form>(value)?;
    let (host, port) = (logger::host("host", &form.host.0)?, form.port.0);
    let millis = form.timeout.0;
    let written = [
        ("flush_limit", form.flush_limit.is_some()),
        ("drop_limit", form.drop_limit.is_some()),
        ("pool_size", form.pool_size.is_some()),
    ];
    for (field, _) in written.iter().filter(|(_, written)| *written) {
        reading.warnings.push(Remark::new(*field, NOT_USED));
    }
    let by = match form.sock_type {
        Socket::Udp if form.tls => {
            let message =
                "found true, allowed: with `sock_type: tcp`, as datagrams are not encrypted";
            return Err(Remark::new("tls", message));
        }
        Socket::Udp => Transport::Udp(Udp { host, port, millis }),
        Socket::Tcp => Transport::Tcp(Tcp {
            host,
            port,
            millis,
            tls: form.tls.then_some(Tls { name: None }),
        }),
    };
    fields.to(To::Syslog(by))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plugin::http_logger::tests::target;
    use crate::plugin::tests::{applied, refusal, warned};

    #[test]
    fn a_route_says_which_server_its_log_goes_to() {
        for (own, to) in [
            (
                json!({}),
                json!({"tcp": {"host": "collector", "port": 514, "millis": 3000}}),
            ),
            (
                json!({"tls": true, "timeout": 1}),
                json!({"tcp": {"host": "collector", "port": 514, "millis": 1, "tls": {}}}),
            ),
            (
                json!({"sock_type": "udp", "flush_limit": 1}),
                json!({"udp": {"host": "collector", "port": 514, "millis": 3000}}),
            ),
        ] {
            let mut plugin = json!({"host": "collector", "port": 514});
            let fields = plugin.as_object_mut().unwrap();
            fields.extend(own.as_object().unwrap().clone());
            let route = applied(json!({"syslog": plugin}));
            assert_eq!(target(&route)["to"], json!({"syslog": to}));
        }
    }

    #[test]
    fn what_is_not_used_is_told() {
        let said = warned(
            "syslog",
            json!({"host": "a", "port": 1, "flush_limit": 4096, "drop_limit": 1_048_576, "pool_size": 5}),
        );
        let fields: Vec<_> = said
            .iter()
            .filter_map(|said| said.split(':').next())
            .collect();
        assert_eq!(fields, ["flush_limit", "drop_limit", "pool_size"]);
        assert!(warned("syslog", json!({"host": "a", "port": 1})).is_empty());
    }

    #[test]
    fn what_is_refused() {
        for (configuration, said) in [
            (r#"{"host":"a"}"#, "`port` is missing"),
            (
                r#"{"host":"a","port":1,"sock_type":"unix"}"#,
                r#"sock_type: found "unix", allowed: tcp, udp"#,
            ),
            (
                r#"{"host":"a","port":1,"sock_type":"udp","tls":true}"#,
                "tls: found true, allowed: with `sock_type: tcp`, as datagrams are not encrypted",
            ),
            (
                r#"{"host":"a","port":1,"flush_limit":0}"#,
                "flush_limit: found 0, allowed: 1–4294967295",
            ),
            (
                r#"{"host":"a","port":1,"drop_limit":-1}"#,
                "drop_limit: found -1, allowed: 0–4294967295",
            ),
            (
                r#"{"host":"a","port":1,"pool_size":4}"#,
                "pool_size: found 4, allowed: 5–4294967295",
            ),
        ] {
            assert_eq!(refusal("syslog", configuration), said, "of {configuration}");
        }
    }
}
