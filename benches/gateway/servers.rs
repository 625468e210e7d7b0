//! The servers of a run beside the Envoys: etcd and Chancery.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;

use anyhow::Result;
use etcd_client::Client;
use tokio::process::Command;

use crate::support::process::Process;
use crate::support::servers::{self, get, until};

/// Starts etcd on an empty folder.
pub async fn etcd(at: Ipv4Addr, folder: &Path) -> Result<(Process, Client)> {
    let [client, peer] = [2379, 2380].map(|port| SocketAddrV4::new(at, port));
    let process = servers::etcd(client.into(), peer.into(), folder).await?;
    Ok((
        process,
        Client::connect([format!("http://{client}")], None).await?,
    ))
}

/// Starts Chancery, and waits until it can serve.
pub async fn chancery(at: Ipv4Addr, folder: &Path) -> Result<(Process, SocketAddrV4)> {
    let (xds, admin) = (SocketAddrV4::new(at, 18000), SocketAddrV4::new(at, 9180));
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command
        .args(["serve", "--log-level", "warn"])
        .args(["--etcd", &format!("http://{at}:2379")])
        .args(["--xds", &xds.to_string()])
        .args(["--admin", &admin.to_string()]);
    let mut process = Process::start_logged(&mut command, &folder.join("chancery.log"))?;
    until(&mut process, async || {
        get(admin.into(), "/readyz").await.is_ok()
    })
    .await?;
    Ok((process, xds))
}
