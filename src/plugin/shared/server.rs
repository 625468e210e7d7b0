//! A server of the user's that a plugin asks about requests: where it is, and the upstream that it is.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use crate::model::problem::Remark;
use crate::model::scalar::Quantity;
use crate::model::upstream::Target;
use crate::plugin::contract::Reading;

mod uri;

pub use uri::Uri;

/// What a plugin says of the server that it asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::plugin) struct Server {
    /// Whether its certificate is verified.
    pub verify: bool,
    /// Milliseconds that it may take.
    pub timeout: Option<Quantity>,
    /// Whether connections to it are kept.
    pub keepalive: bool,
    /// For how many milliseconds.
    pub keepalive_timeout: Option<Quantity>,
    /// How many.
    pub keepalive_pool: Option<Quantity>,
}

impl Server {
    /// How long it may take.
    pub fn timeout(&self) -> Result<Duration, Remark> {
        millis("timeout", self.timeout, 3000, 1..=60_000)
    }

    /// The server as an upstream, which `field` names.
    pub fn target(&self, field: &str, uri: &Uri, reading: &mut Reading) -> Result<Target, Remark> {
        let seconds = self.timeout()?.as_secs_f64();
        let idle = millis(
            "keepalive_timeout",
            self.keepalive_timeout,
            60_000,
            1000..=u32::MAX,
        )?;
        let mut pool = json!({ "idle_timeout": idle.as_secs_f64() });
        match self.keepalive_pool {
            _ if !self.keepalive => pool["requests"] = 1.into(),
            Some(size) => pool["size"] = size.0.into(),
            None => {}
        }
        let mut upstream = json!({
            "nodes": { uri.node.clone(): 1 },
            "scheme": if uri.tls { "https" } else { "http" },
            "pass_host": "node",
            "timeout": { "connect": seconds, "send": seconds, "read": seconds },
            "keepalive_pool": pool,
        });
        if uri.tls {
            upstream["tls"] = json!({ "verify": self.verify });
        }
        let target = reading.upstream(field, &upstream)?;
        // The plugin says which Host is asked, so no node's name stands in its place.
        let of_host = format!("{field}.pass_host");
        reading.warnings.retain(|told| told.field != of_host);
        Ok(target)
    }
}

fn millis(
    field: &str,
    written: Option<Quantity>,
    default: u32,
    allowed: RangeInclusive<u32>,
) -> Result<Duration, Remark> {
    let millis = written.map_or(default, |millis| millis.0);
    if allowed.contains(&millis) {
        Ok(Duration::from_millis(millis.into()))
    } else {
        let (least, most) = allowed.into_inner();
        let message = format!("found {millis}, allowed: {least}–{most}");
        Err(Remark::new(field, message))
    }
}

#[cfg(test)]
mod tests;
