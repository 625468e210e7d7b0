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

/// The id of who is chosen, with `!` when it is drained already, or the refusal.
fn chosen(answers: &[Answer], entries: &Entries, order: &Order) -> Result<String, DrainError> {
    choose(answers, entries, order).map(|choice| match choice {
        Choice::Drained(drain) => format!("{}!", drain.instance),
        Choice::Instance(_, instance) => instance.id.to_string(),
    })
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
fn port_and_service_tell_instances_apart() {
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
    let Err(DrainError::Unclear(text)) = chosen(&answers, &none, &port(80)) else {
        panic!("80 is in two services");
    };
    assert!(
        text.contains("consul/admin") && text.contains("consul/echo"),
        "{text}"
    );
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
