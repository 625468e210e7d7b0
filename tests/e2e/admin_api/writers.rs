//! Many writers at once, on one Chancery and on several, and what they may rely on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Desk, nodes, route};
use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::own_address;

/// How long clients write and delete against each other.
const AGAINST: Duration = Duration::from_secs(10);

#[tokio::test]
async fn whoever_reads_after_a_write_sees_it_at_any_replica() {
    let desk = Desk::set().await;
    let folder = tempfile::tempdir().unwrap();
    let mut other = Chancery::replica("other", own_address(), &desk.etcd.url(), folder.path());
    other.ready().await;
    let both = [&desk.admin, &Admin::new(&other.url())];
    for round in 0..200 {
        let (writer, reader) = (both[round % 2], both[(round + 1) % 2]);
        let written = writer.put("/routes/1", &route(&format!("/{round}"))).await;
        assert!([200, 201].contains(&written.status), "{written:?}");
        let read = reader.get("/routes/1").await;
        assert_eq!(read.body["value"], written.body["value"], "round {round}");
    }
}

#[tokio::test]
async fn no_update_is_lost_where_writers_say_what_they_read() {
    const ROUNDS: usize = 100;
    let desk = Desk::set().await;
    let counting = |count: u64| json!({ "desc": count.to_string(), "nodes": {} });
    desk.admin.put("/upstreams/1", &counting(0)).await;
    let writer = |admin: Admin| async move {
        for _ in 0..ROUNDS {
            loop {
                let read = admin.get("/upstreams/1").await;
                let count: u64 = read.body["value"]["desc"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap();
                let tag = [("if-match", read.header("etag"))];
                let next = counting(count + 1).to_string();
                let written = admin.send("PUT", "/upstreams/1", &tag, next).await.unwrap();
                match written.status {
                    200 => break,
                    412 => assert!(
                        written.error().contains("was written by revision"),
                        "{written:?}"
                    ),
                    409 => {}
                    _ => panic!("{written:?}"),
                }
            }
        }
    };
    tokio::join!(writer(desk.admin.clone()), writer(desk.admin.clone()));
    let last = desk.admin.get("/upstreams/1").await;
    assert_eq!(last.body["value"]["desc"], (2 * ROUNDS).to_string());
    let only_new = [("if-none-match", "*")];
    let refused = desk
        .admin
        .send("PUT", "/upstreams/1", &only_new, counting(0).to_string())
        .await
        .unwrap();
    assert_eq!(refused.status, 412);
    assert_eq!(refused.header("etag"), last.header("etag"));
}

#[tokio::test]
async fn no_route_is_left_without_its_upstream_however_many_write() {
    let desk = Desk::set().await;
    let end = Instant::now() + AGAINST;
    let client = |n: usize, admin: Admin| async move {
        let (upstream, route) = (format!("/upstreams/{}", n % 5), format!("/routes/{n}"));
        let routed = json!({ "uri": format!("/{n}"), "upstream_id": (n % 5).to_string() });
        let mut refused = 0;
        // 503 is what a machine that is too busy for etcd gets.
        while Instant::now() < end {
            let made = admin.put(&upstream, &nodes()).await;
            assert!([200, 201, 409, 503].contains(&made.status), "{made:?}");
            let put = admin.put(&route, &routed).await;
            assert!([200, 201, 400, 409, 503].contains(&put.status), "{put:?}");
            let deleted = admin.delete(&upstream).await;
            assert!(
                [200, 400, 404, 409].contains(&deleted.status),
                "{deleted:?}"
            );
            refused += usize::from(deleted.status == 400);
            let list = admin.get("/routes").await;
            assert!([200, 503].contains(&list.status), "{list:?}");
            if n.is_multiple_of(3) {
                admin.delete(&route).await;
            }
        }
        refused
    };
    let clients = (0..50).map(|n| tokio::spawn(client(n, desk.admin.clone())));
    let clients: Vec<_> = clients.collect();
    let mut refused = 0;
    for client in clients {
        refused += client.await.unwrap();
    }
    assert!(refused > 0, "nobody was ever refused");
    let upstreams = desk.admin.get("/upstreams").await.body;
    let has = |id: &Value| {
        upstreams["list"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| &one["value"]["id"] == id)
    };
    for route in desk.admin.get("/routes").await.body["list"]
        .as_array()
        .unwrap()
    {
        assert!(has(&route["value"]["upstream_id"]), "{route}");
    }
}
