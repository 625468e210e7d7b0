//! What Envoys of another version are served.

use serde_json::json;

use super::*;
use crate::cohort::Cohort;
use crate::model::key::Key;
use crate::model::vars::Vars;
use crate::snapshot::ResourceType::{Cluster as Clusters, Listener, RouteConfiguration};

fn envoy(minor: u32) -> Cohort {
    Cohort::envoy((1, minor, 0), None).unwrap()
}

fn builder(minor: u32) -> Builder {
    let mut builder = Builder::new(&id("default"), Some(envoy(minor)));
    builder.handle_gateway(Some(gateway()), &Instances::new());
    builder
}

fn with_plugins(name: &str, plugins: &serde_json::Value) -> Arc<Route> {
    let key: Key = format!("routes/{name}").parse().unwrap();
    let plugins = Plugins::read(&key, Some(plugins), &mut Vec::new()).unwrap();
    let plain = route(name, nodes(1));
    Arc::new(Route {
        plugins,
        ..(*plain).clone()
    })
}

fn with_grpc_web(name: &str) -> Arc<Route> {
    with_plugins(name, &json!({"grpc-web": {}}))
}

fn with_vars(name: &str, vars: &serde_json::Value) -> Arc<Route> {
    let vars = Vars::read(vars, &mut Vec::new());
    let plain = route(name, nodes(1));
    Arc::new(Route {
        vars: vars.unwrap().map(Arc::new),
        ..(*plain).clone()
    })
}

fn put(builder: &mut Builder, route: &Arc<Route>) -> Arc<Snapshot> {
    builder.handle_route(&route.id, Some(route.clone()), &Instances::new());
    next(builder)
}

fn next(builder: &mut Builder) -> Arc<Snapshot> {
    let inputs = Inputs {
        revision: 1,
        instances: &Instances::new(),
        drains: &Drains::default(),
    };
    builder.next(&inputs, None);
    Arc::new(builder.current().clone())
}

fn served(builder: &Builder) -> Vec<String> {
    let mut served: Vec<_> = builder.routes().map(|route| route.id.to_string()).collect();
    served.sort();
    served
}

fn unable(builder: &Builder) -> Vec<String> {
    let unable = builder.unable();
    unable.map(|(id, said)| format!("{id}: {said}")).collect()
}

#[test]
fn a_cohort_that_comes_back_goes_on_after_the_snapshots_that_its_streams_may_have() {
    let (instances, drains) = (Instances::new(), Drains::default());
    let mut cohorts = Cohorts::new(&id("default"), &Arc::default());
    cohorts.handle_gateway(Some(&gateway()), &instances);
    let put = |cohorts: &mut Cohorts, name: &str| {
        let route = route(name, nodes(1));
        cohorts.handle_route(&route.id, Some(&route), &instances);
        let inputs = Inputs {
            revision: 1,
            instances: &instances,
            drains: &drains,
        };
        let mut next = cohorts.next(&inputs).into_iter();
        let of_old = next.find(|(snapshot, _)| snapshot.cohort == Some(envoy(38)));
        of_old.map(|(snapshot, _)| snapshot)
    };
    cohorts.handle_came(&envoy(40), &"new".into(), &instances);
    cohorts.handle_came(&envoy(38), &"old".into(), &instances);
    for name in ["a", "b"] {
        put(&mut cohorts, name);
    }
    let before = put(&mut cohorts, "c").unwrap();
    // One connects, is sent this, and then it is heard that the last one is gone, and that it came.
    cohorts.handle_left(&envoy(38), "old");
    cohorts.handle_came(&envoy(38), &"again".into(), &instances);
    let after = put(&mut cohorts, "d").unwrap();
    assert!(after.sequence > before.sequence, "streams count on it");
    let since = after.changed_since(before.sequence, Clusters);
    assert!(since.is_none(), "another builder's: all is compared");
}

#[test]
fn what_an_envoy_cannot_do_is_not_served_and_said() {
    let mut old = builder(38);
    put(&mut old, &route("plain", nodes(1)));
    let snapshot = put(&mut old, &with_grpc_web("web"));
    assert_eq!(served(&old), ["plain"]);
    assert_eq!(
        unable(&old),
        [
            "web: plugins.grpc-web: needs Envoy 1.39 or newer: in older ones a route cannot have a filter of its own"
        ]
    );
    // Nobody needs where its requests would go.
    assert!(snapshot.set(Clusters).find("route/web").is_none());

    let mut new = builder(39);
    put(&mut new, &with_grpc_web("web"));
    assert_eq!(served(&new), ["web"]);
    assert!(unable(&new).is_empty());
}

#[test]
fn a_route_that_asks_for_cookies_never_becomes_one_for_everybody() {
    let cookie = json!([["cookie_user", "==", "anna"]]);
    let mut old = builder(36);
    put(&mut old, &with_vars("a", &cookie));
    assert!(served(&old).is_empty());
    let mut new = builder(37);
    put(&mut new, &with_vars("a", &cookie));
    assert_eq!(served(&new), ["a"]);
}

#[test]
fn nobody_passes_an_old_envoy_by_repeating_a_header() {
    for (vars, is_served) in [
        (json!([["http_x_user", "==", "anna"]]), true),
        (json!([["http_x_user", "==", "anna,bert"]]), false),
        (json!([["http_x_user", "~=", "anna"]]), false),
        (json!([["http_x_user", "~~", "an.*a"]]), false),
        // These come once.
        (json!([["host", "==", "a.test"]]), true),
        (json!([["request_method", "~=", "GET"]]), true),
    ] {
        let mut old = builder(38);
        put(&mut old, &with_vars("a", &vars));
        assert_eq!(!served(&old).is_empty(), is_served, "{vars}");
        let mut new = builder(39);
        put(&mut new, &with_vars("a", &vars));
        assert_eq!(served(&new), ["a"]);
    }
}

#[test]
fn no_earlier_form_stays_and_a_later_one_is_served() {
    let mut old = builder(38);
    put(&mut old, &route("a", nodes(1)));
    let without = put(&mut old, &with_grpc_web("a"));
    assert!(served(&old).is_empty());
    assert!(without.set(Clusters).find("route/a").is_none());
    put(&mut old, &route("a", nodes(1)));
    assert_eq!(served(&old), ["a"]);
    assert!(unable(&old).is_empty());
    // Nor is anything said of a document that is gone.
    put(&mut old, &with_grpc_web("a"));
    old.handle_route(&id("a"), None, &Instances::new());
    assert!(unable(&old).is_empty());
}

#[test]
fn an_envoy_without_places_has_a_listener_that_routes_do_not_touch() {
    let mut old = builder(38);
    let before = put(&mut old, &route("a", nodes(1)));
    let after = put(&mut old, &with_grpc_web("b"));
    let listener = |snapshot: &Snapshot| {
        let found = snapshot.set(Listener).find("default/http");
        found.map(|resource| resource.version)
    };
    assert!(listener(&before).is_some());
    assert_eq!(listener(&before), listener(&after));
    let table = |snapshot: &Snapshot| snapshot.set(RouteConfiguration).version();
    assert_eq!(table(&before), table(&after));
}

#[test]
fn what_one_cohort_cannot_serve_another_one_gets() {
    let mut old = builder(38);
    put(&mut old, &with_grpc_web("a"));
    let mut new = old.fork(&id("default"), envoy(40), 0, &Instances::new());
    next(&mut new);
    assert_eq!(served(&new), ["a"]);
}

#[test]
fn a_client_that_may_be_anything_takes_no_document_out_of_force() {
    let mut cohorts = Cohorts::new(&id("default"), &Arc::default());
    let instances = Instances::new();
    cohorts.handle_gateway(Some(&gateway()), &instances);
    let web = with_grpc_web("a");
    cohorts.handle_route(&id("a"), Some(&web), &instances);
    cohorts.handle_came(&Cohort::foreign("grpcurl"), &"g".into(), &instances);
    assert_eq!(cohorts.unable().count(), 0);
    cohorts.handle_came(&envoy(38), &"e".into(), &instances);
    let said: Vec<_> = cohorts.unable().map(|(_, said)| said).collect();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("not served in gateway default by envoy 1.38.0: plugins.grpc-web: "),
        "{said:?}"
    );
}
