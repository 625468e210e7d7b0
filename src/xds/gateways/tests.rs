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
