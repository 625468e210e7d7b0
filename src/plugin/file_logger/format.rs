//! The fields of a line, as the command operators that Envoy has for them.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use crate::model::problem::Remark;
use crate::plugin::shared::variable::{self, Piece};

/// `log_format` as it is written.
pub(super) type Fields = BTreeMap<String, String>;

/// A field that every line has.
const ROUTE: &str = "route_id";

/// Names and format strings, without that of the route.
#[derive(Debug)]
pub(super) struct Format(BTreeMap<String, String>);

/// Variables of an answer, and of who gave it.
const OF_ANSWERS: &[(&str, &str)] = &[
    ("status", "%RESPONSE_CODE%"),
    ("time_iso8601", "%START_TIME%"),
    ("upstream_addr", "%UPSTREAM_HOST%"),
];

impl Default for Format {
    /// What APISIX writes, as far as Envoy knows it, by the same names.
    fn default() -> Self {
        let fields = [
            ("client_ip", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
            ("latency", "%DURATION%"),
            ("method", "%REQ(:METHOD)%"),
            ("start_time", "%START_TIME(%s%3f)%"),
            ("status", "%RESPONSE_CODE%"),
            ("upstream", "%UPSTREAM_HOST%"),
            ("uri", "%PATH(NQ)%"),
        ];
        Self(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }
}

impl Format {
    /// Those of the default, for people.
    pub(super) const NAMES: &str =
        "client_ip, latency (in milliseconds), method, route_id, start_time, status, upstream, uri";

    /// The texts of the field `of`.
    pub(super) fn read(
        of: &str,
        fields: &Fields,
        warnings: &mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let mut format = BTreeMap::new();
        for (name, text) in fields {
            let place = format!("{of}.{name}");
            // As in APISIX, a text is a variable as a whole or not at all.
            let value = match text.strip_prefix('$') {
                None => variable::literal(text),
                Some(variable) => {
                    if let Some(said) = variable::warning(&[Piece::Variable(variable)]) {
                        warnings.push(Remark::new(&place, said));
                    }
                    operator(variable).map_err(|said| Remark::new(&place, said))?
                }
            };
            format.insert(name.clone(), value);
        }
        Ok(Self(format))
    }

    /// The object of a route's lines.
    pub(super) fn of(&self, route: &Route) -> Struct {
        let id = route.name.strip_prefix("route/").unwrap_or(&route.name);
        let of_route = (ROUTE.to_owned(), id.to_owned());
        let own = self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        let text = |(name, value)| {
            let kind = Some(Kind::StringValue(value));
            (name, Value { kind })
        };
        Struct {
            fields: own.chain([of_route]).map(text).collect(),
        }
    }
}

fn operator(name: &str) -> Result<String, String> {
    match OF_ANSWERS.iter().find(|(other, _)| *other == name) {
        Some((_, operator)) => Ok((*operator).to_owned()),
        None => variable::operator(name)
            .map_err(|said| format!("{said}, $status, $time_iso8601, $upstream_addr")),
    }
}
