//! Several Consul servers or agents: a leader that is lost, an agent that is gone.

use std::time::Duration;

use crate::process::{Consul, own_address};
use crate::{Watch, settings};

#[tokio::test]
async fn a_lost_leader_empties_nothing_and_new_state_follows_its_return() {
    let (one, mut other) = Consul::pair().await;
    one.register_in_catalog("echo", 8081).await;
    let mut watch = Watch::start(settings(&one.url()), &["echo"]);
    watch.comes_to(&[8081]).await;
    other.kill();
    // The one that is left is asked, and has no leader.
    let error = watch.is_lost().await;
    assert!(error.contains("leader") || error.contains("500"), "{error}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    watch.assert_quiet();
    other.start_again().await;
    one.register_in_catalog("echo", 8082).await;
    watch.comes_to(&[8081, 8082]).await;
    watch.is_well().await;
}

#[tokio::test]
async fn when_an_agent_is_gone_the_next_one_is_asked() {
    let (mut one, mut other) = Consul::pair().await;
    one.register_in_catalog("echo", 8081).await;
    let mut both = settings(&one.url());
    both.addresses.push(other.url());
    let mut watch = Watch::start(both, &["echo"]);
    watch.comes_to(&[8081]).await;
    one.pause();
    // The one that is paused may have led; then the other leads nobody, until the first is back.
    one.resume();
    one.kill();
    one.start_again().await;
    other.register_in_catalog("echo", 8082).await;
    watch.comes_to(&[8081, 8082]).await;
    other.kill();
    other.start_again().await;
    one.register_in_catalog("echo", 8083).await;
    watch.comes_to(&[8081, 8082, 8083]).await;
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_passed_over() {
    let consul = Consul::dev().await;
    consul.register("echo", 8081).await;
    let mut both = settings(&format!("http://{}:8500", own_address()));
    both.addresses.push(consul.url());
    let mut watch = Watch::start(both, &["echo"]);
    watch.comes_to(&[8081]).await;
    watch.is_well().await;
}
