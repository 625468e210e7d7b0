//! What lies in etcd: upstreams with static nodes, routes that each name one; and the changes that are measured.
//!
//! A change swaps one value for another of the same length, its marker: a stream has the change when it was sent the marker.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// How many upstreams there are.
pub const UPSTREAMS: usize = 500;
/// How many routes there are.
pub const ROUTES: usize = 1000;

/// Chancery's keys.
const PREFIX: &str = "/chancery";
/// Where the same documents are once more, for a Chancery that sends traces.
pub const TRACED: &str = "/traced";
/// The keys that the floor watches.
pub const FLOOR: &str = "/floor";

/// The change whose responses the floor learns; those that are measured come after it.
pub const LEARNED: usize = 0;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The path of a route.
    Route,
    /// A node of an upstream: an endpoint.
    Endpoint,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Route, Self::Endpoint];

    /// The word for it, in tables and in the floor's keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Endpoint => "endpoint",
        }
    }

    /// What a response to change `sequence` holds, and no response before.
    pub fn marker(self, sequence: usize) -> String {
        match self {
            Self::Route => format!("v{sequence:06}"),
            Self::Endpoint => {
                format!("10.200.{}.{}", 100 + sequence / 100, 100 + sequence % 100)
            }
        }
    }
}

/// One put.
#[derive(Debug, Serialize, Deserialize)]
pub struct Put {
    /// Where.
    pub key: String,
    /// The document.
    pub value: String,
    /// What a response to it holds.
    pub marker: String,
}

/// Every document before the first change, as keys and values.
pub fn all() -> impl Iterator<Item = (String, String)> {
    let upstreams = 0..UPSTREAMS;
    let upstreams = upstreams.map(|number| upstream(number, &address(100, number)));
    let routes: Range<usize> = 0..ROUTES;
    upstreams.chain(routes.map(|number| route(number, "initial")))
}

/// Change `sequence`, for Chancery.
pub fn change(kind: Kind, sequence: usize) -> Put {
    let marker = kind.marker(sequence);
    // A stride, so that consecutive changes do not touch neighbours.
    let (key, value) = match kind {
        Kind::Route => route(sequence * 7 % ROUTES, &marker),
        Kind::Endpoint => upstream(sequence * 7 % UPSTREAMS, &marker),
    };
    Put { key, value, marker }
}

/// The same change, for the floor.
pub fn floor_change(kind: Kind, sequence: usize) -> Put {
    let put = change(kind, sequence);
    let key = format!("{FLOOR}/{}/{}", kind.as_str(), put.marker);
    Put { key, ..put }
}

/// The same change, for a Chancery that sends traces.
pub fn traced_change(kind: Kind, sequence: usize) -> Put {
    let put = change(kind, sequence);
    let key = put.key.replacen(PREFIX, TRACED, 1);
    Put { key, ..put }
}

/// The same documents, for a Chancery that sends traces.
pub fn all_traced() -> impl Iterator<Item = (String, String)> {
    all().map(|(key, value)| (key.replacen(PREFIX, TRACED, 1), value))
}

fn route(number: usize, version: &str) -> (String, String) {
    let document = json!({
        "name": format!("route {number}"),
        "uri": format!("/api/r{number:04}/{version}/*"),
        "methods": ["GET", "POST"],
        "upstream_id": format!("u{:04}", number % UPSTREAMS),
        "status": 1,
    });
    let key = format!("{PREFIX}/routes/r{number:04}");
    (key, document.to_string())
}

fn upstream(number: usize, second: &str) -> (String, String) {
    let first = format!("{}:8080", address(1, number));
    let document = json!({
        "name": format!("upstream {number}"),
        "type": "roundrobin",
        "nodes": { first: 1, format!("{second}:8080"): 1 },
    });
    let key = format!("{PREFIX}/upstreams/u{number:04}");
    (key, document.to_string())
}

fn address(network: usize, number: usize) -> String {
    format!("10.{network}.{}.{}", 100 + number / 100, 100 + number % 100)
}
