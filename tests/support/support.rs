//! What the end-to-end scenes stand on: the real etcd, Consul and Envoy, Chancery's own binary, instances that answer, and
//! requests to send. Every server is a child process with a loopback address and a folder of its own, so that scenes
//! run side by side; it ends with the scene, also when the scene fails.
//!
//! Nothing here knows what Chancery should do: that is for the scenes to say.

// Each test takes the part that it needs.
#![allow(dead_code)]

pub mod admin;
pub mod agent;
pub mod certificates;
pub mod chancery;
pub mod collector;
pub mod consul;
pub mod envoy;
pub mod etcd;
pub mod greeter;
pub mod http;
pub mod instance;
pub mod issuer;
pub mod kafka;
pub mod load;
pub mod logs;
pub mod openbao;
pub mod process;
pub mod redis;
pub mod relay;
pub mod secure;
pub mod sockets;
pub mod stage;
pub mod tools;

use std::env;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a scene waits for what must come. Minutes: that a machine is busy with other things is no finding.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The same as Chancery is told how long to wait for Envoys.
pub const PATIENTLY: &str = "180s";

/// How many of something a scene has: `hundreds`, or `thousands` where `CHANCERY_MANY` is set.
pub fn many(hundreds: usize, thousands: usize) -> usize {
    if env::var_os("CHANCERY_MANY").is_some() {
        thousands
    } else {
        hundreds
    }
}

/// A loopback address that nobody else has: the servers of a scene keep their usual ports on it.
pub fn own_address() -> Ipv4Addr {
    let part = || fastrand::u8(2..=254);
    Ipv4Addr::new(127, part(), part(), part())
}

/// Waits until `condition` holds, and fails with its last complaint when [`PATIENCE`] is over.
pub async fn eventually<T>(mut condition: impl AsyncFnMut() -> anyhow::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(complaint) if Instant::now() > deadline => {
                panic!("still not so after {PATIENCE:?}: {complaint:#}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
