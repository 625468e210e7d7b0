//! `chancery export`: documents as files, which `apply` takes.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use super::remote::Server;
use super::texts::{self, Format, Texts};
use anyhow::{Context, Result};

/// What `export` takes.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Only documents of this set
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// A folder to write to, a file for each document: DIR/<kind>/<id>.yaml
    #[arg(short, long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
    /// How to write them
    #[arg(short, long, value_enum, default_value = "yaml", value_name = "FORMAT")]
    output: Format,
}

pub async fn run(export: Export) -> Result<ExitCode> {
    let mut client = export.server.connect().await?;
    let (stored, revision) = texts::stored(&mut client, "").await?;
    let set = export.set.as_deref();
    let of_set = stored
        .into_iter()
        .filter(|(_, one)| set.is_none() || texts::set_of(&one.fields) == set);
    let all: Texts = of_set.map(|(path, one)| (path, one.fields)).collect();
    let Some(folder) = export.dir else {
        say!("{}", texts::whole(&all, export.output)?.trim_end());
        return Ok(ExitCode::SUCCESS);
    };
    let count = all.len();
    for (path, text) in texts::as_files(all, export.output)? {
        let file = folder.join(path);
        let within = file.parent().unwrap_or(&folder);
        fs::create_dir_all(within).with_context(|| within.display().to_string())?;
        fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    say!(
        "{count} documents of revision {revision} are in {}",
        folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
