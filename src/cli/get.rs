//! `chancery get`: documents as they were last written.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::remote::{self, Server};
use super::texts::{self, Format, Stored, rendered};
use crate::model::{Key, Kind};

/// What `get` takes.
#[derive(Debug, clap::Args)]
pub struct Get {
    /// A kind, or one document: routes, routes/echo
    #[arg(value_name = "KIND[/ID]")]
    document: String,
    #[command(flatten)]
    server: Server,
    /// How to show it [default: table for a kind, yaml for one document]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

pub async fn run(get: Get) -> Result<ExitCode> {
    let key = get.document.parse::<Key>().ok();
    let kind = match (&key, Kind::named(&get.document)) {
        (Some(key), _) => key.kind,
        (None, Some(kind)) => kind,
        (None, None) => bail!(
            "found {:?}, allowed: a kind, or a kind and an id, as routes/echo; kinds are {}",
            get.document,
            Kind::ALL.map(Kind::as_str).join(", ")
        ),
    };
    let mut client = get.server.connect().await?;
    let (mut stored, _) = texts::stored(&mut client, kind.as_str()).await?;
    if key.is_none() {
        match get.output.unwrap_or(Format::Table) {
            Format::Table => print(&stored),
            format => {
                let all = stored
                    .into_iter()
                    .map(|(path, one)| with_id(&path, one.fields));
                let all: Vec<_> = all.map(Value::Object).collect();
                say!("{}", rendered(&Value::Array(all), format)?.trim_end());
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let Some(one) = stored.remove(&get.document) else {
        bail!("{} is not there", get.document);
    };
    let shown = Value::Object(with_id(&get.document, one.fields));
    let format = get.output.unwrap_or(Format::Yaml);
    say!("{}", rendered(&shown, format)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn with_id(path: &str, mut fields: Map<String, Value>) -> Map<String, Value> {
    let id = path.rsplit('/').next().unwrap_or_default();
    if !fields.contains_key("username") {
        fields.insert("id".to_owned(), id.into());
    }
    fields
}

fn print(stored: &std::collections::BTreeMap<String, Stored>) {
    let text = |fields: &Map<String, Value>, names: &[&str]| {
        let mut values = names.iter().filter_map(|name| fields.get(*name));
        values.next().map_or(String::new(), |value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let rows: Vec<_> = stored
        .iter()
        .map(|(path, one)| {
            [
                path.clone(),
                one.modified.to_string(),
                text(&one.fields, &["name", "desc"]),
                text(
                    &one.fields,
                    &[
                        "uri",
                        "uris",
                        "sni",
                        "snis",
                        "service_name",
                        "nodes",
                        "username",
                    ],
                ),
            ]
        })
        .collect();
    remote::table(["DOCUMENT", "REVISION", "NAME", "ABOUT"], &rows);
}
