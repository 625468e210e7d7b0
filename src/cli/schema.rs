//! `chancery schema`: what a kind of documents, or a plugin, is written as.

use std::process::ExitCode;

use crate::documents::schema;
use crate::model::Kind;
use crate::plugin;

/// What `schema` takes.
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// A kind (routes, upstreams, …), or plugins/NAME
    kind: String,
}

pub fn run(asked: &Schema) -> ExitCode {
    let found = match asked.kind.strip_prefix("plugins/") {
        Some(name) => schema::of_plugin(name),
        None => Kind::named(&asked.kind).map(schema::of),
    };
    match found {
        Some(schema) => {
            say!("{schema:#}");
            ExitCode::SUCCESS
        }
        None => {
            let kinds = Kind::ALL.map(Kind::as_str).join(", ");
            let plugins = plugin::names()
                .map(|name| format!("plugins/{name}"))
                .collect::<Vec<_>>()
                .join(", ");
            eprintln!(
                "chancery schema: found {:?}, allowed: {kinds}, {plugins}",
                asked.kind
            );
            ExitCode::from(super::USAGE)
        }
    }
}
