//! Answers that Envoy gives for a plugin, and where their bodies come from: a listener cannot know what a route configures,
//! so it takes the body from the route's metadata.

use std::collections::{BTreeSet, HashMap};

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{DataSource, Metadata};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

/// Where the metadata of a route holds the bodies of answers that Envoy gives, by their [`Reply::body`].
pub const BODIES: &str = "chancery.replies";

/// An answer of Envoy's own that has the body which the route names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What Envoy calls the reason of the answer, its response code details.
    pub details: String,
    /// The status, where it is not the one that Envoy gives.
    pub status: Option<u32>,
    /// The name of the body in the route's metadata, under [`BODIES`].
    pub body: String,
    /// The name there of what `WWW-Authenticate` says, if the answer has that header.
    pub challenge: Option<&'static str>,
}

/// Gives a route the body of an answer, or what else listeners take from it. What stands there already stays: it is of a plugin that goes first.
pub fn set_body(route: &mut Route, name: &str, body: &str) {
    let metadata = route.metadata.get_or_insert_with(Metadata::default);
    let bodies = metadata.filter_metadata.entry(BODIES.to_owned());
    let value = Value {
        kind: Some(Kind::StringValue(body.to_owned())),
    };
    let empty = || Struct {
        fields: HashMap::new(),
    };
    let fields = &mut bodies.or_insert_with(empty).fields;
    fields.entry(name.to_owned()).or_insert(value);
}

/// The names of the bodies that a route has.
pub fn bodies(route: &Route) -> BTreeSet<String> {
    let metadata = route.metadata.as_ref();
    let bodies = metadata.and_then(|metadata| metadata.filter_metadata.get(BODIES));
    bodies.map_or_else(BTreeSet::new, |bodies| {
        bodies.fields.keys().cloned().collect()
    })
}

/// Puts this in the place of all bodies but those, and of that of an error which the route itself answers with. Whether there was
/// any.
pub fn replace_bodies(route: &mut Route, but: &BTreeSet<String>, body: &str) -> bool {
    let new = &bodies(route) - but;
    if let Some(bodies) = route
        .metadata
        .as_mut()
        .and_then(|all| all.filter_metadata.get_mut(BODIES))
    {
        for (name, value) in &mut bodies.fields {
            if new.contains(name) {
                value.kind = Some(Kind::StringValue(body.to_owned()));
            }
        }
    }
    match &mut route.action {
        Some(Action::DirectResponse(answer)) if answer.status >= 400 => {
            answer.body = Some(DataSource {
                specifier: Some(Specifier::InlineString(body.to_owned())),
                ..DataSource::default()
            });
            answer.body_format = None;
            true
        }
        _ => !new.is_empty(),
    }
}

/// The body of that name, if the route has one.
pub fn body<'a>(route: &'a Route, name: &str) -> Option<&'a str> {
    let bodies = route.metadata.as_ref()?.filter_metadata.get(BODIES)?;
    match &bodies.fields.get(name)?.kind {
        Some(Kind::StringValue(body)) => Some(body),
        _ => None,
    }
}

/// Gives a body another name, unless there is one of that.
pub fn rename_body(route: &mut Route, from: &str, to: &str) {
    let Some(metadata) = &mut route.metadata else {
        return;
    };
    if let Some(bodies) = metadata.filter_metadata.get_mut(BODIES)
        && let Some(body) = bodies.fields.remove(from)
    {
        bodies.fields.entry(to.to_owned()).or_insert(body);
    }
}
