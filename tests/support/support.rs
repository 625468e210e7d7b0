//! What the end-to-end scenes stand on: the real etcd, Consul and Envoy, Chancery's own binary, instances that answer, and
//! requests to send. Every server is a child process with a loopback address and a folder of its own, so that scenes
//! run side by side; it ends with the scene, also when the scene fails.
//!
//! Nothing here knows what Chancery should do: that is for the scenes to say.

// Each test takes the part that it needs.
#![allow(dead_code)]

pub mod certificates;
pub mod chancery;
pub mod consul;
pub mod envoy;
pub mod etcd;
pub mod http;
pub mod instance;
pub mod load;
pub mod process;
pub mod relay;
pub mod secure;
pub mod stage;
pub mod tools;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a scene waits for what must come. Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How soon new state must be in force once a source, or Chancery itself, is back.
pub const RECOVERY: Duration = Duration::from_secs(5);

/// A loopback address that nobody else has: the servers of a scene keep their usual ports on it.
pub fn own_address() -> Ipv4Addr {
    let part = || fastrand::u8(2..=254);
    Ipv4Addr::new(127, part(), part(), part())
}

/// Waits until `condition` holds, and fails with its last complaint when [`PATIENCE`] is over.
pub async fn eventually<T>(condition: impl AsyncFnMut() -> anyhow::Result<T>) -> T {
    within(PATIENCE, condition).await
}

/// Waits until `condition` holds, and fails with its last complaint when `patience` is over.
pub async fn within<T>(
    patience: Duration,
    mut condition: impl AsyncFnMut() -> anyhow::Result<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match condition().await {
            Ok(value) => return value,
            Err(complaint) if Instant::now() > deadline => {
                panic!("still not so after {patience:?}: {complaint:#}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
