//! What is there, and what changes.

use chancery::store::Event;

use crate::etcd::Etcd;
use crate::store::{Store, documents, gone, put};

#[tokio::test]
async fn documents_are_listed_and_followed() {
    let etcd = Etcd::start(&[]).await;
    etcd.put("routes/", "init_dir").await;
    etcd.put("routes/echo", "1").await;
    let mut client = etcd.client().await;
    client
        .put("/chancery2/routes/other", "1", None)
        .await
        .unwrap();
    client
        .put(b"/chancery/routes/\xff".to_vec(), "1", None)
        .await
        .unwrap();

    let mut store = Store::at(etcd.url());
    assert_eq!(store.listed().await, documents(&[("routes/echo", "1")]));

    let revision = etcd.put("upstreams/u", "1").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("upstreams/u", "1")])
    );
    client
        .put("/chancery2/routes/other", "2", None)
        .await
        .unwrap();
    client
        .put(b"/chancery/routes/\xff".to_vec(), "2", None)
        .await
        .unwrap();
    let revision = etcd.put("routes/echo", "2").await;
    assert_eq!(
        store.changed().await,
        (revision, vec![put("routes/echo", "2")])
    );
    let revision = etcd.delete("routes/echo").await;
    assert_eq!(store.changed().await, (revision, vec![gone("routes/echo")]));
    let revision = etcd.delete("upstreams/u").await;
    assert_eq!(store.changed().await, (revision, vec![gone("upstreams/u")]));
}

#[tokio::test]
async fn an_empty_prefix_is_a_listing_too() {
    let etcd = Etcd::start(&[]).await;
    let mut store = Store::at(etcd.url());
    assert_eq!(store.listed().await, documents(&[]));
}

#[tokio::test]
async fn several_keys_of_one_transaction_are_one_change() {
    let etcd = Etcd::start(&[]).await;
    let mut store = Store::at(etcd.url());
    store.listed().await;
    let both = [("routes/a", "1"), ("upstreams/b", "1"), ("services/c", "1")];
    let revision = etcd.put_all(&both).await;
    let changes = both.map(|(path, value)| put(path, value)).to_vec();
    assert_eq!(store.changed().await, (revision, changes));
}

#[tokio::test]
async fn a_large_store_is_listed_in_pages_of_one_revision() {
    let etcd = Etcd::start(&[]).await;
    let paths: Vec<_> = (0..3_000)
        .map(|number| format!("routes/{number:04}"))
        .collect();
    for batch in paths.chunks(100) {
        let batch: Vec<_> = batch.iter().map(|path| (&**path, "{}")).collect();
        etcd.put_all(&batch).await;
    }
    let mut store = Store::at(etcd.url());
    let Event::Listed {
        revision,
        documents,
    } = store.told().await
    else {
        panic!("no listing");
    };
    assert!(
        documents
            .iter()
            .map(|it| &*it.path)
            .eq(paths.iter().map(|it| &**it))
    );
    assert!(documents.iter().all(|it| it.revision <= revision));
    let next = etcd.delete("routes/2999").await;
    assert_eq!(next, revision + 1);
    assert_eq!(store.changed().await, (next, vec![gone("routes/2999")]));
}

#[tokio::test]
async fn an_earlier_form_is_found_until_it_is_compacted() {
    let etcd = Etcd::start(&[]).await;
    let good = etcd.put("routes/a", "good").await;
    let bad = etcd.put("routes/a", "bad").await;
    let mut store = Store::at(etcd.url());
    store.listed().await;

    let earlier = store.earlier("routes/a", bad).await.unwrap();
    assert_eq!((&earlier.value[..], earlier.revision), (&b"good"[..], good));
    assert_eq!(store.earlier("routes/a", good).await, None);
    assert_eq!(store.earlier("routes/none", bad).await, None);
    etcd.compact(bad).await;
    assert_eq!(store.earlier("routes/a", bad).await, None);
    assert_eq!(store.error(), None);
}
