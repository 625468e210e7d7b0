//! What the machine gives this process: addresses, open files, and who started it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};
use tokio::io::AsyncReadExt;

/// Waits until whoever started this process is gone.
pub async fn input_ended() -> Result<()> {
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    Ok(())
}

/// An address of this machine that nobody listens on.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Fails, with words, where this process or its children may not open as many files.
pub fn check_file_limit(needed: usize) -> Result<()> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let soft = soft.context("no open files in /proc/self/limits")?;
    let enough = soft.parse::<usize>().map_or(true, |soft| soft >= needed);
    anyhow::ensure!(
        enough,
        "each process of this run opens up to {needed} files, and the limit is {soft}: run `ulimit -n {needed}` first"
    );
    Ok(())
}
