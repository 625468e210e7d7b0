//! What a gateway's Envoys write down of each request, and where. Nothing unless the document says so.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::decode::quoted;
use crate::model::problem::Remark;
use crate::model::scalar::{Seconds, Within};

/// A line of text for a person. Without the query, in which credentials may stand.
const LINE: &str = "[%START_TIME%] %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% \"%REQ(:METHOD)% %REQ(:AUTHORITY)% \
    %PATH(NQ)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %UPSTREAM_HOST% %ROUTE_NAME% %REQ(X-REQUEST-ID)%";

/// The same for a machine.
const FIELDS: &[(&str, &str)] = &[
    ("time", "%START_TIME%"),
    ("client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("method", "%REQ(:METHOD)%"),
    ("host", "%REQ(:AUTHORITY)%"),
    ("path", "%PATH(NQ)%"),
    ("protocol", "%PROTOCOL%"),
    ("status", "%RESPONSE_CODE%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration_ms", "%DURATION%"),
    ("instance", "%UPSTREAM_HOST%"),
    ("cluster", "%UPSTREAM_CLUSTER%"),
    ("route", "%ROUTE_NAME%"),
    ("request_id", "%REQ(X-REQUEST-ID)%"),
    ("user_agent", "%REQ(USER-AGENT)%"),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    pub target: Target,
    pub format: Format,
    /// Only answers of that status or a higher one.
    pub min_status: Option<u32>,
    /// Only requests that took that long or longer.
    pub min_duration: Option<Duration>,
}

/// Where a log is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Envoy's own standard output.
    Stdout,
    /// Envoy's own standard error.
    Stderr,
    /// A file on Envoy's machine.
    File(String),
}

/// What is written of a request, in Envoy's command operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A text, which ends in a newline.
    Line(String),
    /// A JSON object on a line of its own: names and values.
    Fields(BTreeMap<String, String>),
}

/// `access_log` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// A file on Envoy's machine; `/dev/stdout` and `/dev/stderr` are Envoy's own.
    path: Path,
    /// Lines of text or of JSON.
    #[serde(default)]
    format: FormatName,
    /// A line of text, in Envoy's command operators.
    line: Option<String>,
    /// The fields of a JSON object, in Envoy's command operators.
    fields: Option<BTreeMap<String, String>>,
    /// Only answers of that status or a higher one.
    min_status: Option<Within<100, 599>>,
    /// Only requests that took so many seconds or longer.
    min_duration: Option<Seconds>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Path(#[schemars(with = "String")] Target);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = text.starts_with('/') && !text.ends_with('/') && !text.contains('\0');
        match text.as_str() {
            "/dev/stdout" => Ok(Self(Target::Stdout)),
            "/dev/stderr" => Ok(Self(Target::Stderr)),
            _ if fits => Ok(Self(Target::File(text))),
            _ => Err(format!(
                "found {}, allowed: a file's whole path on Envoy's machine, /dev/stdout, /dev/stderr",
                quoted(&text)
            )),
        }
    }
}

impl Form {
    pub(super) fn checked(self) -> Result<AccessLog, Remark> {
        let misplaced = |field: &str, format: &str| {
            let message = format!("found, allowed: with `format: {format}` only");
            Err(Remark::new(field, message))
        };
        let format = match (self.format, self.line, self.fields) {
            (FormatName::Text, _, Some(_)) => return misplaced("fields", "json"),
            (FormatName::Json, Some(_), _) => return misplaced("line", "text"),
            (FormatName::Text, line, None) => Format::Line(text(line.as_deref())?),
            (FormatName::Json, None, fields) => Format::Fields(object(fields)?),
        };
        Ok(AccessLog {
            target: self.path.0,
            format,
            min_status: self.min_status.map(|status| status.0),
            min_duration: self.min_duration.map(|seconds| seconds.0),
        })
    }
}

fn text(written: Option<&str>) -> Result<String, Remark> {
    let line = written.unwrap_or(LINE);
    let line = line.strip_suffix('\n').unwrap_or(line);
    if line.is_empty() || line.contains('\n') {
        let message = format!("found {}, allowed: one line", quoted(line));
        return Err(Remark::new("line", message));
    }
    Ok(format!("{line}\n"))
}

fn object(written: Option<BTreeMap<String, String>>) -> Result<BTreeMap<String, String>, Remark> {
    let default = || {
        FIELDS
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
    };
    let fields = written.unwrap_or_else(|| default().collect());
    if fields.is_empty() {
        return Err(Remark::new("fields", "found none, allowed: at least one"));
    }
    Ok(fields)
}
