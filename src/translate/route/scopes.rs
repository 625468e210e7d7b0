//! The scopes of a gateway whose route tables are divided: one for each cell of requests, which names its table, and one for
//! each table, which no request is in.
//!
//! Envoy answers 404 while a scope names a table that it does not have. So the scopes that no request is in come first, and
//! have their tables loaded before others name them.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{
    ScopedRouteConfiguration,
    scoped_route_configuration::{
        Key,
        key::{Fragment, fragment},
    },
};

use super::cell::{self, CELLS};
use super::division::Division;

/// A scope, and the table that it names.
pub type Scope = (ScopedRouteConfiguration, Arc<str>);

/// All of a gateway's scopes. They are named alike whatever the division.
pub(super) fn scopes(gateway: &str, division: &Division) -> Vec<Scope> {
    let scope = |key: String, table: Arc<str>| {
        let fragment = Fragment {
            r#type: Some(fragment::Type::StringKey(key.clone())),
        };
        let scope = ScopedRouteConfiguration {
            name: format!("{gateway}/{key}"),
            route_configuration_name: table.to_string(),
            key: Some(Key {
                fragments: vec![fragment],
            }),
            ..ScopedRouteConfiguration::default()
        };
        (scope, table)
    };
    let cells = (0..CELLS).map(|number| {
        let table = division.section(cell::of_number(number)).table(gateway);
        scope(number.to_string(), table.into())
    });
    // A single table is not held: it is as large as all together.
    let sections = division
        .sections()
        .into_iter()
        .filter(|_| !division.is_one());
    let held = sections.map(|section| {
        let table: Arc<str> = section.table(gateway).into();
        scope(format!("held/{table}"), table)
    });
    cells.chain(held).collect()
}
