//! What is left to whoever comes next.

use super::*;
use crate::drain::entry;
use crate::model::drain::Of;
use crate::model::{Discovery, ServiceKey};

fn drain() -> Drain {
    Drain {
        id: "1".into(),
        with: None,
        of: Of::Service(ServiceKey::new(Discovery::Consul, "echo")),
        instance: "n/a".into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        node: "n".into(),
        agent: None,
        mode: Default::default(),
        reason: String::new(),
        by: String::new(),
        from: String::new(),
        created: "2026-01-01T00:00:00Z".into(),
        ttl: 60,
    }
}

fn journal() -> Journal {
    let drain = drain();
    let key = entry::key(&drain).into();
    let text = entry::text(&drain).unwrap().into();
    Journal {
        entries: [(key, text)].into(),
        ..Journal::default()
    }
}

fn is_abandoned(journal: &Journal) -> bool {
    let entries = Entries::read(journal);
    abandoned(journal, &entries).next().is_some()
}

#[test]
fn an_entry_is_abandoned_when_nobody_works_at_it_and_nothing_rests_on_it() {
    assert!(is_abandoned(&journal()));
    let mut begun = journal();
    begun.claimed.insert(entry::key(&drain()).into());
    assert!(!is_abandoned(&begun), "its registry is being told");
    let mut in_force = journal();
    in_force.in_force.insert("1".into(), 7);
    assert!(!is_abandoned(&in_force));
    // Another drain's document is not its own.
    let mut other = journal();
    other.in_force.insert("2".into(), 7);
    assert!(is_abandoned(&other));
}

#[test]
fn an_entry_is_the_instance_and_not_the_drain() {
    let again = Drain {
        id: "2".into(),
        reason: "again".into(),
        ..drain()
    };
    assert_eq!(entry::key(&again), entry::key(&drain()));
    let renamed = Drain {
        instance: "n/a-2".into(),
        ..drain()
    };
    assert_ne!(entry::key(&renamed), entry::key(&drain()));
}

#[test]
fn what_has_come_to_its_end_is_told_from_what_broke() {
    let created = humantime::parse_rfc3339(&drain().created).unwrap();
    assert!(!is_over(&drain(), created + Duration::from_secs(59)));
    assert!(is_over(&drain(), created + Duration::from_secs(60)));
}
