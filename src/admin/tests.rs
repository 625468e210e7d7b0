//! What `/metrics` reads off, as several scrapers see it at once.

use std::time::SystemTime;

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;

use crate::snapshot::Snapshot;
use crate::xds::Protocol;
use crate::xds::nodes::{self, Node, Seat};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scrapers_at_once_each_see_the_right_sums() {
    let (router, admin) = admin();
    let _seats: Vec<Seat> = (0..1_000).map(|n| enter(&admin.nodes, n)).collect();
    let scrapes = (0..100).map(|_| tokio::spawn(scrape(router.clone())));
    for scrape in scrapes.collect::<Vec<_>>() {
        let text = scrape.await.unwrap();
        for name in ["chancery_nodes", "chancery_nodes_behind"] {
            let line = format!("{name}{{gateway=\"edge\"}} 1000\n");
            assert!(text.contains(&line), "{line:?} is missing in {text}");
        }
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_gateway_that_is_gone() {
    let (router, admin) = admin();
    let snapshot = Arc::new(Snapshot::empty("edge".into()));
    admin.gateways.publish("edge", None, Some(snapshot));
    let seat = enter(&admin.nodes, 1);
    let text = scrape(router.clone()).await;
    for line in [
        "chancery_resources{gateway=\"edge\",type=\"clusters\"} 0\n",
        "chancery_snapshot_revision{gateway=\"edge\"} 0\n",
        "chancery_route_table_bytes{gateway=\"edge\"} 0\n",
        "chancery_nodes{gateway=\"edge\"} 1\n",
    ] {
        assert!(text.contains(line), "{line:?} is missing in {text}");
    }
    admin.gateways.publish("edge", None, None);
    drop(seat);
    let text = scrape(router).await;
    assert!(!text.contains("edge"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
}

#[tokio::test]
async fn a_source_that_nobody_asks_is_not_down() {
    let (router, admin) = admin();
    let up = "chancery_source_up{source=\"etcd\"}";
    let text = scrape(router.clone()).await;
    assert!(!text.contains(up), "{text}");
    admin.source.failed(&"away");
    let text = scrape(router.clone()).await;
    assert!(text.contains(&format!("{up} 0\n")), "{text}");
    admin.source.answered();
    let text = scrape(router).await;
    assert!(text.contains(&format!("{up} 1\n")), "{text}");
}

struct Seen {
    gateways: Arc<Gateways>,
    nodes: Arc<Nodes>,
    source: Source,
}

fn admin() -> (Router, Seen) {
    let seen = Seen {
        gateways: Arc::new(Gateways::new().0),
        nodes: Arc::default(),
        source: Source::new("etcd"),
    };
    let router = scraped(&Arc::new(Admin {
        gateways: seen.gateways.clone(),
        nodes: seen.nodes.clone(),
        metrics: Arc::default(),
        sources: vec![seen.source.clone()],
        replicas: watch::Sender::default().subscribe(),
        dashboard: None,
    }));
    (router, seen)
}

fn enter(nodes: &Arc<Nodes>, n: usize) -> Seat {
    nodes.enter(Node {
        id: format!("node-{n}").into(),
        gateway: "edge".into(),
        address: None,
        agent: "envoy".into(),
        cohort: crate::cohort::Cohort::foreign("envoy"),
        protocol: Protocol::Delta,
        connected: SystemTime::now(),
        status: nodes::NodeStatus::default(),
    })
}

async fn scrape(router: Router) -> String {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX);
    String::from_utf8(body.await.unwrap().to_vec()).unwrap()
}
