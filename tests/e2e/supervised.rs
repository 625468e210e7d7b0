//! Under a supervisor as systemd is one: what it is told over its socket, a real one.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;

use crate::support::chancery::BINARY;
use crate::support::etcd::{Etcd, PREFIX};
use crate::support::process::Process;
use crate::support::{eventually, own_address};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// Reads what comes until a line is `wanted`, and tells all of it.
fn told_until(socket: &UnixDatagram, wanted: &str) -> BTreeSet<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = BTreeSet::new();
    let mut buffer = [0; 4096];
    while !told.contains(wanted) {
        assert!(Instant::now() < deadline, "no {wanted} in {told:?}");
        let length = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        told.extend(text.lines().map(str::to_owned));
    }
    told
}

/// A `chancery serve` on this etcd, whose supervisor listens there.
fn start(socket: &Path, address: Ipv4Addr, folder: &Path) -> Process {
    let (etcd, xds) = (format!("http://{address}:2379"), format!("{address}:18000"));
    let (admin, socket) = (format!("{address}:9180"), socket.display());
    let socket = format!("NOTIFY_SOCKET={socket}");
    let arguments = [
        [&*socket, "WATCHDOG_USEC=60000"],
        [BINARY, "serve"],
        ["--etcd", &etcd],
        ["--etcd-prefix", PREFIX],
        ["--xds", &xds],
        ["--admin", &admin],
    ];
    let arguments = arguments.into_iter().flatten();
    Process::start("chancery", Path::new("/usr/bin/env"), arguments, folder)
}

#[tokio::test]
async fn a_supervisor_is_told_when_it_is_ready_that_it_lives_and_that_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut chancery = start(&path, address, folder.path());

    let before = told_until(&socket, "STATUS=waits for etcd");
    assert!(!before.contains("READY=1"), "{before:?}");
    let etcd = Etcd::start(address, folder.path()).await;
    let upstream = json!({ "type": "roundrobin", "nodes": { "127.0.0.1:1": 1 } });
    etcd.put("upstreams/a", &upstream).await;
    told_until(&socket, "READY=1");
    let after = told_until(&socket, "WATCHDOG=1");
    let served = |line: &String| line.starts_with("STATUS=serves revision ");
    assert!(after.iter().any(served), "{after:?}");

    chancery.terminate();
    told_until(&socket, "STOPPING=1");
    assert_eq!(chancery.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_supervisor_that_does_not_hear_is_said_once_and_nothing_ends() {
    let folder = tempfile::tempdir().unwrap();
    let address = own_address();
    let mut chancery = start(&folder.path().join("nobody"), address, folder.path());
    let _etcd = Etcd::start(address, folder.path()).await;
    eventually(async || {
        let ready = reqwest::get(format!("http://{address}:9180/readyz")).await?;
        ensure!(ready.status() == 200, "{ready:?}");
        Ok(())
    })
    .await;
    let said = chancery.output();
    let said = said.matches("cannot tell the supervisor");
    assert_eq!(said.count(), 1, "{}", chancery.output());
    assert_eq!(chancery.stop().await.code(), Some(0));
}
