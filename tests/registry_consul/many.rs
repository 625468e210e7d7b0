//! More services than a Consul allows connections: all are answered, what changes is heard of whatever it is, and the rest
//! is left alone.

use std::collections::BTreeSet;

use chancery::model::instance::Status;
use serde_json::json;

use crate::process::Consul;
use crate::{Watch, settings};

const MANY: usize = 400;

async fn many(consul: &Consul) -> Watch {
    let names: Vec<_> = (0..MANY).map(|n| format!("service-{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut watch = Watch::start(settings(&consul.url()), &names);
    watch.is_complete().await;
    watch
}

#[tokio::test]
async fn whatever_changes_is_heard_and_nothing_else() {
    let consul = Consul::dev().await;
    consul.register("service-7", 8081).await;
    let mut watch = many(&consul).await;

    consul.check(8081, "critical", "").await;
    let answer = watch.answer().await;
    assert_eq!(answer.instances[0].status, Status::Critical);
    consul.check(8081, "warning", "").await;
    let answer = watch.answer().await;
    assert_eq!(answer.instances[0].status, Status::Warning);
    consul.check(8081, "passing", "").await;
    watch.comes_to(&[8081]).await;
    consul.register("service-8", 9001).await;
    watch.comes_to(&[9001]).await;
    consul.maintain("service-8", 9001, true).await;
    let answer = watch.answer().await;
    assert_eq!(answer.instances[0].status, Status::Maintenance);
    consul.deregister("service-8", 9001).await;
    watch.comes_to(&[]).await;

    // Without a check only the registration itself says that something changed.
    consul.register_unchecked("service-9", 9002, "v1", 1).await;
    let answer = watch.answer().await;
    assert_eq!(
        (answer.instances[0].port, answer.instances[0].weight),
        (9002, 1)
    );
    consul.register_unchecked("service-9", 9002, "v2", 5).await;
    let answer = watch.answer().await;
    assert_eq!(answer.instances[0].weight, 5);
    assert!(answer.instances[0].tags.contains("v2"));

    consul.maintain_node(true).await;
    let both = [watch.answer().await, watch.answer().await];
    let names: BTreeSet<_> = both.iter().map(|answer| &*answer.service.name).collect();
    assert_eq!(names, BTreeSet::from(["service-7", "service-9"]));
    watch.assert_quiet();
    watch.is_well().await;
}

#[tokio::test]
async fn many_registrations_of_a_rollout_are_all_heard() {
    let consul = Consul::dev().await;
    let mut watch = many(&consul).await;
    let registrations = if std::env::var_os("CHANCERY_MANY").is_some() {
        3_000
    } else {
        300
    };
    let expected: Vec<_> = (10_000..10_000 + registrations).collect();
    for port in &expected {
        consul.register_in_catalog("service-3", *port).await;
    }
    let mut answers = 0;
    loop {
        let answer = watch.answer().await;
        assert_eq!(&*answer.service.name, "service-3");
        answers += 1;
        let ports: Vec<_> = answer
            .instances
            .iter()
            .map(|instance| instance.port)
            .collect();
        if ports == expected {
            break;
        }
    }
    assert!(
        answers <= registrations,
        "{answers} answers for one rollout"
    );
}

#[tokio::test]
async fn a_restart_empties_nothing_and_new_state_follows() {
    let mut consul = Consul::persistent().await;
    consul.register_in_catalog("service-7", 8081).await;
    let mut watch = many(&consul).await;
    for round in 1..=2 {
        consul.kill();
        assert!(watch.is_lost().await.contains("unreachable"));
        watch.assert_quiet();
        consul.start_again().await;
        consul.register_in_catalog("service-7", 8081 + round).await;
        let ports: Vec<_> = (8081..=8081 + round).collect();
        watch.comes_to(&ports).await;
        watch.is_well().await;
    }
}

#[tokio::test]
async fn a_consul_that_forgot_everything_is_believed() {
    let mut consul = Consul::dev().await;
    consul.register("service-7", 8081).await;
    let mut watch = many(&consul).await;
    consul.kill();
    watch.is_lost().await;
    watch.assert_quiet();
    consul.start_again().await;
    watch.comes_to(&[]).await;
    consul.register("service-8", 8082).await;
    watch.comes_to(&[8082]).await;
}

#[tokio::test]
async fn what_is_written_on_a_node_is_heard_of_with_the_next_registration() {
    let consul = Consul::dev().await;
    consul.register_in_catalog("service-7", 8081).await;
    let mut watch = many(&consul).await;
    let node = json!({"Node": "node-2", "Address": "10.0.0.3", "NodeMeta": {"zone": "b"}});
    consul.put("catalog/register", node).await;
    // By itself it would be seen within a minute.
    consul.register("elsewhere", 8081).await;
    let answer = watch.answer().await;
    assert_eq!(&*answer.instances[0].zone, "b");
    assert_eq!(answer.instances[0].address.to_string(), "10.0.0.3");
}
