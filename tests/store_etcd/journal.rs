//! The journal of drains: what the watch tells of it is what is read.

use std::time::Duration;

use chancery::store::Ledger;
use chancery::store::ledger::{Claim, Journal};

use crate::etcd::{DEADLINE, Etcd};
use crate::store::{Store, settings};

/// Waits until the watch has told all that is read now, and tells what that is.
async fn told(ledger: &Ledger, store: &mut Store) -> Journal {
    let read = ledger.journal().await.unwrap();
    let same = |told: &Journal| {
        (&told.entries, &told.claimed, &told.in_force)
            == (&read.entries, &read.claimed, &read.in_force)
    };
    let told = tokio::time::timeout(DEADLINE, store.journal.wait_for(same)).await;
    assert!(told.is_ok(), "{read:?} is not told");
    read
}

async fn begin(ledger: &Ledger, key: &str) -> Claim {
    let seen = ledger.journal().await.unwrap().revision;
    let lease = ledger.lease().await.unwrap();
    let claim = ledger.begin(key, "{}".to_owned(), seen, lease);
    let claim = claim.await.unwrap();
    claim.expect("nobody else writes")
}

#[tokio::test]
async fn the_watch_tells_what_is_read() {
    let etcd = Etcd::start(&[]).await;
    let ledger = Ledger::new(settings(etcd.url()));
    let mut store = Store::at(etcd.url());
    store.listed().await;
    let claim = begin(&ledger, "a").await;
    let journal = told(&ledger, &mut store).await;
    assert!(journal.entries.contains_key("a") && journal.claimed.contains("a"));
    let text = r#"{"agent":"x"}"#;
    let amended = ledger.amend(claim, text.to_owned()).await.unwrap();
    let claim = amended.expect("the claim is good");
    let journal = told(&ledger, &mut store).await;
    assert_eq!(&*journal.entries["a"], text.as_bytes());
    let in_force = ledger.enforce(&claim, "1", "{}".to_owned(), 600).await;
    assert!(in_force.unwrap().is_some());
    let journal = told(&ledger, &mut store).await;
    assert!(journal.in_force.contains_key("1") && journal.claimed.is_empty());
    // One that comes later has it from its listing.
    let mut late = Store::at(etcd.url());
    late.listed().await;
    assert_eq!(told(&ledger, &mut late).await.entries.len(), 1);
    let claim = ledger.lift("a", "1").await.unwrap().expect("in force");
    assert!(told(&ledger, &mut store).await.in_force.is_empty());
    ledger.strike(&claim).await.unwrap();
    assert!(told(&ledger, &mut store).await.entries.is_empty());
}

#[tokio::test]
async fn claims_and_drains_that_end_by_themselves_are_told() {
    let etcd = Etcd::start(&[]).await;
    let ledger = Ledger::new(settings(etcd.url()));
    let mut store = Store::at(etcd.url());
    store.listed().await;
    let claim = begin(&ledger, "a").await;
    ledger
        .enforce(&claim, "1", "{}".to_owned(), 2)
        .await
        .unwrap();
    let claim = begin(&ledger, "b").await;
    told(&ledger, &mut store).await;
    let over = |journal: &Journal| journal.claimed.is_empty() && journal.in_force.is_empty();
    let ended = tokio::time::timeout(Duration::from_secs(120), store.journal.wait_for(over));
    let journal = ended.await.expect("told").unwrap().clone();
    assert_eq!(journal.entries.len(), 2);
    assert!(ledger.amend(claim, String::new()).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_decided_rests_on_its_own_group_and_on_what_has_none() {
    let etcd = Etcd::start(&[]).await;
    let ledger = Ledger::new(settings(etcd.url()));
    let seen = ledger.journal().await.unwrap().revision;
    let begin = async |key: &str, seen: i64| {
        let lease = ledger.lease().await.unwrap();
        let begun = ledger.begin(key, "{}".to_owned(), seen, lease).await;
        begun.unwrap().map(|claim| claim.revision)
    };
    let first = begin("s1.a", seen).await.expect("nobody else writes");
    begin("s2.a", seen).await.expect("it is another group");
    assert_eq!(begin("s1.b", seen).await, None);
    assert!(
        begin("s1.b", first).await.is_some(),
        "it knows of the first"
    );
    // An older Chancery knows no groups: it rests on all, and all rest on what it wrote.
    assert_eq!(begin("a", first).await, None);
    let seen = ledger.journal().await.unwrap().revision;
    assert!(begin("a", seen).await.is_some());
    assert_eq!(begin("s3.a", seen).await, None);
}
