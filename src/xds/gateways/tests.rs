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
    for _ in 0..2 * QUEUE {
        gateways.refuse(&edge, refusal(1));
    }
    assert_eq!(heard.len(), 1);
    for sequence in 2..=QUEUE as u64 {
        gateways.refuse(&edge, refusal(sequence));
    }
    // What finds no room is heard from the next one that says it.
    gateways.accept(&edge, ResourceType::Cluster, 7);
    assert_eq!(heard.len(), QUEUE);
    heard.try_recv().unwrap();
    gateways.accept(&edge, ResourceType::Cluster, 7);
    assert_eq!(heard.len(), QUEUE);
}
