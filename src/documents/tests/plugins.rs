//! Plugins that a route has from other documents.

use super::texts::{deleted, no_documents, put};
use super::{ROUTE, play, told};
use crate::documents::Documents;
use crate::model::document::Change;

const CONFIGURED: &str = r#"{"uri":"/a","plugin_config_id":"c","service_id":"s"}"#;
const SERVICE: &str = r#"{"upstream":{"nodes":{"a:80":1}},"plugins":{"mocking":{}}}"#;
const MOCKING: &str = r#"{"plugins":{"mocking":{"response_example":"answered"}}}"#;
const SWITCHED_OFF: &str = r#"{"plugins":{"mocking":{"_meta":{"disable":true}}}}"#;

/// Whether the route answers by itself, in the newest of what is told.
fn answers(documents: &mut Documents, change: Change) -> bool {
    documents.apply(change);
    let changes = documents.settle();
    let mut routes = changes.routes.iter();
    let (_, route) = routes
        .find(|(id, _)| id.as_str() == "r")
        .expect("the route");
    let in_force = route.as_ref().expect("in force");
    in_force.plugins.answers(&in_force.paths)
}

#[test]
fn a_plugin_config_comes_between_a_route_and_its_service() {
    let mut documents = no_documents();
    documents.apply(put("services/s", SERVICE));
    documents.apply(put("routes/r", CONFIGURED));
    let missing = "+gateways/default, bad /chancery/routes/r";
    assert_eq!(told(&documents.settle()), missing);
    assert!(answers(
        &mut documents,
        put("plugin_configs/c", r#"{"plugins":{}}"#)
    ));
    assert!(!answers(
        &mut documents,
        put("plugin_configs/c", SWITCHED_OFF)
    ));
}

#[test]
fn a_global_rule_holds_for_every_route_whatever_that_says() {
    let mut documents = no_documents();
    documents.apply(put("routes/r", ROUTE));
    documents.settle();
    assert!(answers(&mut documents, put("global_rules/all", MOCKING)));
    let own = ROUTE.replace(
        r#""uri""#,
        r#""plugins":{"mocking":{"_meta":{"disable":true}}},"uri""#,
    );
    assert!(answers(&mut documents, put("routes/r", &own)));
    assert!(!answers(&mut documents, deleted("global_rules/all")));
}

#[test]
fn of_two_global_rules_with_one_plugin_both_hold_or_it_is_told() {
    let of = |origin: &str, header: &str| {
        format!(
            r#"{{"plugins":{{"cors":{{"allow_origins":"{origin}"}},"response-rewrite":{{"headers":{{"set":{{"{header}":"1"}}}}}}}}}}"#
        )
    };
    play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (
            put("global_rules/1", &of("https://a.example", "x-one")),
            "+routes/r to route/r, +routes/chancery.no-route",
        ),
        (
            put("global_rules/2", &of("https://b.example", "x-two")),
            "+routes/r to route/r, +routes/chancery.no-route, bad /chancery/global_rules/2",
        ),
        // With the same settings, or after the first is gone, it is in force.
        (
            put("global_rules/1", &of("https://b.example", "x-one")),
            "+routes/r to route/r, +routes/chancery.no-route, mended /chancery/global_rules/2",
        ),
        (
            deleted("global_rules/1"),
            "+routes/r to route/r, +routes/chancery.no-route",
        ),
        (
            deleted("global_rules/2"),
            "+routes/r to route/r, -routes/chancery.no-route",
        ),
    ]);
}

#[test]
fn what_no_route_takes_has_the_plugins_of_global_rules_and_an_id_of_its_own() {
    let mut documents = no_documents();
    documents.apply(put("global_rules/all", MOCKING));
    let changes = documents.settle();
    let [(id, Some(route))] = changes.routes.as_slice() else {
        panic!("{changes:?}")
    };
    assert_eq!(id.as_str(), "chancery.no-route");
    assert!(route.plugins.answers(&route.paths) && route.cluster.is_none());
    assert_eq!(documents.behind(id), "global_rules/all");
    documents.apply(put("routes/chancery.no-route", ROUTE));
    let changes = documents.settle();
    assert!(changes.routes.is_empty(), "{changes:?}");
    assert!(changes.problems[0].to_string().contains("has the id of"));
}

#[test]
fn a_bad_global_rule_touches_no_route() {
    play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (
            put("global_rules/all", r#"{"plugins":{"no-such":{}}}"#),
            "bad /chancery/global_rules/all, wanted global_rules/all@1",
        ),
    ]);
}
