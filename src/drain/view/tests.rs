//! What a view knows, and who waits for whom.

use super::*;
use crate::drain::entry;
use crate::model::{Discovery, ServiceKey};

fn service(name: &str) -> Of {
    Of::Service(ServiceKey::new(Discovery::Consul, name))
}

fn drain(of: &str) -> Drain {
    Drain {
        id: "1".into(),
        with: None,
        of: service(of),
        instance: "n/a".into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        node: "n".into(),
        agent: None,
        mode: Default::default(),
        reason: String::new(),
        by: String::new(),
        from: String::new(),
        created: String::new(),
        ttl: 60,
    }
}

fn claim(drain: &Drain, revision: i64) -> Claim {
    Claim {
        key: entry::key(drain).into(),
        lease: 1,
        revision,
    }
}

#[test]
fn a_view_has_what_was_written_since_it_was_read_and_nothing_from_before() {
    let mut view = View {
        entries: Entries::default(),
        began: Instant::now(),
        revision: 7,
        written: HashMap::new(),
    };
    let (echo, other) = (drain("echo"), drain("other"));
    view.handle_written(&claim(&echo, 7), &echo);
    assert!(view.entries.find("1").is_none(), "it was read later");
    view.handle_written(&claim(&echo, 9), &echo);
    view.handle_written(&claim(&echo, 9), &echo);
    assert_eq!(view.entries.taken(&service("echo")).len(), 1);
    assert_eq!(view.entries.drains().count(), 1);
    assert_eq!(view.seen(&echo.of), 9);
    assert_eq!(view.seen(&other.of), 7);
}

#[tokio::test]
async fn decisions_of_different_services_do_not_wait_for_each_other() {
    let views = Views::default();
    let of = |names: &[&str]| names.iter().map(|name| service(name)).collect();
    let echo = views.turns(&of(&["echo"])).await;
    let other = tokio::time::timeout(Duration::from_secs(60), async {
        views.turns(&of(&["a", "other"])).await
    });
    let held = other.await.expect("it waits");
    assert_eq!(held.len(), 2);
    let both = of(&["echo", "zoo"]);
    let mut waits = std::pin::pin!(views.turns(&both));
    assert!(futures_util::poll!(&mut waits).is_pending());
    drop(echo);
    assert_eq!(waits.await.len(), 2);
}
