//! A request to drain, read. Pure.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use tonic::Status;

use crate::drain::Order;
use crate::model::drain::Mode;

use super::super::json::shown;
use super::super::{pb, wait};

/// How long a drain lasts unless told, at least, and at most.
const TTL: Duration = Duration::from_secs(3600);
const MIN_TTL: Duration = Duration::from_secs(10);
const MAX_TTL: Duration = Duration::from_secs(24 * 3600);
/// The longest reason, in bytes.
const REASON: usize = 500;

/// How long a drain lasts, in seconds.
pub fn ttl(text: &str) -> Result<u32, Status> {
    let ttl = duration("ttl", text, TTL)?;
    if !(MIN_TTL..=MAX_TTL).contains(&ttl) {
        let found = shown(text);
        let said = format!("found `{found}`, allowed are 10s to 24h");
        return Err(wrong("ttl", &said));
    }
    // At most a day.
    Ok(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX))
}

/// What is ordered, or the field that is wrong.
pub fn read(asked: &pb::DrainRequest) -> Result<Order, Status> {
    let address: IpAddr = asked.address.parse().map_err(|_| {
        let found = shown(&asked.address);
        wrong(
            "address",
            &format!("found `{found}`, allowed is an IP address; a port goes to `port`"),
        )
    })?;
    let port = match u16::try_from(asked.port) {
        Ok(port) => Some(port).filter(|port| *port > 0),
        Err(_) => {
            let found = asked.port;
            return Err(wrong(
                "port",
                &format!("found {found}, allowed are 1 to 65535"),
            ));
        }
    };
    let ttl = ttl(&asked.ttl)?;
    if asked.reason.len() > REASON {
        return Err(wrong("reason", &format!("allowed are {REASON} bytes")));
    }
    let mode = match asked.mode.as_str() {
        "" | "leave" => Mode::Leave,
        "draining" => Mode::Draining,
        other => {
            let found = shown(other);
            return Err(wrong(
                "mode",
                &format!("found `{found}`, allowed are leave, draining"),
            ));
        }
    };
    Ok(Order {
        // `::ffff:10.0.0.7` is 10.0.0.7.
        address: address.to_canonical(),
        port,
        service: Some(asked.service.clone()).filter(|service| !service.is_empty()),
        ttl,
        reason: asked.reason.clone(),
        force: asked.force,
        mode,
    })
}

/// How long to wait for the nodes.
pub fn wait(text: &str, unless_told: Duration) -> Result<Duration, Status> {
    let wait = duration("wait", text, unless_told)?;
    if wait <= wait::MAX_TIMEOUT {
        Ok(wait)
    } else {
        Err(wrong(
            "wait",
            &format!("found `{}`, allowed are 0s to 10m", shown(text)),
        ))
    }
}

fn duration(field: &str, text: &str, unless_told: Duration) -> Result<Duration, Status> {
    if text.is_empty() {
        return Ok(unless_told);
    }
    humantime::parse_duration(text).map_err(|error| {
        let found = shown(text);
        wrong(
            field,
            &format!("found `{found}` ({error}), allowed are durations such as 10s, 5m"),
        )
    })
}

fn wrong(field: &str, what: &str) -> Status {
    Status::invalid_argument(format!("{field}: {what}"))
}
