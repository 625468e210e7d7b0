//! Routes and requests at random: few hosts, paths, headers and arguments, so that they meet.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::{ASKED, HOSTS, PATHS, request, route};
use crate::documents::{Documents, Route};
use crate::model::document::{Change, Format};
use crate::model::{Document, Request};

/// The route of a document.
pub fn read(name: &str, document: &serde_json::Value) -> Result<Route, String> {
    let mut documents = Documents::new(Vec::new());
    documents.apply(Change::Put(Document {
        path: format!("routes/{name}").into(),
        source: "it".into(),
        format: Format::Json,
        value: document.to_string().into(),
        revision: 1,
    }));
    let changes = documents.settle();
    match changes.problems.first() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(Route::clone(changes.routes[0].1.as_ref().unwrap())),
    }
}

/// A condition, of which Envoy may not have every one.
fn any_condition() -> impl Strategy<Value = serde_json::Value> {
    const NAMES: [&str; 11] = [
        "arg_a",
        "arg_b",
        "http_x_a",
        "http_x_b",
        "cookie_a",
        "request_method",
        "uri",
        "host",
        "scheme",
        "remote_addr",
        "server_port",
    ];
    const TEXTS: [&str; 11] = [
        "", "1", "ab", "a", "GET", "/a", "/a/b", "a.test", "http", "10.0.0.1", "9080",
    ];
    let text = || select(&TEXTS[..]).prop_map(|text| json!(text));
    let test = prop_oneof![
        4 => (select(&["==", "~="][..]), text()).prop_map(|(op, value)| (op, value)),
        1 => (select(&["==", "~="][..]), Just(json!(null))),
        2 => (select(&["==", "~=", ">", ">=", "<", "<="][..]), (-12..120i64).prop_map(|n| json!(n))),
        2 => (Just("in"), vec(text(), 1..4).prop_map(|texts| json!(texts))),
        2 => (select(&["~~", "~*"][..]), select(&["^a", "b$", "A", "[0-9]+", "^/a/.*b", "^$"][..]).prop_map(|p| json!(p))),
        1 => (Just("ipmatch"), vec(select(&RANGES[..]), 1..3).prop_map(|nets| json!(nets))),
        1 => (Just("has"), text()),
    ];
    (select(&NAMES[..]), any::<bool>(), test).prop_map(|(name, not, (operator, value))| {
        if not {
            json!([name, "!", operator, value])
        } else {
            json!([name, operator, value])
        }
    })
}

const RANGES: [&str; 6] = [
    "10.0.0.0/8",
    "10.0.0.1",
    "10.0.0.0/30",
    "0.0.0.0/0",
    "::1",
    "fd00::/8",
];

fn any_vars() -> impl Strategy<Value = serde_json::Value> {
    let joined = any_condition().prop_recursive(2, 6, 3, |inner| {
        let word = select(&["AND", "OR", "!AND", "!OR"][..]);
        (word, vec(inner, 2..4))
            .prop_map(|(word, parts)| json!([vec![json!(word)], parts].concat()))
    });
    prop_oneof![3 => Just(json!([])), 2 => vec(joined, 1..3).prop_map(|rules| json!(rules))]
}

pub fn any_route() -> impl Strategy<Value = Route> {
    let path = prop_oneof![
        2 => select(&PATHS[..]).prop_map(str::to_owned),
        2 => select(&PATHS[..]).prop_map(|path| format!("{path}*")),
        1 => select(&["/:x", "/a/:x", "/a/:x/b", "/a/:x/*", "/:x/b", "/:y/:x"][..]).prop_map(str::to_owned),
    ];
    let paths = btree_set(path, 1..4);
    let hosts = prop_oneof![2 => Just(vec![]), 3 => vec(select(&HOSTS[..]), 1..3)];
    let methods = btree_set(select(&["GET", "POST"][..]), 0..3);
    let addresses = prop_oneof![3 => Just(vec![]), 1 => vec(select(&RANGES[..]), 1..3)];
    let drawn = (
        0..8u8,
        hosts,
        paths,
        methods,
        0..3i32,
        addresses,
        any_vars(),
    );
    drawn.prop_filter_map(
        "Envoy does not have it",
        |(number, hosts, paths, methods, priority, addresses, vars)| {
            let name = format!("r{number}");
            let uris: Vec<_> = paths.into_iter().filter(|path| path.is_ascii()).collect();
            let document = json!({ "uris": uris, "vars": vars, "plugins": { "mocking": {} } });
            let read = read(&name, &document).ok()?;
            Some(Route {
                paths: read.paths,
                vars: read.vars,
                methods: methods.into_iter().map(str::to_owned).collect(),
                priority,
                addresses: addresses
                    .iter()
                    .map(|net| {
                        net.parse()
                            .or_else(|_| format!("{net}/32").parse())
                            .or_else(|_| format!("{net}/128").parse())
                            .unwrap()
                    })
                    .collect(),
                ..route(&name, &hosts, &[])
            })
        },
    )
}

pub fn any_request() -> impl Strategy<Value = Request> {
    let more = select(
        &[
            "",
            "/",
            "b",
            "/b",
            "?q=/a/b",
            "/b?q",
            "c",
            "x",
            "?a=1",
            "?a=ab&b=7",
            "?b=-3&a=x",
            "?a",
            "/b?b=100",
        ][..],
    );
    let headers = select(
        &[
            "",
            "x-a:1",
            "x-a:ab,x-a:1",
            "x-a:,x-b:17",
            "cookie:a=ab",
            "cookie:a=,x-b:a",
            "x-b:-5",
        ][..],
    );
    let addresses = select(
        &[
            "10.0.0.1",
            "10.0.0.2",
            "10.9.0.1",
            "192.168.0.1",
            "::1",
            "fd00::1",
            "2001:db8::1",
        ][..],
    );
    let line = (
        select(&ASKED[..]),
        select(&PATHS[..]),
        more,
        select(&["GET", "POST", "PUT"][..]),
    );
    (line, headers, addresses).prop_map(|((host, path, more, method), headers, address)| Request {
        headers: headers
            .split(',')
            .filter_map(|header| header.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        address: address.parse().unwrap(),
        ..request(method, host, &format!("{path}{more}"))
    })
}
