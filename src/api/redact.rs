//! Takes secrets out of resources before they are shown: the fields that Envoy's own contract calls sensitive, also inside
//! `Any`, as Envoy does in its config dump, and what the contract leaves out.

use std::collections::HashSet;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, ReflectMessage, Value};
use tonic::Status;

use crate::envoy::view::without_config;
use crate::model::{Lookup, credentials};
use crate::snapshot::ResourceType;

use super::{json, pb};

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";
const ANY: &str = "google.protobuf.Any";

/// Where secrets may stand though the contract does not say so: a key set may hold symmetric keys, and the values of an
/// injected fault's headers are beside their names.
const OURS: [&str; 2] = [
    "envoy.extensions.filters.http.jwt_authn.v3.JwtProvider.local_jwks",
    "envoy.extensions.filters.http.fault.v3.HTTPFault.filter_metadata",
];

/// What is about one header, argument or cookie, and the field that says which: the rest is shown unless that carries credentials.
const ABOUT: [(&str, &str); 4] = [
    ("envoy.config.core.v3.HeaderValue", "key"),
    ("envoy.config.route.v3.CookieMatcher", "name"),
    ("envoy.config.route.v3.HeaderMatcher", "name"),
    ("envoy.config.route.v3.QueryParameterMatcher", "name"),
];

/// What of that is a header: its value is for operators, whatever its name.
const HEADERS: [&str; 3] = [
    "envoy.config.core.v3.HeaderValue",
    "envoy.config.route.v3.CookieMatcher",
    "envoy.config.route.v3.HeaderMatcher",
];

/// Which values of headers and cookies are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// Those that carry no credentials, by their names.
    Plain,
    /// None.
    Hidden,
}

/// A path in whose query credentials may stand.
const PATH: &str = "envoy.extensions.filters.http.ext_authz.v3.HttpService.path_override";

/// The full names of the sensitive fields; nothing when the contract does not say which they are.
static SENSITIVE: LazyLock<Option<HashSet<String>>> =
    LazyLock::new(|| sensitive_fields(json::with_envoy().ok()?));

fn sensitive_fields(pool: &DescriptorPool) -> Option<HashSet<String>> {
    let sensitive = pool
        .all_extensions()
        .find(|extension| extension.full_name() == "udpa.annotations.sensitive")?;
    let is_sensitive = |field: &FieldDescriptor| {
        let options = field.options();
        options.get_extension(&sensitive).as_bool() == Some(true)
    };
    let mut names = HashSet::from(OURS.map(ToOwned::to_owned));
    for message in pool.all_messages() {
        let fields = message.fields().filter(is_sensitive);
        names.extend(fields.map(|field| field.full_name().to_owned()));
    }
    Some(names)
}

/// A resource of that type, without secrets, and without what documents' references to secrets stand for.
pub fn resource(
    resource_type: ResourceType,
    encoded: &[u8],
    headers: Headers,
    lookup: &Lookup,
) -> Result<Vec<u8>, Status> {
    if resource_type != ResourceType::ExtensionConfig {
        return redacted(resource_type.type_url(), encoded, headers, lookup);
    }
    // Made of the credentials of consumers, whatever the filter: only which filter it is for is shown.
    without_config(encoded).map_err(|error| Status::internal(error.to_string()))
}

/// Takes out of a snapshot what its reader was shown as an operator, so that it can be handed on.
pub fn hide_headers(snapshot: &mut pb::Snapshot) -> Result<(), Status> {
    let nothing = Lookup::default();
    let resources = snapshot.sets.iter_mut().flat_map(|set| &mut set.resources);
    for any in resources.filter_map(|resource| resource.resource.as_mut()) {
        any.value = redacted(&any.type_url, &any.value, Headers::Hidden, &nothing)?;
    }
    Ok(())
}

/// An encoded message of that type, without secrets. What cannot be looked into is not shown.
fn redacted(
    type_url: &str,
    encoded: &[u8],
    headers: Headers,
    lookup: &Lookup,
) -> Result<Vec<u8>, Status> {
    let name = type_url.rsplit('/').next().unwrap_or_default();
    let unknown = || Status::internal(format!("{name} has no descriptor"));
    let descriptor = json::with_envoy()?
        .get_message_by_name(name)
        .ok_or_else(unknown)?;
    let mut message = DynamicMessage::decode(descriptor, encoded)
        .map_err(|error| Status::internal(error.to_string()))?;
    let sensitive = SENSITIVE
        .as_ref()
        .ok_or_else(|| Status::internal("what is secret is not known"))?;
    let what = What {
        sensitive,
        headers,
        lookup,
    };
    what.redact(&mut message, false)?;
    Ok(message.encode_to_vec())
}

/// What is secret.
#[derive(Clone, Copy)]
struct What<'a> {
    sensitive: &'a HashSet<String>,
    headers: Headers,
    lookup: &'a Lookup,
}

impl What<'_> {
    /// `all`: whatever is in it is a secret.
    fn redact(self, message: &mut DynamicMessage, all: bool) -> Result<(), Status> {
        if message.descriptor().full_name() == ANY {
            return self.redact_any(message, all);
        }
        let empty: Vec<_> = message
            .fields()
            .filter(|(_, value)| is_empty_any(value))
            .map(|(field, _)| field)
            .collect();
        for field in &empty {
            message.clear_field(field);
        }
        let about = self.carrier(message);
        for (field, value) in message.fields_mut() {
            if !all && about == Some(field.name()) {
                continue;
            }
            let all = all || about.is_some() || self.sensitive.contains(field.full_name());
            self.redact_value(value, all)?;
            if let (PATH, Value::String(path)) = (field.full_name(), value)
                && let Some((before, _)) = path.split_once('?')
            {
                *path = format!("{before}?{REDACTED}");
            }
        }
        Ok(())
    }

    /// For a message about what carries credentials, or is for others to see, and holds some: the field that says what that is.
    fn carrier(self, message: &DynamicMessage) -> Option<&'static str> {
        let descriptor = message.descriptor();
        let (about, field) = ABOUT
            .into_iter()
            .find(|(about, _)| *about == descriptor.full_name())?;
        let text = |field: &str| Some(message.get_field_by_name(field)?.as_str()?.to_owned());
        let name = text(field)?;
        let hidden = self.headers == Headers::Hidden && HEADERS.contains(&about);
        // What is asked of a pseudo-header is where a request goes.
        let hidden = hidden && !name.starts_with(':');
        let of_request = text("value").is_some_and(|value| is_operator(&value));
        ((hidden || credentials::carried_by(&name)) && !of_request).then_some(field)
    }

    fn redact_value(self, value: &mut Value, all: bool) -> Result<(), Status> {
        match value {
            Value::Message(message) => self.redact(message, all)?,
            Value::List(values) => {
                for value in values {
                    self.redact_value(value, all)?;
                }
            }
            Value::Map(values) => {
                for value in values.values_mut() {
                    self.redact_value(value, all)?;
                }
            }
            Value::String(text) if all || self.lookup.is_in(text) => REDACTED.clone_into(text),
            Value::Bytes(bytes) if all || self.lookup.is_in(&String::from_utf8_lossy(bytes)) => {
                *bytes = REDACTED.into();
            }
            _ => {}
        }
        Ok(())
    }

    fn redact_any(self, any: &mut DynamicMessage, all: bool) -> Result<(), Status> {
        let (Some(url_field), Some(value_field)) = (
            any.get_field_by_name("type_url"),
            any.get_field_by_name("value"),
        ) else {
            return Ok(());
        };
        let (Some(type_url), Some(value)) = (url_field.as_str(), value_field.as_bytes()) else {
            return Ok(());
        };
        let shown = if all {
            Vec::new()
        } else {
            redacted(type_url, value, self.headers, self.lookup)?
        };
        any.set_field_by_name("value", Value::Bytes(shown.into()));
        Ok(())
    }
}

/// Whether a header's value is one command operator and nothing else, which says where it comes from.
fn is_operator(value: &str) -> bool {
    let inside = value
        .strip_prefix('%')
        .and_then(|rest| rest.strip_suffix('%'));
    inside.is_some_and(|inside| !inside.is_empty() && !inside.contains('%'))
}

/// Whether it is an `Any` of nothing, which JSON has no form for. Routes enable filters with one.
fn is_empty_any(value: &Value) -> bool {
    let Some(any) = value.as_message() else {
        return false;
    };
    any.descriptor().full_name() == ANY && any.fields().next().is_none()
}
