//! How many attempts a request gets.

use std::time::Duration;

use crate::model::route::Timeout;
use crate::model::upstream::{Balancer, PassHost, Scheme};
use crate::model::{Members, Node, Upstream};

use super::retries;

fn upstream(nodes: usize, retries: Option<u32>, retry_timeout: Option<Duration>) -> Upstream {
    let node = Node {
        host: "10.0.0.1".into(),
        port: 80,
        weight: 1,
        priority: 0,
    };
    Upstream {
        members: Members::Nodes(vec![node; nodes]),
        balancer: Balancer::RoundRobin,
        scheme: Scheme::Http,
        pass_host: PassHost::Pass,
        retries,
        retry_timeout,
        timeout: Timeout::default(),
        keepalive_pool: None,
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
