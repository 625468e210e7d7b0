//! Whom an order is about.

use super::*;
use crate::model::Discovery;
use crate::model::drain::Mode;
use crate::store::ledger::Journal;

fn instance(id: &str, last: u8, port: u16, status: Status) -> Instance {
    Instance {
        status,
        ..Instance::new(id, [10, 0, 0, last].into(), port)
    }
}

fn up(id: &str, last: u8, port: u16) -> Instance {
    instance(id, last, port, Status::Passing)
}

fn answer(service: &str, instances: Vec<Instance>) -> Answer {
    Answer::new(ServiceKey::new(Discovery::Consul, service), instances)
}

fn order(last: u8) -> Order {
    Order {
        address: [10, 0, 0, last].into(),
        port: None,
        service: None,
        ttl: 60,
        reason: String::new(),
        force: false,
        mode: Mode::Leave,
    }
}

/// The journal, with drains of these instances of `echo`.
fn drained(instances: &[Instance]) -> Entries {
    let entry = |instance: &Instance| {
        let text = serde_json::to_vec(&serde_json::json!({
            "id": instance.id, "service": "consul/echo", "instance": instance.id,
            "address": instance.address, "port": instance.port, "node": "", "mode": "leave",
            "reason": "", "by": "", "from": "", "created": "", "ttl": 60,
        }));
        (instance.id.clone(), text.unwrap().into())
    };
    Entries::read(&Journal {
        entries: instances.iter().map(entry).collect(),
        ..Journal::default()
    })
}

/// The ids of who is chosen, each with `!` when it is drained already, or the refusal.
fn chosen(answers: &[Answer], entries: &Entries, order: &Order) -> Result<String, DrainError> {
    chosen_of(answers, &[], entries, order)
}

/// The same, where documents list nodes too.
fn chosen_of(
    answers: &[Answer],
    nodes: &[(&str, &[&str])],
    entries: &Entries,
    order: &Order,
) -> Result<String, DrainError> {
    let listed = nodes.iter().map(|(cluster, places)| Listed {
        cluster: (*cluster).into(),
        places: places.iter().map(|place| place.parse().ok()).collect(),
    });
    let there = There {
        answers: answers.to_vec(),
        listed: listed.collect(),
    };
    let choices = choose(&there, entries, order)?;
    let names = choices.iter().map(|choice| match choice {
        Choice::Drained(drain) => format!("{}!", drain.instance),
        Choice::Instance(_, instance) => instance.id.to_string(),
        Choice::Node(place) => place.to_string(),
    });
    Ok(names.collect::<Vec<_>>().join(" "))
}

#[test]
fn an_address_is_enough_where_it_has_one_instance() {
    let answers = [answer("echo", vec![up("a", 1, 80), up("b", 2, 80)])];
    let none = Entries::default();
    assert_eq!(chosen(&answers, &none, &order(1)), Ok("a".into()));
    assert!(matches!(
        chosen(&answers, &none, &order(9)),
        Err(DrainError::Unknown(_))
    ));
    let other_port = Order {
        port: Some(81),
        ..order(1)
    };
    assert!(matches!(
        chosen(&answers, &none, &other_port),
        Err(DrainError::Unknown(_))
    ));
}

#[test]
fn the_port_tells_instances_apart_and_the_service_which_of_its_names_is_meant() {
    let answers = [
        answer("echo", vec![up("a", 1, 80), up("b", 1, 81)]),
        answer("admin", vec![up("c", 1, 80), up("d", 2, 80)]),
    ];
    let none = Entries::default();
    assert!(matches!(
        chosen(&answers, &none, &order(1)),
        Err(DrainError::Unclear(_))
    ));
    let port = |port| Order {
        port: Some(port),
        ..order(1)
    };
    assert_eq!(chosen(&answers, &none, &port(81)), Ok("b".into()));
    assert_eq!(chosen(&answers, &none, &port(80)), Ok("c a".into()));
    for service in ["admin", "consul/admin"] {
        let of_service = Order {
            service: Some(service.into()),
            ..port(80)
        };
        assert_eq!(chosen(&answers, &none, &of_service), Ok("c".into()));
    }
}

#[test]
fn a_service_that_is_asked_for_in_two_ways_is_one() {
    let near = ServiceKey {
        near: Some("_agent".into()),
        ..ServiceKey::new(Discovery::Consul, "echo")
    };
    let instances = vec![up("a", 1, 80), up("b", 2, 80)];
    let answers = [
        answer("echo", instances.clone()),
        Answer::new(near, instances),
    ];
    assert_eq!(
        chosen(&answers, &Entries::default(), &order(1)),
        Ok("a".into())
    );
}

#[test]
fn the_last_healthy_instance_stays_unless_it_is_forced() {
    let forced = Order {
        force: true,
        ..order(1)
    };
    let none = Entries::default();
    let mut weightless = up("b", 2, 80);
    weightless.weight = 0;
    for other in [
        instance("b", 2, 80, Status::Critical),
        instance("b", 2, 80, Status::Maintenance),
        weightless,
    ] {
        let answers = [answer("echo", vec![up("a", 1, 80), other])];
        assert!(matches!(
            chosen(&answers, &none, &order(1)),
            Err(DrainError::Conflict(_))
        ));
        assert_eq!(chosen(&answers, &none, &forced), Ok("a".into()));
    }
    // The registry still calls it healthy, and it is on its way out.
    let answers = [answer("echo", vec![up("a", 1, 80), up("b", 2, 80)])];
    let entries = drained(&[up("b", 2, 80)]);
    assert!(matches!(
        chosen(&answers, &entries, &order(1)),
        Err(DrainError::Conflict(_))
    ));
    // Nothing is lost by one that gets no traffic.
    let failing = instance("a", 1, 80, Status::Critical);
    let answers = [answer("echo", vec![failing])];
    assert_eq!(chosen(&answers, &none, &order(1)), Ok("a".into()));
}

#[test]
fn an_instance_that_is_drained_is_found_whether_the_registry_names_it_or_not() {
    let entries = drained(&[up("a", 1, 80)]);
    for there in [vec![up("b", 2, 80)], vec![up("a", 1, 80), up("b", 2, 80)]] {
        let answers = [answer("echo", there)];
        assert_eq!(chosen(&answers, &entries, &order(1)), Ok("a!".into()));
    }
    // Registered anew it is another one.
    let answers = [answer("echo", vec![up("a-2", 1, 80), up("b", 2, 80)])];
    assert_eq!(chosen(&answers, &entries, &order(1)), Ok("a-2".into()));
}

#[test]
fn what_was_left_behind_at_an_address_is_not_meant() {
    let left = instance("old", 1, 80, Status::Critical);
    let answers = [answer("echo", vec![left, up("new", 1, 80), up("b", 2, 80)])];
    assert_eq!(
        chosen(&answers, &Entries::default(), &order(1)),
        Ok("new".into())
    );
}

#[test]
fn a_place_leaves_every_service_or_none() {
    let answers = [
        answer("echo", vec![up("a", 1, 80), up("b", 2, 80)]),
        answer(
            "shop",
            vec![up("s", 1, 80), instance("t", 2, 80, Status::Critical)],
        ),
    ];
    let none = Entries::default();
    let Err(DrainError::Conflict(text)) = chosen(&answers, &none, &order(1)) else {
        panic!("it is the last one of shop");
    };
    assert!(text.contains("consul/shop"), "{text}");
    let forced = Order {
        force: true,
        ..order(1)
    };
    assert_eq!(chosen(&answers, &none, &forced), Ok("a s".into()));
    // What fails in one service is meant there too.
    assert_eq!(chosen(&answers, &none, &order(2)), Ok("b t".into()));
    // What is out of one of them already is not refused.
    let entries = drained(&[up("a", 1, 80)]);
    assert_eq!(chosen(&answers, &entries, &forced), Ok("a! s".into()));
}

#[test]
fn two_registrations_of_one_place_go_together() {
    let none = Entries::default();
    let twice = vec![up("a", 1, 80), up("a-2", 1, 80)];
    let answers = [answer("echo", twice.clone())];
    assert!(matches!(
        chosen(&answers, &none, &order(1)),
        Err(DrainError::Conflict(_))
    ));
    let answers = [answer("echo", [twice, vec![up("b", 2, 80)]].concat())];
    assert_eq!(chosen(&answers, &none, &order(1)), Ok("a a-2".into()));
}

#[test]
fn what_documents_list_goes_too_and_never_the_last_of_it() {
    let none = Entries::default();
    let answers = [answer("echo", vec![up("a", 1, 80), up("b", 2, 80)])];
    let both: &[&str] = &["10.0.0.1:80", "10.0.0.2:80"];
    let nodes = |order: &Order, nodes: &[(&str, &[&str])]| chosen_of(&answers, nodes, &none, order);
    let listed = nodes(&order(1), &[("upstream/u", both)]);
    assert_eq!(listed, Ok("a 10.0.0.1:80".into()));
    let echo = Order {
        service: Some("echo".into()),
        ..order(1)
    };
    assert_eq!(nodes(&echo, &[("upstream/u", both)]), Ok("a".into()));
    // The name of the other may be anybody's.
    let named: &[&str] = &["10.0.0.1:80", "shop.internal"];
    assert!(nodes(&order(1), &[("upstream/u", named)]).is_ok());
    let alone: &[&str] = &["10.0.0.1:80"];
    let Err(DrainError::Conflict(text)) =
        nodes(&order(1), &[("upstream/u", both), ("route/r", alone)])
    else {
        panic!("it is the last one of r");
    };
    assert!(text.contains("route/r"), "{text}");
    // On another port it is another one.
    let other: &[&str] = &["10.0.0.1:81"];
    assert!(matches!(
        nodes(&order(1), &[("route/r", other)]),
        Err(DrainError::Unclear(_))
    ));
}
