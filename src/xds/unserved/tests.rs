//! What a client hears of types that nobody serves.

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use prost::Message;

use super::super::request::{DeltaRequest, Message as _};
use super::*;

const RUNTIME: &str = "type.googleapis.com/envoy.service.runtime.v3.Runtime";

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn delta(nonce: &str, subscribe: &[&str]) -> Request<String> {
    let request = DeltaDiscoveryRequest {
        type_url: RUNTIME.to_owned(),
        response_nonce: nonce.to_owned(),
        resource_names_subscribe: strings(subscribe),
        ..Default::default()
    };
    let request = DeltaRequest::read(request.encode_to_vec().into());
    request.unwrap().into()
}

fn sotw(nonce: &str, names: &[&str]) -> Request<String> {
    Request::from(DiscoveryRequest {
        type_url: RUNTIME.to_owned(),
        response_nonce: nonce.to_owned(),
        resource_names: strings(names),
        ..Default::default()
    })
}

fn message<M: Message + Default>(pieces: Vec<Bytes>) -> M {
    let frame = pieces.concat();
    M::decode(&frame[5..]).unwrap()
}

fn next_delta(unserved: &mut Unserved) -> DeltaDiscoveryResponse {
    message(unserved.poll_response().expect("a response"))
}

#[test]
fn delta_is_told_by_name_and_an_ack_is_not_answered() {
    let mut unserved = Unserved::default();
    assert_eq!(unserved.handle(delta("", &["b", "a"]), 9), Ok(Heard::First));
    let response = next_delta(&mut unserved);
    assert_eq!(response.type_url, RUNTIME);
    assert_eq!(response.removed_resources, ["a", "b"]);
    assert!(response.resources.is_empty() && !response.nonce.is_empty());
    let ack = delta(&response.nonce, &[]);
    assert_eq!(unserved.handle(ack, 9), Ok(Heard::Answer));
    assert!(unserved.poll_response().is_none());
    // Further names are news, also beside an answer that came before.
    let more = delta(&response.nonce, &["c"]);
    assert_eq!(unserved.handle(more, 9), Ok(Heard::Wish));
    assert_eq!(next_delta(&mut unserved).removed_resources, ["c"]);
}

#[test]
fn delta_that_wants_everything_is_told_that_there_is_nothing() {
    for names in [[].as_slice(), &["*"]] {
        let mut unserved = Unserved::default();
        unserved.handle(delta("", names), 9).unwrap();
        let response = next_delta(&mut unserved);
        assert!(response.removed_resources.is_empty());
    }
}

#[test]
fn sotw_gets_an_empty_state_once_for_what_it_wants() {
    let mut unserved = Unserved::default();
    unserved.handle(sotw("", &["a", "b"]), 9).unwrap();
    let response: DiscoveryResponse = message(unserved.poll_response().unwrap());
    assert_eq!(response.type_url, RUNTIME);
    assert!(response.resources.is_empty());
    assert!(!response.version_info.is_empty() && !response.nonce.is_empty());
    // Envoy refuses an answer without the layer that it asked for: a refusal is no news either.
    let same = sotw(&response.nonce, &["b", "a"]);
    assert_eq!(unserved.handle(same, 9), Ok(Heard::Answer));
    assert!(unserved.poll_response().is_none());
    let late = sotw("of long ago", &["c"]);
    assert_eq!(unserved.handle(late, 9), Ok(Heard::Wish));
    assert!(unserved.poll_response().is_none());
    let other = sotw(&response.nonce, &["c"]);
    assert_eq!(unserved.handle(other, 9), Ok(Heard::Wish));
    assert!(unserved.poll_response().is_some());
}

#[test]
fn one_response_of_a_type_is_on_its_way_and_gathers_what_came_meanwhile() {
    let mut unserved = Unserved::default();
    unserved.handle(delta("", &["a"]), 9).unwrap();
    let response = next_delta(&mut unserved);
    unserved.handle(delta("", &["b"]), 9).unwrap();
    unserved.handle(delta("", &["c"]), 9).unwrap();
    assert!(unserved.poll_response().is_none());
    unserved.handle(delta(&response.nonce, &[]), 9).unwrap();
    assert_eq!(next_delta(&mut unserved).removed_resources, ["b", "c"]);
}

#[test]
fn types_and_names_are_bounded() {
    let of_type = |url: String| Request::<String> {
        resource_type: url,
        ..delta("", &["a"])
    };
    let mut unserved = Unserved::default();
    for number in 0..UNSERVED {
        unserved
            .handle(of_type(format!("type-{number}")), 9)
            .unwrap();
        assert!(unserved.poll_response().is_some());
    }
    let refusal = unserved.handle(delta("", &["a"]), 9).unwrap_err();
    assert_eq!(refusal, NotAdmitted::UnknownType(RUNTIME.into()));
    let again = unserved.handle(of_type("type-0".into()), 9);
    assert_eq!(again, Ok(Heard::Wish));

    let mut unserved = Unserved::default();
    unserved.handle(delta("", &["a", "b"]), 2).unwrap();
    let many = unserved.handle(delta("", &["c"]), 2);
    assert_eq!(many, Err(NotAdmitted::Names(2)));
    let long = unserved.handle(of_type("t".repeat(257)), 9);
    assert!(matches!(long, Err(NotAdmitted::UnknownType(_))));
    let none = unserved.handle(of_type(String::new()), 9);
    assert_eq!(none, Err(NotAdmitted::NoTypeUrl));
}
