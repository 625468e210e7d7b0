use std::num::NonZeroU64;

use super::{Known, News};
use crate::model::{Discovery, ServiceKey};
use crate::registry::consul::client::Response;
use crate::registry::consul::error::Error;

fn echo() -> ServiceKey {
    ServiceKey::new(Discovery::Consul, "echo")
}

/// An answer that lists instances by their ports.
fn response(index: u64, ports: &[u16]) -> Response {
    let entries: Vec<_> = ports.iter().map(|port| entry(*port)).collect();
    Response {
        index,
        body: serde_json::to_vec(&entries).unwrap().into(),
        filtered: false,
    }
}

fn entry(port: u16) -> serde_json::Value {
    serde_json::json!({
        "Node": {"Node": "node-1", "Address": "10.0.0.1"},
        "Service": {"ID": format!("echo-{port}"), "Address": "", "Port": port},
    })
}

impl Known {
    #[track_caller]
    fn hears(&mut self, response: Response) -> News {
        self.handle_response(&echo(), &response).unwrap()
    }

    #[track_caller]
    fn fails(&mut self, response: Response) -> Error {
        self.handle_response(&echo(), &response).unwrap_err()
    }

    fn blocks_on(&self) -> Option<u64> {
        self.index.map(NonZeroU64::get)
    }
}

#[track_caller]
fn ports(news: News) -> Vec<u16> {
    let answer = news.answer.expect("news");
    answer
        .instances
        .iter()
        .map(|instance| instance.port)
        .collect()
}

#[test]
fn the_first_answer_is_news_even_when_it_is_empty() {
    let mut known = Known::default();
    assert_eq!(known.blocks_on(), None);
    assert_eq!(ports(known.hears(response(7, &[]))), [] as [u16; 0]);
    assert_eq!(known.blocks_on(), Some(7));
}

#[test]
fn a_wake_without_change_is_no_news() {
    let mut known = Known::default();
    known.hears(response(7, &[1, 2]));
    assert_eq!(known.hears(response(9, &[2, 1])), News::default());
    assert_eq!(known.blocks_on(), Some(9));
}

#[test]
fn an_answer_behind_an_earlier_one_or_without_a_usable_entry_is_doubtful() {
    let doubtful = |news: News| news.answer.expect("news").doubtful;
    let mut known = Known::default();
    assert!(!doubtful(known.hears(response(32, &[1]))));
    // Consul is lost, and comes back without data.
    known.forget_index();
    assert!(doubtful(known.hears(response(12, &[]))));
    assert!(!doubtful(known.hears(response(13, &[1]))));
    assert!(doubtful(known.hears(response(14, &[0]))), "no port");
}

#[test]
fn an_index_that_goes_back_is_asked_again_before_it_is_believed() {
    let mut known = Known::default();
    known.hears(response(32, &[1]));
    assert_eq!(known.hears(response(12, &[])), News::default());
    assert_eq!(known.blocks_on(), None);
    assert_eq!(ports(known.hears(response(12, &[]))), [] as [u16; 0]);
    assert_eq!(known.blocks_on(), Some(12));
}

#[test]
fn index_0_is_never_blocked_on() {
    let mut known = Known::default();
    assert_eq!(ports(known.hears(response(0, &[1]))), [1]);
    assert_eq!(known.blocks_on(), Some(1));
    assert_eq!(ports(known.hears(response(0, &[2]))), [2]);
    assert_eq!(known.blocks_on(), Some(1));
}

#[test]
fn a_failure_keeps_what_is_known_and_forgets_the_index() {
    let mut known = Known::default();
    known.hears(response(7, &[1]));
    known.forget_index();
    assert_eq!(known.blocks_on(), None);
    assert_eq!(
        known.hears(response(3, &[1])),
        News::default(),
        "nothing was lost"
    );
    assert_eq!(known.blocks_on(), Some(3));
}

#[test]
fn half_an_answer_is_a_failure() {
    let mut known = Known::default();
    let mut half = response(7, &[1]);
    half.body = half.body[..20].to_vec().into();
    assert!(matches!(known.fails(half), Error::Answer { .. }));
}

#[test]
fn a_warning_stands_until_its_reason_is_gone() {
    let mut known = Known::default();
    assert_eq!(known.hears(response(1, &[0, 1])).warnings.len(), 1);
    assert_eq!(
        known.hears(response(2, &[0, 1, 2])).warnings.len(),
        0,
        "said once"
    );
    assert_eq!(known.hears(response(3, &[1])).warnings.len(), 0);
    assert_eq!(
        known.hears(response(4, &[0, 1])).warnings.len(),
        1,
        "said anew"
    );
}

#[test]
fn what_the_token_may_not_see_is_not_empty() {
    let hidden = |ports: &[u16]| Response {
        filtered: true,
        ..response(7, ports)
    };
    let mut known = Known::default();
    assert!(matches!(known.fails(hidden(&[])), Error::Denied { .. }));
    let news = known.hears(hidden(&[1]));
    assert!(news.warnings[0].contains("service:read"));
    assert_eq!(ports(news), [1]);
}
