//! Routes and requests at random: few hosts, paths, headers and arguments, so that they meet.

use std::net::IpAddr;

use chancery::model::Request;
use serde_json::{Value, json};

/// Draws; the same seed draws the same.
pub struct Draw(u64);

const HOSTS: [&str; 6] = [
    "a.test",
    "b.a.test",
    "*.test",
    "*.a.test",
    "*.b.a.test",
    "other.test",
];
const PATHS: [&str; 16] = [
    "/*", "/", "/a", "/a*", "/a/*", "/ab", "/a/b", "/a/b*", "/a/b/*", "/a/b/c", "/:x", "/a/:x",
    "/a/:x/c", "/a/:x/*", "/:x/b", "/:x/:y/c",
];
const TEXTS: [&str; 12] = [
    "",
    "1",
    "7",
    "ab",
    "a",
    "x y",
    "GET",
    "/a",
    "/a/b",
    "a.test",
    "http",
    "127.0.0.1",
];
const RANGES: [&str; 7] = [
    "127.0.0.1",
    "127.0.0.0/8",
    "127.0.0.0/30",
    "127.8.0.0/16",
    "0.0.0.0/0",
    "::/0",
    "10.0.0.0/8",
];

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut drawn = self.0;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^ (drawn >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn some<T: Copy + PartialEq>(&mut self, choices: &[T], most: usize) -> Vec<T> {
        let mut some = Vec::new();
        for _ in 0..self.below(most) + 1 {
            let one = self.of(choices);
            if !some.contains(&one) {
                some.push(one);
            }
        }
        some
    }

    /// A document; it answers by itself, with its id in a header once that is added.
    pub fn route(&mut self) -> Value {
        let mut route = json!({ "uris": self.some(&PATHS, 3), "plugins": { "mocking": {} } });
        if !self.one_in(3) {
            route["hosts"] = json!(self.some(&HOSTS, 2));
        }
        if self.one_in(3) {
            route["methods"] = json!(self.some(&["GET", "POST", "PUT"], 2));
        }
        if self.one_in(3) {
            route["priority"] = json!(self.below(3));
        }
        if self.one_in(4) {
            route["remote_addrs"] = json!(self.some(&RANGES, 2));
        }
        if self.one_in(12) {
            route["status"] = json!(0);
        }
        if self.one_in(2) {
            let rules = (0..self.below(2) + 1).map(|_| self.rule(2));
            route["vars"] = rules.collect();
        }
        route
    }

    fn rule(&mut self, depth: usize) -> Value {
        if depth == 0 || !self.one_in(3) {
            return self.condition();
        }
        let word = self.of(&["AND", "OR", "!AND", "!OR", "and"]);
        let mut rules = vec![json!(word)];
        rules.extend((0..self.below(2) + 2).map(|_| self.rule(depth - 1)));
        json!(rules)
    }

    fn condition(&mut self) -> Value {
        let variable = self.of(&[
            "arg_a",
            "arg_b",
            "arg_n",
            "http_x_a",
            "http_x_n",
            "http_host",
            "cookie_a",
            "cookie_n",
            "request_method",
            "uri",
            "host",
            "scheme",
            "remote_addr",
            "server_port",
        ]);
        let (operator, value) = match self.below(10) {
            0..=2 => (self.of(&["==", "~="]), json!(self.of(&TEXTS))),
            3 => (self.of(&["==", "~="]), Value::Null),
            4 | 5 => {
                let number = self.below(140) as i64 - 20;
                let number = if variable == "server_port" {
                    number + 9000
                } else {
                    number
                };
                (self.of(&["==", "~=", ">", ">=", "<", "<="]), json!(number))
            }
            6 => ("in", json!(self.some(&TEXTS, 4))),
            7 => (
                self.of(&["~~", "~*"]),
                json!(self.of(&["^a", "b$", "A", "[0-9]+", "^/a/.*b", "^$", "/b"])),
            ),
            8 => ("ipmatch", json!(self.some(&RANGES, 3))),
            _ => (self.of(&["has", "in"]), json!(["1", "ab"])),
        };
        if self.one_in(4) {
            json!([variable, "!", operator, value])
        } else {
            json!([variable, operator, value])
        }
    }

    pub fn request(&mut self, port: u16, addresses: &[IpAddr]) -> Request {
        let host = self.of(&[
            "a.test",
            "b.a.test",
            "c.b.a.test",
            "x.test",
            "other.test",
            "other",
            "A.test",
            "B.a.Test",
            "X.B.A.TEST",
            "a.testing",
        ]);
        let value = [
            "1", "7", "-3", "", "ab", "a", "x%20y", "100", "007", "1.5", "Ab",
        ];
        let mut query = Vec::new();
        let mut headers = Vec::new();
        for _ in 0..self.below(3) {
            let name = self.of(&["a", "b", "n"]);
            query.push(if self.one_in(6) {
                name.to_owned()
            } else {
                format!("{name}={}", self.of(&value))
            });
        }
        for _ in 0..self.below(3) {
            headers.push((
                self.of(&["x-a", "x-n"]).to_owned(),
                self.of(&value).to_owned(),
            ));
        }
        if self.one_in(3) {
            let cookies = self.some(&["a=1", "a=ab", "a=\"7\"", "n=12", "n=-1", "n=x", "a="], 2);
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        // What a client says of its address is nothing to go by.
        if self.one_in(4) {
            let name = self.of(&["x-envoy-external-address", "x-forwarded-for"]);
            headers.push((name.to_owned(), "10.0.0.1".to_owned()));
        }
        Request {
            method: self.of(&["GET", "POST", "PUT"]).to_owned(),
            scheme: "http".to_owned(),
            authority: match self.below(6) {
                0 | 1 => format!("{host}:{port}"),
                // One that the client sees, and no listener does.
                2 => format!("{host}:31337"),
                _ => host.to_owned(),
            },
            path: self
                .of(&[
                    "/", "/a", "/a/", "/ab", "/abc", "/a/b", "/a/b/", "/a/b/c", "/a/bc", "/a/x/c",
                    "/x", "/x/b", "/x/y/c", "/a/b/c/d", "/a%20b",
                ])
                .to_owned(),
            query: query.join("&"),
            headers,
            address: self.of(addresses),
            port,
        }
    }
}
