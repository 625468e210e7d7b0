//! What one file of instances says. Strict: a field that is not known, or a value that is not allowed, refuses the file.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

use crate::model::Instance;
use crate::model::document::Format;
use crate::model::instance::Status;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    instances: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// `<address>:<port>` where it is not written.
    id: Option<String>,
    #[serde(deserialize_with = "address")]
    address: IpAddr,
    #[serde(deserialize_with = "port")]
    port: u16,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default = "yes")]
    healthy: bool,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom(format!(
            "found `{}`, allowed: an IP address, because Envoy is given no host names",
            text.escape_debug()
        ))
    })
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        0 => Err(de::Error::custom("found 0, allowed: 1 to 65535")),
        port => Ok(port),
    }
}

/// All of them, or what is wrong: the field, the place in the text, what was found and what is allowed.
pub fn read(format: Format, text: &[u8]) -> Result<Vec<Instance>, String> {
    let File { instances } = match format {
        Format::Json => json(text),
        Format::Yaml => yaml(text),
    }?;
    let mut ids = BTreeSet::new();
    let mut all = Vec::new();
    for (position, entry) in instances.into_iter().enumerate() {
        let instance = instance(entry);
        if !ids.insert(instance.id.clone()) {
            let id = &instance.id;
            return Err(format!("instances[{position}].id: `{id}` is there twice"));
        }
        all.push(instance);
    }
    Ok(all)
}

fn instance(entry: Listed) -> Instance {
    let at = SocketAddr::new(entry.address, entry.port);
    let id = entry.id.unwrap_or_else(|| at.to_string());
    Instance {
        status: if entry.healthy {
            Status::Passing
        } else {
            Status::Critical
        },
        weight: entry.weight,
        metadata: entry.metadata,
        ..Instance::new(id, entry.address, entry.port)
    }
}

fn json(text: &[u8]) -> Result<File, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let file = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (field, error) = (error.path().to_string(), error.inner());
        let place = Some((error.line() as u64, error.column() as u64));
        located(&field, error, place)
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(file)
}

fn yaml(text: &[u8]) -> Result<File, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
    };
    let mut field = String::new();
    serde_saphyr::with_deserializer_from_slice_with_options(text, options, |yaml| {
        serde_path_to_error::deserialize(yaml).map_err(|error| {
            field = error.path().to_string();
            error.into_inner()
        })
    })
    .map_err(|error| {
        let place = error.location().map(|at| (at.line(), at.column()));
        located(&field, &error, place)
    })
}

/// The field before the parser's own words, which end with line and column. What is outside of the list may be no file of
/// instances at all: it is not repeated.
fn located(field: &str, error: &impl std::error::Error, place: Option<(u64, u64)>) -> String {
    if field.starts_with("instances[") {
        return format!("{field}: {error}");
    }
    let place = place.map(|(line, column)| format!(" at line {line}, column {column}"));
    format!(
        "found something else{}, allowed: one object with the list `instances` and nothing else",
        place.unwrap_or_default()
    )
}
