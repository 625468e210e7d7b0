use super::*;
use crate::snapshot::Version;

fn cohort() -> Cohort {
    Cohort::envoy((1, 40, 0), None).unwrap()
}

fn refusal(node: &str) -> Refused {
    Refused {
        resource_type: ResourceType::Cluster,
        after: Some(7),
        sequence: 8,
        error: "bad".into(),
        node: node.into(),
        at: 0,
    }
}

fn acceptance(sequence: u64, has: &[(&str, &str)]) -> Accepted {
    let has = has.iter();
    Accepted {
        sequence: Some(sequence),
        has: has
            .map(|(name, content)| ((*name).into(), Version::of(content.as_bytes())))
            .collect(),
        ..Accepted::nothing(ResourceType::Cluster)
    }
}

#[test]
fn a_gateway_that_does_not_exist_is_forgotten_with_its_last_watcher() {
    let gateways = Arc::new(Gateways::new().0);
    let one = gateways.watch("nowhere", Some(&cohort()));
    let other = gateways.watch("nowhere", Some(&cohort()));
    drop(one);
    assert_eq!(gateways.by_place.len(), 1);
    drop(other);
    assert_eq!(gateways.by_place.len(), 0);
}

#[test]
fn a_gateway_that_exists_stays() {
    let gateways = Arc::new(Gateways::new().0);
    let watch = gateways.watch("edge", Some(&cohort()));
    let snapshot = Arc::new(Snapshot::empty("edge".into()));
    gateways.publish("edge", Some(&cohort()), Some(snapshot));
    drop(watch);
    assert!(gateways.watch("edge", Some(&cohort())).borrow().is_some());
    assert!(gateways.watch("edge", None).borrow().is_none());
}

#[test]
fn a_gateway_that_goes_is_forgotten() {
    let gateways = Arc::new(Gateways::new().0);
    let snapshot = Arc::new(Snapshot::empty("edge".into()));
    gateways.publish("edge", None, Some(snapshot));
    gateways.publish("edge", None, None);
    assert_eq!(gateways.by_place.len(), 0);
}

#[test]
fn a_fleet_that_accepts_a_snapshot_is_heard_once_and_again_when_it_says_more() {
    let (gateways, mut heard) = Gateways::new();
    let gateways = Arc::new(gateways);
    let fleet = [(); 2].map(|()| gateways.watch("edge", Some(&cohort())));
    let mut turn = fleet.iter().cycle();
    let mut told = |accepted: Accepted| {
        turn.next().unwrap().accept(accepted);
        match heard.try_recv().ok()?.what {
            What::Answered(Outcome::Accepted(accepted)) => Some(accepted),
            other => panic!("{other:?}"),
        }
    };
    let one = acceptance(7, &[("a", "1"), ("b", "1")]);
    assert_eq!(told(one.clone()), Some(one.clone()));
    assert_eq!(told(one.clone()), None);
    let whole = Accepted {
        whole: true,
        ..one.clone()
    };
    let news = told(whole).unwrap();
    assert_eq!((news.sequence, news.whole), (Some(7), true));
    assert!(news.has.is_empty());
    let other = told(acceptance(7, &[("a", "1"), ("b", "2")])).unwrap();
    assert_eq!(other.sequence, None);
    assert_eq!(other.has.len(), 1);
    assert_eq!(told(acceptance(8, &[])).unwrap().sequence, Some(8));
}

#[test]
fn what_one_accepts_late_is_heard_though_another_has_accepted_what_came_after() {
    let (gateways, mut heard) = Gateways::new();
    let proxy = Arc::new(gateways).watch("edge", Some(&cohort()));
    let mut told = |sequence| {
        let whole = Accepted {
            whole: true,
            ..acceptance(sequence, &[])
        };
        proxy.accept(whole);
        heard.try_recv().is_ok()
    };
    // One refused the seventh, and has accepted what became of that.
    assert!(told(8));
    assert!(told(7));
    assert!(!told(7), "once");
    for sequence in 9..3000 {
        assert!(told(sequence));
    }
    assert!(told(8), "it is long ago: heard twice rather than never");
    assert!(!told(2999));
}

#[test]
fn a_cohort_has_answered_what_the_last_of_it_has() {
    let gateways = Arc::new(Gateways::new().0);
    let place = (Arc::from("edge"), cohort());
    let [one, other] = [(); 2].map(|()| gateways.watch("edge", Some(&cohort())));
    let elsewhere = gateways.watch("else", Some(&cohort()));
    let of = ResourceType::Cluster;
    assert_eq!(gateways.answered(&place, of), u64::MAX, "nobody asked");
    elsewhere.note_answered(of, 1);
    other.note_answered(ResourceType::Listener, 1);
    one.note_answered(of, 7);
    assert_eq!(gateways.answered(&place, of), 7);
    other.note_answered(of, 6);
    assert_eq!(gateways.answered(&place, of), 6);
    drop(other);
    assert_eq!(gateways.answered(&place, of), 7);
}

#[test]
fn nothing_that_proxies_say_is_lost_while_the_loop_is_busy() {
    let (gateways, mut heard) = Gateways::new();
    let gateways = Arc::new(gateways);
    let edges: Vec<Arc<str>> = (0..2_000).map(|n| format!("edge-{n}").into()).collect();
    for edge in &edges {
        let proxy = gateways.watch(edge, Some(&cohort()));
        proxy.accept(acceptance(7, &[]));
        gateways.refuse(edge, &cohort(), refusal("a"));
        gateways.refuse(edge, &cohort(), refusal("b"));
    }
    for edge in &edges {
        let said = [(); 3].map(|()| heard.try_recv().unwrap());
        assert!(said.iter().all(|said| said.gateway == *edge));
        let [accepted, one, other] = said.map(|said| said.what);
        let refused = |node| What::Answered(Outcome::Refused(refusal(node)));
        assert_eq!(
            accepted,
            What::Answered(Outcome::Accepted(acceptance(7, &[])))
        );
        assert_eq!((one, other), (refused("a"), refused("b")));
    }
}

#[test]
fn names_of_cohorts_do_not_pile_up() {
    let gateways = Arc::new(Gateways::new().0);
    let edge: Arc<str> = "edge".into();
    let mut watches = Vec::new();
    for patch in 0..1000 {
        let cohort = gateways.admit(&edge, &Cohort::envoy((1, 40, patch), None).unwrap());
        watches.push(gateways.watch(&edge, Some(&cohort)));
    }
    assert_eq!(gateways.by_place.len(), COHORTS + 1);
}

#[test]
fn clients_that_are_no_envoy_are_one_cohort_whatever_they_call_themselves() {
    let gateways = Arc::new(Gateways::new().0);
    let edge: Arc<str> = "edge".into();
    let [one, other] = ["curl 8", "gRPC Go 1.70"].map(Cohort::foreign);
    assert_ne!(one, other);
    assert_eq!(gateways.admit(&edge, &one), gateways.admit(&edge, &other));
}
