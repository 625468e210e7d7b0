//! The documents that plugins tell of: how large a route becomes by them.

use super::texts::{no_documents, put};

#[test]
fn a_route_that_is_told_in_each_of_its_places_is_bounded() {
    let route = |with_route: bool| {
        let uris = (0..500).map(|at| format!("/{}/{at}", "long".repeat(25)));
        let uris: Vec<String> = uris.collect();
        let plugins = serde_json::json!({
            "opa": { "host": "http://agent", "policy": "p", "with_route": with_route },
        });
        let upstream = serde_json::json!({ "nodes": { "a:80": 1 } });
        serde_json::json!({ "uris": uris, "plugins": plugins, "upstream": upstream }).to_string()
    };
    let mut documents = no_documents();
    documents.apply(put("routes/a", &route(false)));
    let problems = documents.settle().problems;
    assert!(problems.is_empty(), "{problems:?}");
    documents.apply(put("routes/a", &route(true)));
    let said = format!("{:?}", documents.settle().problems);
    let allowed = "bytes in Envoy (500 paths × 1 hosts × ";
    assert!(
        said.contains(allowed) && said.contains("allowed: at most 16777216"),
        "{said}"
    );
}
