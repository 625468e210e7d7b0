//! The fields of a line, as the command operators that Envoy has for them.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};

use crate::model::decode::shown;
use crate::model::log_format::{Field, Fields, LEVELS, levels};
use crate::model::problem::Remark;
use crate::plugin::shared::variable::{self, Piece};

/// A field that every line has.
const ROUTE: &str = "route_id";

/// Names and format strings, without that of the route.
#[derive(Debug)]
pub(super) struct Format(Fields);

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
                .map(|(name, value)| (name.to_owned(), Field::Text(value.to_owned())))
                .into(),
        )
    }
}

impl Format {
    /// Those of the default, for people.
    pub(super) const NAMES: &str =
        "client_ip, latency (in milliseconds), method, route_id, start_time, status, upstream, uri";

    /// The fields of the field `of`.
    pub(super) fn read(
        of: &str,
        fields: &Fields,
        warnings: &mut Vec<Remark>,
    ) -> Result<Self, Remark> {
        let deep = levels(fields);
        if deep > LEVELS {
            let message = format!("found {deep} objects in each other, allowed: at most {LEVELS}");
            return Err(Remark::new(of, message));
        }
        operators(of, fields, warnings).map(Self)
    }

    /// The object of a route's lines.
    pub(super) fn of(&self, route: &Route) -> Struct {
        let id = route.name.strip_prefix("route/").unwrap_or(&route.name);
        let mut line = object(&self.0);
        line.fields.insert(ROUTE.to_owned(), text(id));
        line
    }
}

/// The same with a command operator for each text.
fn operators(of: &str, fields: &Fields, warnings: &mut Vec<Remark>) -> Result<Fields, Remark> {
    let mut format = Fields::new();
    for (name, field) in fields {
        let place = format!("{of}.{}", shown(name));
        let field = match field {
            Field::Text(text) => Field::Text(of_text(&place, text, warnings)?),
            Field::Object(fields) => Field::Object(operators(&place, fields, warnings)?),
        };
        format.insert(name.clone(), field);
    }
    Ok(format)
}

/// As in APISIX, a text is a variable as a whole or not at all.
fn of_text(place: &str, text: &str, warnings: &mut Vec<Remark>) -> Result<String, Remark> {
    let Some(variable) = text.strip_prefix('$') else {
        return Ok(variable::literal(text));
    };
    if let Some(said) = variable::warning(&[Piece::Variable(variable)]) {
        warnings.push(Remark::new(place, said));
    }
    operator(variable).map_err(|said| Remark::new(place, said))
}

fn object(fields: &Fields) -> Struct {
    let value = |field: &Field| match field {
        Field::Text(operator) => text(operator),
        Field::Object(fields) => Value {
            kind: Some(Kind::StructValue(object(fields))),
        },
    };
    let fields = fields
        .iter()
        .map(|(name, field)| (name.clone(), value(field)));
    Struct {
        fields: fields.collect(),
    }
}

fn text(text: &str) -> Value {
    let kind = Some(Kind::StringValue(text.to_owned()));
    Value { kind }
}

fn operator(name: &str) -> Result<String, String> {
    match OF_ANSWERS.iter().find(|(other, _)| *other == name) {
        Some((_, operator)) => Ok((*operator).to_owned()),
        None => variable::operator(name)
            .map_err(|said| format!("{said}, $status, $time_iso8601, $upstream_addr")),
    }
}
