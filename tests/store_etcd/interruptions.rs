//! What the network and the operators do to etcd: nothing is lost, and nothing is listed anew that can be resumed.

use std::time::Duration;

use crate::cable::Cable;
use crate::etcd::{DEADLINE, Etcd};
use crate::store::{Store, documents, gone, put, settings};

/// An etcd with one route, and a store that has listed it through a cable.
async fn connected(flags: &[&str]) -> (Etcd, Cable, Store) {
    let etcd = Etcd::start(flags).await;
    etcd.put("routes/a", "1").await;
    let cable = Cable::to(etcd.port).await;
    let mut store = Store::at(cable.url());
    assert_eq!(store.listed().await, documents(&[("routes/a", "1")]));
    (etcd, cable, store)
}

#[tokio::test]
async fn what_was_written_while_cut_off_arrives_without_a_listing() {
    let (etcd, cable, mut store) = connected(&[]).await;
    cable.cut();
    store.fails().await;
    let first = etcd.put("routes/a", "2").await;
    etcd.put("routes/b", "1").await;
    let last = etcd.delete("routes/a").await;
    cable.plug();
    let mut seen = Vec::new();
    let mut reached = first;
    while reached < last {
        let (revision, changes) = store.changed().await;
        seen.extend(changes);
        reached = revision;
    }
    let expected = [put("routes/a", "2"), put("routes/b", "1"), gone("routes/a")];
    assert_eq!(seen, expected);
    assert_eq!(store.error(), None);
}

#[tokio::test]
async fn a_restarted_etcd_that_kept_its_data_is_resumed() {
    let (mut etcd, _cable, mut store) = connected(&[]).await;
    for value in ["2", "3"] {
        etcd.kill();
        store.fails().await;
        etcd.run().await;
        let revision = etcd.put("routes/a", value).await;
        assert_eq!(
            store.changed().await,
            (revision, vec![put("routes/a", value)])
        );
    }
}

#[tokio::test]
async fn a_compaction_while_cut_off_leads_to_a_listing() {
    let (etcd, cable, mut store) = connected(&[]).await;
    cable.cut();
    store.fails().await;
    etcd.put("routes/b", "1").await;
    let revision = etcd.delete("routes/a").await;
    etcd.compact(revision).await;
    cable.plug();
    assert_eq!(store.listed().await, documents(&[("routes/b", "1")]));
    let revision = etcd.put("routes/b", "2").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/b", "2")])
    );
}

#[tokio::test]
async fn a_compaction_at_the_very_next_revision_loses_no_delete() {
    let (etcd, cable, mut store) = connected(&[]).await;
    cable.cut();
    store.fails().await;
    let revision = etcd.delete("routes/a").await;
    etcd.compact(revision).await;
    cable.plug();
    assert_eq!(store.listed().await, documents(&[]));
}

#[tokio::test]
async fn a_compaction_while_idle_changes_nothing_even_for_a_reconnect() {
    let often = "--experimental-watch-progress-notify-interval=100ms";
    let (etcd, cable, mut store) = connected(&[often]).await;
    let mut client = etcd.client().await;
    let mut revision = 0;
    for _ in 0..10 {
        let written = client.put("/elsewhere", "1", None).await.unwrap();
        revision = written.header().unwrap().revision();
    }
    store.progress(revision).await;
    etcd.compact(revision).await;
    cable.cut();
    store.fails().await;
    cable.plug();
    let revision = etcd.put("routes/a", "2").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/a", "2")])
    );
}

#[tokio::test]
async fn a_wiped_etcd_is_listed_anew() {
    let (mut etcd, _cable, mut store) = connected(&[]).await;
    for _ in 0..5 {
        etcd.put("routes/a", "2").await;
        store.changed().await;
    }
    etcd.wipe();
    store.fails().await;
    etcd.run().await;
    assert_eq!(store.listed().await, documents(&[]));
    let revision = etcd.put("routes/b", "1").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/b", "1")])
    );
}

#[tokio::test]
async fn a_wiped_etcd_that_has_been_filled_beyond_the_last_revision_is_listed_anew() {
    let (mut etcd, cable, mut store) = connected(&[]).await;
    cable.cut();
    store.fails().await;
    etcd.wipe();
    etcd.run().await;
    for value in ["1", "2", "3", "4"] {
        etcd.put("routes/b", value).await;
    }
    cable.plug();
    assert_eq!(store.listed().await, documents(&[("routes/b", "4")]));
}

#[tokio::test]
async fn a_hung_etcd_is_noticed_and_taken_up_again() {
    let (etcd, _cable, mut store) = connected(&[]).await;
    etcd.signal("STOP");
    store.fails().await;
    etcd.signal("CONT");
    let revision = etcd.put("routes/a", "2").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/a", "2")])
    );
    assert_eq!(store.error(), None);
}

#[tokio::test]
async fn an_etcd_that_comes_late_is_waited_for() {
    let mut etcd = Etcd::prepare(&[]);
    let mut store = Store::at(etcd.url());
    let error = store.fails().await;
    assert!(
        error.contains(&etcd.url()) && error.contains("Connection refused"),
        "{error}"
    );
    etcd.run().await;
    assert_eq!(store.listed().await, documents(&[]));
    let until = tokio::time::Instant::now() + DEADLINE;
    while store.error().is_some() {
        assert!(tokio::time::Instant::now() < until, "still says it fails");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_bad_endpoint_is_left_for_the_next_one() {
    let etcd = Etcd::start(&[]).await;
    let (one, two) = (Cable::to(etcd.port).await, Cable::to(etcd.port).await);
    let nobody = format!("http://127.0.0.1:{}", crate::etcd::free_port());
    let mut three = settings(nobody);
    three.endpoints.extend([one.url(), two.url()]);
    let mut store = Store::with(three);
    assert_eq!(store.listed().await, documents(&[]));
    assert_eq!((one.connections(), two.connections()), (1, 0));
    one.cut();
    let revision = etcd.put("routes/a", "1").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/a", "1")])
    );
    assert_eq!(two.connections(), 1);
}

#[tokio::test]
async fn a_catch_up_beyond_the_size_of_a_message_is_whole() {
    let (etcd, cable, mut store) = connected(&[]).await;
    cable.cut();
    store.fails().await;
    let large = "x".repeat(100_000);
    let paths: Vec<_> = (0..100)
        .map(|number| format!("routes/{number:03}"))
        .collect();
    let mut last = 0;
    for pair in paths.chunks(2) {
        let pair: Vec<_> = pair.iter().map(|path| (&**path, &*large)).collect();
        last = etcd.put_all(&pair).await;
    }
    cable.plug();
    let (mut seen, mut reached) = (Vec::new(), 0);
    while reached < last {
        let (revision, changes) = store.changed().await;
        assert!(
            revision > reached && changes.len() % 2 == 0,
            "half a transaction"
        );
        seen.extend(changes.into_iter().map(|(path, _)| path));
        reached = revision;
    }
    assert_eq!(seen, paths);
}

#[tokio::test]
async fn wishes_made_while_cut_off_are_taken_and_answered_later() {
    let (etcd, cable, mut store) = connected(&[]).await;
    let revision = etcd.put("routes/a", "2").await;
    store.changed().await;
    cable.cut();
    store.fails().await;
    for _ in 0..200 {
        store.wish("routes/a", revision).await;
    }
    cable.plug();
    for _ in 0..200 {
        assert_eq!(&store.granted().await.unwrap().value[..], b"1");
    }
}

#[tokio::test]
async fn an_idle_watch_keeps_its_one_connection() {
    let (etcd, cable, mut store) = connected(&[]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let revision = etcd.put("routes/a", "2").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/a", "2")])
    );
    assert_eq!((cable.connections(), store.error()), (1, None));
}
