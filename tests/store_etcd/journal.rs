//! The journal of drains: what the watch tells of it is what is read.

use std::time::Duration;

use chancery::store::Ledger;
use chancery::store::ledger::{Claim, Enforced, Entry, Journal};

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
    let begun = ledger.begin(vec![entry(key, seen)], lease).await;
    let claims = begun.unwrap().and_then(|mut claims| claims.pop());
    claims.expect("nobody else writes")
}

fn entry(key: &str, seen: i64) -> Entry {
    Entry {
        key: key.to_owned(),
        text: "{}".to_owned(),
        seen,
    }
}

/// Puts a drain in force, if its claim is good.
async fn enforce(ledger: &Ledger, claim: &Claim, ttl: u32) -> Option<i64> {
    let (id, text) = ("1", "{}".to_owned());
    let drains = vec![Enforced { claim, id, text }];
    ledger.enforce(drains, ttl).await.unwrap()
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
    assert!(enforce(&ledger, &claim, 600).await.is_some());
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
    enforce(&ledger, &claim, 2).await;
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
        let begun = ledger.begin(vec![entry(key, seen)], lease).await;
        begun.unwrap().map(|claims| claims[0].revision)
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

#[tokio::test]
async fn what_is_written_together_is_written_as_a_whole() {
    let etcd = Etcd::start(&[]).await;
    let ledger = Ledger::new(settings(etcd.url()));
    let first = begin(&ledger, "s1.a").await;
    let seen = ledger.journal().await.unwrap().revision;
    let lease = ledger.lease().await.unwrap();
    // Somebody else has written to one of the groups.
    let stale = vec![entry("s1.b", first.revision - 1), entry("s2.b", seen)];
    assert!(ledger.begin(stale, lease).await.unwrap().is_none());
    assert_eq!(ledger.journal().await.unwrap().entries.len(), 1);
    let both = vec![entry("s1.b", seen), entry("s2.b", seen)];
    let claims = ledger.begin(both, lease).await.unwrap().expect("both");
    let in_force = async |ids: [&str; 2]| {
        let drains = claims.iter().zip(ids).map(|(claim, id)| Enforced {
            claim,
            id,
            text: "{}".to_owned(),
        });
        ledger.enforce(drains.collect(), 600).await.unwrap()
    };
    // The claims share a lease, and one that is given up leaves the other.
    ledger.release(&claims[0]).await.unwrap();
    let journal = ledger.journal().await.unwrap();
    assert!(!journal.claimed.contains("s1.b") && journal.claimed.contains("s2.b"));
    assert_eq!(in_force(["1", "2"]).await, None);
    assert!(ledger.journal().await.unwrap().in_force.is_empty());
}
