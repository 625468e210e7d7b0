//! An answer of Envoy's own, for one reason, that a route has other words for: another status, which no configuration of Envoy's
//! takes from a route, and a body and headers. A listener says in a header which answer it is, and a script does the rest.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::google::protobuf::Struct;
use serde_json::{Map, Value, json};

use super::header::Checked;
use super::script;
use crate::envoy::proto::structure;

/// Where the metadata of a route says for which reasons it has other words.
pub const METADATA: &str = "chancery.instead";

/// The reason of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Its name in the metadata.
    pub name: &'static str,
    /// The header that the listener gives the answer.
    pub header: &'static str,
    /// The filter of the script.
    pub filter: &'static str,
}

/// No instance may be asked.
pub const BROKEN: Reason = Reason {
    name: "broken",
    header: "x-chancery-broken",
    filter: "chancery.api-breaker.answer",
};
/// The service that is asked whether a request may pass says nothing.
pub const UNDECIDED: Reason = Reason {
    name: "undecided",
    header: "x-chancery-undecided",
    filter: "chancery.forward-auth.answer",
};

impl Reason {
    pub fn filter(self) -> HttpFilter {
        script::discovered(self.filter)
    }

    /// Gives a route this status for it, and this body with these headers. A route's own words win over a global rule's.
    pub fn answer(self, route: &mut Route, status: u32, body: Option<&str>, headers: &Checked) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| json!({"name": name, "value": value}));
        let told = [
            ("reason", json!(self.header)),
            ("status", json!(status.to_string())),
            ("headers", headers.collect()),
        ];
        let body = body.map(|body| ("body", json!(body)));
        let told = told.into_iter().chain(body);
        let told: Map<String, Value> = told.map(|(name, value)| (name.to_owned(), value)).collect();
        script::enable(route, self.filter, &told);
        let metadata = route.metadata.get_or_insert_with(Metadata::default);
        let reasons = metadata.filter_metadata.entry(METADATA.to_owned());
        let none = || Struct {
            fields: HashMap::new(),
        };
        let this = Map::from_iter([(self.name.to_owned(), json!(true))]);
        reasons
            .or_insert_with(none)
            .fields
            .extend(structure(&this).fields);
    }
}
