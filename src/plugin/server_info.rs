//! `server-info`: what APISIX tells etcd of itself. A document that has it means nothing of a route's requests.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "server-info",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[(
        "",
        "does nothing: `chancery nodes` tells which Envoys are connected, and their versions",
    )],
    http_filters: Vec::new,
};

/// Has no effect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {}

impl decode::Form for Form {}

#[derive(Debug)]
struct ServerInfo;

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let Form {} = decode::read(value)?;
    let message =
        "does nothing here: `chancery nodes` tells which Envoys are connected, and their versions";
    reading.warnings.push(Remark::whole(message));
    Ok(Arc::new(ServerInfo))
}

impl Plugin for ServerInfo {
    fn apply(&self, _: &mut Route, _: &[Arc<Cluster>]) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plugin::tests::{applied, refusal, warned};

    #[test]
    fn it_is_taken_and_does_nothing() {
        let own = json!({"server-info": {}});
        assert_eq!(applied(own), applied(json!({})));
        let said = warned("server-info", json!({}));
        assert!(said[0].starts_with(": does nothing here"), "{said:?}");
        assert!(refusal("server-info", r#"{"report_ttl":60}"#).contains("report_ttl"));
    }
}
