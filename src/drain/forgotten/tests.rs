//! What is taken for a drain of Chancery's own.

use std::collections::HashMap;

use super::*;
use crate::model::Discovery;

fn drain(reason: &str) -> Drain {
    let service = ServiceKey::new(Discovery::Consul, "echo");
    let instance = Instance::new("n/a", [10, 0, 0, 1].into(), 80);
    Drain {
        reason: reason.to_owned(),
        ..forgotten("9f8a".to_owned(), String::new(), service, &instance)
    }
}

#[test]
fn a_reason_tells_the_drain_and_who_remembers_it() {
    for why in ["", "release 42", "in /chancery)"] {
        let reason = mark(&drain(why), "/chancery");
        assert_eq!(marked(&reason, "/chancery"), Some("9f8a"), "{reason}");
        for other in ["/chancery-2", "/chance", ""] {
            assert_eq!(marked(&reason, other), None, "{reason} of {other:?}");
        }
    }
}

#[test]
fn what_others_set_is_none_of_ours() {
    for reason in [
        "",
        "Maintenance mode is enabled for this service",
        "drained by chancery (9f8a)",
        "drained by chancery ( in /chancery)",
        "drained by chancery (me & you in /chancery)",
        "drained by chancery (9f8a in /chancery) and more",
    ] {
        assert_eq!(marked(reason, "/chancery"), None, "{reason}");
    }
}

#[test]
fn an_instance_in_maintenance_is_looked_at_once() {
    let service = ServiceKey::new(Discovery::Consul, "echo");
    let one = |port, status| Instance {
        status,
        ..Instance::new("n/a", [10, 0, 0, 1].into(), port)
    };
    let instances = [one(80, Status::Maintenance), one(81, Status::Critical)];
    let watched = |near: Option<&str>| Watched {
        service: ServiceKey {
            near: near.map(Into::into),
            ..service.clone()
        },
        instances: Some(instances.clone().into()),
        confirmed: None,
        drained: BTreeMap::new(),
        kept: BTreeSet::new(),
        since: HashMap::new(),
        uses: BTreeMap::new(),
    };
    let found = suspects(vec![watched(None), watched(Some("n"))]);
    assert_eq!(found, [(service, one(80, Status::Maintenance))]);
}
