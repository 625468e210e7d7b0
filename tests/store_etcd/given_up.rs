//! Reads that whoever asked gives up, as a browser does that goes to another page.

use std::time::Duration;

use chancery::store::{Ledger, Writer};
use tokio::time::timeout;

use crate::etcd::Etcd;
use crate::store::settings;

/// 3.5.1 had ended long before that, where they were transactions.
const TIMES: u64 = 400;

#[tokio::test]
async fn etcd_outlives_reads_that_are_given_up() {
    let etcd = Etcd::start(&[]).await;
    let paths: Vec<String> = (0..128).map(|at| format!("routes/{at}")).collect();
    for path in &paths {
        etcd.put(path, &"x".repeat(2_000)).await;
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let writer = Writer::new(settings(etcd.url()), Duration::from_secs(60));
    let ledger = Ledger::new(settings(etcd.url()));
    let all = writer.read(&paths).await.unwrap();
    assert_eq!(all.documents.len(), 128);
    for at in 0..TIMES {
        // At every point of a read that takes a few milliseconds.
        let within = Duration::from_micros(20 * (at % 200));
        drop(timeout(within, writer.read(&paths)).await);
        drop(timeout(within, writer.since(0)).await);
        drop(timeout(within, ledger.journal()).await);
        drop(timeout(within, ledger.newest(100)).await);
    }
    assert_eq!(writer.read(&paths).await.unwrap().documents.len(), 128);
    etcd.put("routes/a", "1").await;
}
