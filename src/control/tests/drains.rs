//! What is told of drains.

use super::*;

#[test]
fn it_is_told_how_many_drains_there_are_and_when_the_first_ends() {
    let mut control = control();
    let drain = |id: &str, created: &str, ttl: u32| {
        let drain = format!(
            r#"{{"id":"{id}","service":"nodes","instance":"","address":"10.0.0.{id}","port":80,"node":"",
            "mode":"leave","reason":"","by":"","from":"","created":"{created}","ttl":{ttl}}}"#
        );
        document(&format!("drains/{id}"), &drain)
    };
    let told = |control: &Control| {
        let metrics = &control.metrics;
        (metrics.drains.get(), metrics.drain_end.get())
    };
    assert_eq!(told(&control), (0, 0));
    let changed = |changes| {
        Input::Store(Event::Changed {
            revision: 2,
            changes,
            traced: Vec::new(),
        })
    };
    let now = Instant::now();
    let first = changed(vec![
        Change::Put(drain("1", "1970-01-01T01:00:00Z", 60)),
        Change::Put(drain("2", "1970-01-01T00:00:00Z", 7200)),
    ]);
    control.handle(first, now);
    assert_eq!(told(&control), (2, 3660));
    let path = "drains/1".into();
    control.handle(changed(vec![Change::Deleted { path }]), now);
    assert_eq!(told(&control), (1, 7200));
    let none = Event::Listed {
        revision: 3,
        documents: Vec::new(),
    };
    control.handle(Input::Store(none), now);
    assert_eq!(told(&control), (0, 0));
}
