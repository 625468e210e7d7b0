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
    let (_, route) = changes.routes.last().expect("the route");
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
fn a_global_rule_holds_for_every_route_that_says_nothing_else() {
    let mut documents = no_documents();
    documents.apply(put("routes/r", ROUTE));
    documents.settle();
    assert!(answers(&mut documents, put("global_rules/all", MOCKING)));
    let own = ROUTE.replace(
        r#""uri""#,
        r#""plugins":{"mocking":{"_meta":{"disable":true}}},"uri""#,
    );
    assert!(!answers(&mut documents, put("routes/r", &own)));
    assert!(answers(&mut documents, put("routes/r", ROUTE)));
    assert!(!answers(&mut documents, deleted("global_rules/all")));
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
