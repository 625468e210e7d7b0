//! How many attempts a request gets.

use std::time::Duration;

use super::{policy, retries};
use crate::model::upstream::{Balancer, PassHost, Scheme};
use crate::model::{Members, Node, Timeout, Upstream};

fn upstream(nodes: usize, retries: Option<u32>, retry_timeout: Option<Duration>) -> Upstream {
    let node = Node::new("10.0.0.1".into(), 80, 1);
    Upstream {
        members: Members::Nodes(vec![node; nodes]),
        balancer: Balancer::RoundRobin,
        scheme: Scheme::Http,
        pass_host: PassHost::Pass,
        retries,
        retry_timeout,
        timeout: Timeout::default(),
        keepalive_pool: None,
        checks: Default::default(),
        slow_start: None,
        tls: None,
    }
}

#[test]
fn one_less_than_the_nodes_but_not_many_unless_told() {
    let second = Duration::from_secs(1);
    let of = |nodes, told| retries(&upstream(nodes, told, None), second, second);
    assert_eq!(
        [of(0, None), of(1, None), of(3, None), of(9, None)],
        [0, 0, 2, 3]
    );
    assert_eq!([of(9, Some(0)), of(1, Some(5))], [0, 5]);
}

#[test]
fn no_more_than_fit_into_the_retry_timeout() {
    let (connect, read) = (Duration::from_secs(1), Duration::from_secs(2));
    let within = |seconds| {
        let bound = Some(Duration::from_secs(seconds));
        retries(&upstream(1, Some(3), bound), connect, read)
    };
    assert_eq!([within(2), within(3), within(6), within(100)], [0, 0, 1, 3]);
}

#[test]
fn what_is_not_tried_again_has_its_bound_and_nothing_else() {
    let timeout = Timeout::default();
    let policy = |retries| policy(&upstream(2, None, None).members, retries, &timeout);
    let none = policy(0);
    assert_eq!((&*none.retry_on, none.num_retries.unwrap().value), ("", 0));
    assert_eq!(none.per_try_idle_timeout, policy(1).per_try_idle_timeout);
    assert!(!policy(1).retry_on.is_empty());
}

#[test]
fn a_lower_priority_gets_the_attempts_that_the_first_has_no_node_for() {
    let with = |priorities: &[i32], retries| {
        let node = |priority: &i32| Node {
            priority: *priority,
            ..Node::new("10.0.0.1".into(), 80, 1)
        };
        let members = Members::Nodes(priorities.iter().map(node).collect());
        let policy = policy(&members, retries, &Timeout::default());
        policy.retry_priority.is_some()
    };
    assert!(with(&[0, -1], 1));
    assert!(!with(&[0, -1], 0), "there is no other attempt");
    assert!(!with(&[5, 5], 1), "there is no other priority");
}
