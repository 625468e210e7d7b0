//! `file-logger`: what a route's requests were, and what became of them, in a file on Envoy's machine.

mod format;

use std::sync::Arc;

use envoy_types::pb::envoy::config::accesslog::v3::{AccessLog, access_log::ConfigType};
use envoy_types::pb::envoy::config::core::v3::{
    SubstitutionFormatString, substitution_format_string,
};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::access_loggers::file::v3::{
    FileAccessLog, file_access_log::AccessLogFormat,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::condition::Condition;
use super::shared::metadata::Metadata;
use super::shared::router;
use crate::cohort::Ability;
use crate::envoy::any;
use crate::model::decode::{self, quoted};
use crate::model::log_format::Fields;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;
use format::Format;

pub(super) const ENTRY: Definition = Definition {
    name: "file-logger",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "",
            "a line for each attempt to send a request to an instance, none for requests that \
            Envoy answers by itself",
        ),
        (
            "path",
            "a whole path, and Envoy refuses the route when it cannot open the file",
        ),
        (
            "log_format",
            "variables as in the error that refuses another; without it no headers; an object of which a \
            request has nothing is left out",
        ),
    ],
    // Its place is that of a route's own router.
    http_filters: Vec::new,
};

/// A line in a file for each request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// The file's whole path on Envoy's machine.
    path: String,
    /// The fields of a line: texts, `$` and the name of a variable, or objects of such, at most five in each other.
    log_format: Option<Fields>,
    /// Which requests: one of these must hold; all by default.
    #[serde(default, rename = "match")]
    #[schemars(with = "Vec<Vec<Value>>")]
    matches: Vec<Value>,
    /// No other: Envoy writes no bodies.
    #[serde(default)]
    include_req_body: bool,
    /// No other: Envoy writes no bodies.
    #[serde(default)]
    include_resp_body: bool,
}

/// The field that says what a line has.
pub(super) const FORMAT: &str = "log_format";

const BODIES: &str = "Envoy writes no bodies to its logs";

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("include_req_body_expr", BODIES),
        ("include_resp_body_expr", BODIES),
    ];
}

#[derive(Debug, Clone)]
struct FileLogger {
    path: String,
    /// Nothing is that of the metadata, or else the usual one.
    format: Option<Arc<Format>>,
    condition: Arc<Condition>,
}

/// Refuses fields of the field `of` that no line can have.
pub(super) fn check_fields(
    of: &str,
    fields: &Fields,
    warnings: &mut Vec<Remark>,
) -> Result<(), Remark> {
    Format::read(of, fields, warnings).map(|_| ())
}

/// Refuses to log what no log of Envoy's has.
pub(super) fn check_bodies(request: bool, response: bool, why: &str) -> Result<(), Remark> {
    let bodies = [
        ("include_req_body", request),
        ("include_resp_body", response),
    ];
    match bodies.iter().find(|(_, included)| *included) {
        Some((field, _)) => {
            let message = format!("found true, allowed: false, as {why}");
            Err(Remark::new(*field, message))
        }
        None => Ok(()),
    }
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    check_bodies(form.include_req_body, form.include_resp_body, BODIES)?;
    let path = form.path;
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let message = format!(
            "found {}, allowed: a file's whole path on Envoy's machine",
            quoted(&path)
        );
        return Err(Remark::new("path", message));
    }
    let vars = form
        .matches
        .iter()
        .enumerate()
        .map(|(at, value)| (format!("match[{at}]"), value));
    let condition = Condition::any(&vars.collect::<Vec<_>>(), &mut reading.warnings)?;
    let message = "has a line for each attempt to send a request to an instance, and none for requests that Envoy answers \
                   by itself; those are in `access_log` of the gateway";
    reading.warnings.push(Remark::whole(message));
    let format = match form.log_format {
        Some(fields) => Some(Format::read(FORMAT, &fields, &mut reading.warnings)?),
        None => {
            let fields = format!(
                "is missing: lines have {}, and no headers, unless `plugin_metadata/file-logger` says what they have",
                Format::NAMES
            );
            reading.warnings.push(Remark::new("log_format", fields));
            None
        }
    };
    Ok(Arc::new(FileLogger {
        path,
        format: format.map(Arc::new),
        condition: Arc::new(condition),
    }))
}

impl FileLogger {
    fn log(&self, route: &mut Route) {
        let format = SubstitutionFormatString {
            // A variable that a request does not have is no field of its line.
            omit_empty_values: true,
            format: Some(substitution_format_string::Format::JsonFormat(
                match &self.format {
                    Some(format) => format.of(route),
                    None => Format::default().of(route),
                },
            )),
            ..SubstitutionFormatString::default()
        };
        let file = FileAccessLog {
            path: self.path.clone(),
            access_log_format: Some(AccessLogFormat::LogFormat(format)),
        };
        let log = AccessLog {
            name: "envoy.access_loggers.file".to_owned(),
            filter: None,
            config_type: Some(ConfigType::TypedConfig(any(&file))),
        };
        router::log(route, log);
    }
}

impl Plugin for FileLogger {
    fn asks_for_metadata(&self) -> bool {
        self.format.is_none()
    }

    fn with_metadata(&self, metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        // Of no fields it is as without metadata, as in APISIX. Checked as the metadata was read.
        let fields = Some(&metadata.format).filter(|fields| !fields.is_empty())?;
        let format = Format::read(FORMAT, fields, &mut Vec::new()).ok()?;
        Some(Arc::new(Self {
            format: Some(Arc::new(format)),
            ..self.clone()
        }))
    }

    fn needs(&self) -> Vec<Ability> {
        let mut needs = self.condition.needs();
        needs.push(Ability::RouterInPlace);
        needs
    }

    fn field_of_paths(&self) -> Option<&'static str> {
        self.condition.asks_for_paths().then_some("match")
    }

    fn branch(&self, route: &Route, _: &[Arc<Cluster>]) -> Vec<Route> {
        let mut parts = self.condition.branches(route);
        parts.iter_mut().for_each(|part| self.log(part));
        parts
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        if self.condition.is_always() {
            self.log(route);
        }
    }
}

#[cfg(test)]
mod tests;
