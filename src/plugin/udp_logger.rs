//! `udp-logger`: what a route's requests were, and what became of them, as JSON in datagrams. Envoy tells `chancery logs`, which
//! sends them.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::LongText;
use crate::model::decode;
use crate::model::log_target::{To, Udp};
use crate::model::problem::Remark;
use crate::model::scalar::{Port, Within};

pub(super) const ENTRY: Definition = Definition {
    name: "udp-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![(
        "host",
        "sent to by `chancery logs`, which `logs` of the gateway names; refused without it",
    )],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, sent in batches, each as one datagram: an array, or an object where `batch_max_size` is 1. What has
/// more than 65,507 bytes is lost, and counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The server's name or address.
    host: LongText<253>,
    /// Its port.
    port: Port,
    /// Seconds that it may take to find the server and to send a batch.
    #[serde(default = "three")]
    timeout: Within<1, 3600>,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

fn three() -> Within<1, 3600> {
    Within(3)
}

fn read(value: &Value, _: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read::<Form>(value)?;
    fields.to(To::Udp(Udp {
        host: logger::host("host", &form.host.0)?,
        port: form.port.0,
        millis: form.timeout.0 * 1000,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plugin::http_logger::tests::target;
    use crate::plugin::tests::{applied, refusal};

    #[test]
    fn a_route_says_which_server_its_log_goes_to() {
        let route = applied(json!({"udp-logger": {"host": "collector", "port": 3000}}));
        assert_eq!(
            target(&route),
            json!({
                "to": {"udp": {"host": "collector", "port": 3000, "millis": 3000}},
                "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
            })
        );
        let own = json!({"host": "10.0.0.1", "port": 1, "timeout": 3600, "batch_max_size": 1, "log_format": {"a": "b"}});
        let target = target(&applied(json!({"udp-logger": own})));
        assert_eq!(target["to"]["udp"]["millis"], 3_600_000);
        assert_eq!(target["batch"]["most"], 1);
        assert_eq!(target["format"], json!({"a": "b"}));
    }

    #[test]
    fn what_is_refused() {
        for (configuration, said) in [
            (r#"{"host":"a"}"#, "`port` is missing"),
            (
                r#"{"host":"a/b","port":1}"#,
                r#"host: found "a/b", allowed: a name or an address, without a port"#,
            ),
            (
                r#"{"host":"a","port":65536}"#,
                "port: found 65536, allowed: 1–65535",
            ),
            (
                r#"{"host":"a","port":1,"timeout":3601}"#,
                "timeout: found 3601, allowed: 1–3600",
            ),
            (
                r#"{"host":"a","port":1,"include_resp_body":true}"#,
                "include_resp_body: found true, allowed: false, as Envoy tells no bodies to its logs",
            ),
        ] {
            assert_eq!(
                refusal("udp-logger", configuration),
                said,
                "of {configuration}"
            );
        }
    }
}
