use super::*;

#[test]
fn a_gateway_that_does_not_exist_is_forgotten_with_its_last_watcher() {
    let gateways = Arc::new(Gateways::new().0);
    let one = gateways.watch("nowhere");
    let other = gateways.watch("nowhere");
    drop(one);
    assert_eq!(gateways.by_name.len(), 1);
    drop(other);
    assert_eq!(gateways.by_name.len(), 0);
}

#[test]
fn a_gateway_that_exists_stays() {
    let gateways = Arc::new(Gateways::new().0);
    let watch = gateways.watch("edge");
    let snapshot = Arc::new(Snapshot::empty("edge".into()));
    gateways.publish("edge", Some(snapshot));
    drop(watch);
    assert!(gateways.watch("edge").borrow().is_some());
}

#[test]
fn a_gateway_that_goes_is_forgotten() {
    let gateways = Arc::new(Gateways::new().0);
    let snapshot = Arc::new(Snapshot::empty("edge".into()));
    gateways.publish("edge", Some(snapshot));
    gateways.publish("edge", None);
    assert_eq!(gateways.by_name.len(), 0);
}

#[test]
fn a_fleet_that_refuses_a_snapshot_is_heard_once() {
    let (gateways, mut heard) = Gateways::new();
    let edge: Arc<str> = "edge".into();
    let refusal = |sequence| Outcome {
        resource_type: ResourceType::Cluster,
        after: None,
        sequence,
        error: Some("bad".into()),
    };
    for _ in 0..10_000 {
        gateways.refuse(&edge, refusal(1));
    }
    assert_eq!(heard.len(), 1);
    heard.try_recv().unwrap();
    gateways.refuse(&edge, refusal(1));
    assert!(heard.is_empty());
}

#[test]
fn nothing_that_proxies_say_is_lost_while_the_loop_is_busy() {
    let (gateways, mut heard) = Gateways::new();
    let edges: Vec<Arc<str>> = (0..2_000).map(|n| format!("edge-{n}").into()).collect();
    for edge in &edges {
        gateways.accept(edge, ResourceType::Cluster, 7);
        gateways.refuse(
            edge,
            Outcome {
                resource_type: ResourceType::Cluster,
                after: Some(7),
                sequence: 8,
                error: Some("bad".into()),
            },
        );
    }
    for edge in &edges {
        for sequence in [7, 8] {
            let (gateway, outcome) = heard.try_recv().unwrap();
            assert_eq!((gateway, outcome.sequence), (edge.clone(), sequence));
        }
    }
}
