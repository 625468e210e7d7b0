use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use serde_json::{Value, json};

use crate::documents::{Changes, Documents};
use crate::model::Document;
use crate::model::document::{Change, Format};

fn put(documents: &mut Documents, path: &str, value: Value) {
    documents.apply(Change::Put(Document {
        path: path.into(),
        source: path.into(),
        format: Format::Json,
        value: value.to_string().into(),
        revision: 1,
    }));
}

fn consumer(name: &str, plugins: Value) -> Value {
    json!({"username": name, "plugins": plugins})
}

/// Envoy's routes of the one document that changed.
fn routes(changes: &Changes) -> Vec<Route> {
    let [(_, Some(route))] = &changes.routes[..] else {
        panic!("not one route: {:?}", changes.routes);
    };
    let translated = Route {
        name: "route/r".to_owned(),
        ..Route::default()
    };
    route.plugins.apply(translated, |_| RouteAction::default())
}

fn filters(route: &Route) -> BTreeSet<&str> {
    route
        .typed_per_filter_config
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_consumer_with_plugins_has_a_route_before_that_of_the_others() {
    let mut documents = Documents::new(Vec::new());
    let upstream = json!({"nodes": {"10.0.0.1:80": 1}});
    let route = json!({"uri": "/a", "plugins": {"key-auth": {}}, "upstream": upstream});
    put(&mut documents, "routes/r", route);
    let open = json!({"uri": "/open", "upstream": upstream});
    put(&mut documents, "routes/open", open);
    documents.settle();
    let limit = json!({"limit-count": {"count": 1, "time_window": 1}});
    put(
        &mut documents,
        "consumer_groups/g",
        json!({"plugins": limit}),
    );
    let mut anne = consumer(
        "anne",
        json!({"consumer-restriction": {"type": "route_id", "blacklist": ["r"], "rejected_code": 451}}),
    );
    anne["group_id"] = json!("g");
    put(&mut documents, "consumers/anne", anne.clone());
    let changes = documents.settle();
    assert!(changes.problems.is_empty(), "{:?}", changes.problems);
    let [of_anne, of_others] = &routes(&changes)[..] else {
        panic!("{changes:?}");
    };
    let asked = |route: &Route| route.r#match.as_ref().map_or(0, |rule| rule.headers.len());
    assert_eq!((asked(of_anne), asked(of_others)), (1, 0));
    assert_eq!(filters(of_anne), filters(of_others));
    for filter in [
        "chancery.limit-count.keys",
        "chancery.consumer-restriction.answer",
    ] {
        let said = |route: &Route| route.typed_per_filter_config[filter].clone();
        assert_ne!(said(of_anne), said(of_others), "{filter}");
    }
    // A group that changes is the consumer's change.
    put(&mut documents, "consumer_groups/g", json!({"plugins": {}}));
    let [of_anne, _] = &routes(&documents.settle())[..] else {
        panic!("not two routes");
    };
    assert!(!filters(of_anne).contains("chancery.limit-count.keys"));
    put(
        &mut documents,
        "consumers/anne",
        consumer("anne", json!({})),
    );
    assert_eq!(routes(&documents.settle()).len(), 1);
    put(
        &mut documents,
        "consumers/anne",
        consumer("anne", json!({})),
    );
    assert!(documents.settle().routes.is_empty());
}

#[test]
fn who_is_one_too_many_is_left_out_whole() {
    let mut documents = Documents::new(Vec::new());
    let of = |name: &str| {
        consumer(
            name,
            json!({"key-auth": {"key": name}, "limit-count": {"count": 1, "time_window": 1}}),
        )
    };
    for number in 0..33 {
        let name = format!("c{number:02}");
        put(&mut documents, &format!("consumers/{name}"), of(&name));
    }
    let other = json!({"plugins": {"key-auth": {"key": "other"}}});
    put(&mut documents, "consumers/c32/credentials/one", other);
    let changes = documents.settle();
    let problems: Vec<&str> = changes.problems.iter().map(|one| &*one.source).collect();
    assert_eq!(problems, ["consumers/c32"]);
    let known: BTreeSet<Arc<str>> = changes.consumers.unwrap().keys.values().cloned().collect();
    assert_eq!(known.len(), 32);
    assert!(!known.iter().any(|found| found.starts_with("c32")));
    documents.apply(Change::Deleted {
        path: "consumers/c00".into(),
    });
    let changes = documents.settle();
    assert_eq!(changes.mended, [Arc::<str>::from("consumers/c32")]);
    assert_eq!(changes.consumers.unwrap().keys.len(), 33);
}
