//! What lies in etcd: as many routes as asked for, of one of three shapes, and those of them that are changed.
//!
//! A changed route answers by itself, with its *marker*: another of the same length after each change, so that a table in which
//! it is replaced is the table that Chancery would send.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::ops::Range;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

/// How many routes are changed beside those that are looked at, where there are many.
const BESIDE: usize = 16;

/// Which hosts the routes are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// All for any host
    None,
    /// Five of six for a host, five to each; the sixth for any
    Hosts,
    /// A sixth for wildcards, 50 to each; half for hosts, six to each; the rest for any
    Wildcards,
}

/// How a gateway's table is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As one
    One,
    /// As several
    Divided,
    /// As Chancery thinks best
    Auto,
}

impl Mode {
    /// The word for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Divided => "divided",
            Self::Auto => "auto",
        }
    }
}

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Wildcard,
    Host,
    Any,
}

/// So many routes of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Routes {
    pub shape: Shape,
    pub count: usize,
    pub mode: Option<Mode>,
}

/// A route that is changed: its number among the routes, and among those that are changed.
#[derive(Debug, Clone, Copy)]
pub struct Marked {
    pub at: usize,
    pub number: usize,
}

/// A request: its host and path.
pub type Target = (String, String);

impl Kind {
    /// The words for it, in the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Wildcard => "a wildcard's",
            Self::Host => "a host's",
            Self::Any => "for any host",
        }
    }
}

impl Shape {
    /// The words for it, in the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hosts => "hosts",
            Self::Wildcards => "wildcards",
        }
    }
}

impl Routes {
    /// Which routes are of which kind.
    fn kinds(&self) -> Vec<(Kind, Range<usize>)> {
        let all = self.count;
        let kinds = match self.shape {
            Shape::None => vec![(Kind::Any, 0..all)],
            Shape::Hosts => vec![(Kind::Host, 0..all * 5 / 6), (Kind::Any, all * 5 / 6..all)],
            Shape::Wildcards => vec![
                (Kind::Wildcard, 0..all / 6),
                (Kind::Host, all / 6..all * 2 / 3),
                (Kind::Any, all * 2 / 3..all),
            ],
        };
        kinds
            .into_iter()
            .filter(|(_, range)| !range.is_empty())
            .collect()
    }

    /// The routes whose changes are looked at, one of each kind.
    pub fn looked_at(&self) -> Vec<(Kind, Marked)> {
        let middle = |range: Range<usize>| range.start + range.len() / 2;
        let kinds = self.kinds().into_iter().enumerate();
        kinds
            .map(|(number, (kind, range))| {
                let at = middle(range);
                (kind, Marked { at, number })
            })
            .collect()
    }

    /// The routes that are changed beside those, from all parts of the table.
    pub fn beside(&self) -> Vec<Marked> {
        let looked_at = self.looked_at();
        let most = BESIDE.min(self.count / 4);
        let spread = (0..most).map(|n| (2 * n + 1) * self.count / (2 * most));
        let spread: BTreeSet<usize> = spread.collect();
        let free = |at: &usize| looked_at.iter().all(|(_, marked)| marked.at != *at);
        let spread = spread.into_iter().filter(free);
        let numbers = looked_at.len()..;
        spread
            .zip(numbers)
            .map(|(at, number)| Marked { at, number })
            .collect()
    }

    /// Every document before the first change, as keys and values.
    pub fn documents(&self, listener: SocketAddrV4, upstream: u16) -> Vec<(String, String)> {
        let mut gateway = json!({ "listeners": [{
            "name": "http", "address": listener.ip(), "port": listener.port(), "protocol": "http",
        }] });
        if let Some(mode) = self.mode {
            gateway["http"] = json!({ "route_tables": { "mode": mode } });
        }
        let mut documents = vec![(key("gateways/default"), gateway.to_string())];
        let nodes =
            json!({ format!("127.0.0.1:{upstream}"): 1, format!("127.0.0.2:{upstream}"): 1 });
        // One for all: how many connections Envoy has upstream is not what is compared.
        let upstream = json!({ "nodes": nodes });
        documents.push((key("upstreams/all"), upstream.to_string()));
        let mut marked = vec![None; self.count];
        for Marked { at, number } in self.changed() {
            marked[at] = Some(marker(number, 0));
        }
        let routes = marked.into_iter().enumerate();
        documents.extend(routes.map(|(at, answer)| self.put(at, answer)));
        documents
    }

    /// All routes that are changed.
    pub fn changed(&self) -> Vec<Marked> {
        let looked_at = self.looked_at().into_iter().map(|(_, marked)| marked);
        looked_at.chain(self.beside()).collect()
    }

    /// A change of a route, as a key and a value.
    pub fn change(&self, marked: Marked, value: u32) -> (String, String) {
        self.put(marked.at, Some(marker(marked.number, value)))
    }

    fn put(&self, at: usize, answer: Option<String>) -> (String, String) {
        let mut document = json!({
            "uri": match at % 3 {
                0 => format!("/api/service-{at}"),
                1 => format!("/api/service-{at}/*"),
                _ => format!("/{at}/items/*"),
            },
            "upstream_id": "all",
        });
        if let Some(host) = self.host(at) {
            document["host"] = Value::String(host);
        }
        if let Some(answer) = answer {
            document["plugins"] = json!({ "mocking": { "response_example": answer } });
        }
        (key(&format!("routes/r{at:05}")), document.to_string())
    }

    fn host(&self, at: usize) -> Option<String> {
        let kinds = self.kinds().into_iter();
        let (kind, range) = kinds.clone().find(|(_, range)| range.contains(&at))?;
        let within = at - range.start;
        match (kind, self.shape) {
            (Kind::Any, _) => None,
            (Kind::Wildcard, _) => Some(format!("*.wild-{}.example.com", within / 50)),
            (Kind::Host, Shape::Wildcards) => Some(format!("host-{}.example.com", within / 6)),
            (Kind::Host, _) => Some(format!("host-{}.example.com", within / 5)),
        }
    }

    /// A request for a route.
    pub fn target(&self, at: usize) -> Target {
        let host = self.host(at).map_or_else(
            || "elsewhere.example.org".to_owned(),
            |host| host.replace('*', "a"),
        );
        let path = match at % 3 {
            0 => format!("/api/service-{at}"),
            1 => format!("/api/service-{at}/x"),
            _ => format!("/{at}/items/x"),
        };
        (host, path)
    }

    /// Requests for so many routes that have an upstream, from all parts of the table.
    pub fn targets(&self, most: usize) -> Vec<Target> {
        let changed: BTreeSet<usize> = self.changed().iter().map(|marked| marked.at).collect();
        let others: Vec<usize> = (0..self.count).filter(|at| !changed.contains(at)).collect();
        let asked = most.min(others.len());
        let spread = (0..asked).map(|n| others[n * others.len() / asked]);
        spread.map(|at| self.target(at)).collect()
    }
}

/// What a changed route answers.
pub fn marker(number: usize, value: u32) -> String {
    format!("m{number:02}-{value:06}")
}

fn key(path: &str) -> String {
    format!("/chancery/{path}")
}
