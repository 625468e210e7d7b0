//! Metadata of plugins: what goes by it is made anew when it changes, and nothing else is.

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::{Struct, value::Kind};
use prost::Message;

use super::texts::{deleted, no_documents, put};
use super::told;
use crate::documents::{Changes, Documents};

const OWN: &str = r#"{"uri":"/a","upstream":{"nodes":{"a:80":1}},"plugins":{"cors":{
    "allow_origins":"https://own.com","allow_origins_by_metadata":["shop","none"]}}}"#;
const BY_PATTERN: &str = r#"{"uri":"/a","upstream":{"nodes":{"a:80":1}},"plugins":{"cors":{
    "allow_origins_by_regex":["own"],"allow_origins_by_metadata":["shop"]}}}"#;
const OTHER: &str = r#"{"uri":"/b","upstream":{"nodes":{"a:80":1}},"plugins":{"cors":{}}}"#;
const OF_SERVICE: &str = r#"{"uri":"/c","service_id":"s"}"#;
const SERVICE: &str = r#"{"upstream":{"nodes":{"a:80":1}},"plugins":{"cors":{
    "allow_origins":"null","allow_origins_by_metadata":["shop"]}}}"#;
const METADATA: &str =
    r#"{"allow_origins":{"shop":"https://a.com,https://b.com","other":"https://c.com"}}"#;

/// The origins that a route of the changes allows.
fn origins(changes: &Changes, id: &str) -> Vec<String> {
    let mut routes = changes.routes.iter();
    let (_, route) = routes.find(|(of, _)| of.as_str() == id).unwrap();
    let plugins = &route.as_ref().unwrap().plugins;
    let made = plugins.apply(Route::default(), |_| RouteAction::default());
    let made = made.last().unwrap();
    let own = made.typed_per_filter_config["chancery.cors"].value.clone();
    let script = LuaPerRoute::decode(own.as_slice()).unwrap();
    let Struct { fields } = script.filter_context.unwrap();
    match fields["origins"].kind.clone().unwrap() {
        Kind::StructValue(of) => {
            let mut origins: Vec<_> = of.fields.into_keys().collect();
            origins.sort();
            origins
        }
        Kind::StringValue(text) => vec![text],
        other => panic!("{other:?}"),
    }
}

fn settled(documents: &mut Documents) -> Changes {
    let changes = documents.settle();
    assert!(changes.problems.is_empty(), "{:?}", changes.problems);
    changes
}

#[test]
fn origins_come_and_go_with_the_metadata() {
    let mut documents = no_documents();
    for (path, text) in [
        ("routes/a", OWN),
        ("routes/b", OTHER),
        ("routes/c", OF_SERVICE),
        ("services/s", SERVICE),
    ] {
        documents.apply(put(path, text));
    }
    let first = settled(&mut documents);
    assert_eq!(origins(&first, "a"), ["https://own.com"]);
    assert_eq!(origins(&first, "c"), ["null"]);
    documents.apply(put("plugin_metadata/cors", METADATA));
    let with = settled(&mut documents);
    assert_eq!(told(&with), "+routes/a to route/a, +routes/c to service/s");
    let all = ["https://a.com", "https://b.com", "https://own.com"];
    assert_eq!(origins(&with, "a"), all);
    assert_eq!(
        origins(&with, "c"),
        ["https://a.com", "https://b.com", "null"]
    );
    documents.apply(put(
        "plugin_metadata/cors",
        r#"{"allow_origins":{"shop":"https://d.com"}}"#,
    ));
    let other = settled(&mut documents);
    assert_eq!(origins(&other, "a"), ["https://d.com", "https://own.com"]);
    // Of a bad text the form before stays.
    documents.apply(put(
        "plugin_metadata/cors",
        r#"{"allow_origins":{"shop":"d.com"}}"#,
    ));
    let bad = documents.settle();
    assert!(bad.routes.is_empty() && bad.problems.len() == 1, "{bad:?}");
    documents.apply(deleted("plugin_metadata/cors"));
    let without = settled(&mut documents);
    assert_eq!(origins(&without, "a"), ["https://own.com"]);
    documents.apply(put("routes/a", BY_PATTERN));
    documents.apply(put("plugin_metadata/cors", METADATA));
    let by_pattern = settled(&mut documents);
    assert_eq!(
        origins(&by_pattern, "a"),
        ["https://a.com", "https://b.com"]
    );
}

#[test]
fn what_is_wrong_with_metadata_touches_no_route() {
    let mut documents = no_documents();
    documents.apply(put("routes/b", OTHER));
    documents.settle();
    documents.apply(put("plugin_metadata/rocketmq-logger", "{}"));
    let changes = documents.settle();
    assert!(changes.routes.is_empty());
    let said = changes.problems[0].to_string();
    assert!(
        said.starts_with(
            "/chancery/plugin_metadata/rocketmq-logger: is the metadata of a plugin that has none here"
        ),
        "{said}"
    );
}
