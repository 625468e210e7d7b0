//! `chancery diff`: what `apply` would change.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Client, Server};
use super::texts::plan::Plan;
use super::texts::{self, Format, files, rendered};

/// The exit status where anything would change.
pub const DIFFERS: u8 = 2;

/// Which documents the store should hold, and where it is.
#[derive(Debug, clap::Args)]
pub struct Wanted {
    /// A file, a folder with files, or - for standard input; may be given several times
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    file: Vec<PathBuf>,
    /// The set that the documents belong to; each is labelled with it
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Delete documents of the set that are in no file
    #[arg(long, requires = "set")]
    prune: bool,
    #[command(flatten)]
    pub server: Server,
    /// How to show it
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Format,
}

/// What `diff` takes.
#[derive(Debug, clap::Args)]
pub struct Diff {
    #[command(flatten)]
    wanted: Wanted,
}

pub async fn run(diff: Diff) -> Result<ExitCode> {
    let mut client = diff.wanted.server.connect().await?;
    let (plan, _) = diff.wanted.plan(&mut client).await?;
    show(&plan, diff.wanted.output)?;
    Ok(if plan.steps.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIFFERS)
    })
}

impl Wanted {
    /// What has to be written, and the newest revision that wrote a document.
    pub async fn plan(&self, client: &mut Client) -> Result<(Plan, i64)> {
        let wanted = files::read(&self.file)?;
        let (stored, _) = texts::stored(client, "").await?;
        let newest = stored.values().map(|one| one.modified).max();
        let plan = Plan::new(wanted, &stored, self.set.as_deref(), self.prune);
        Ok((plan, newest.unwrap_or_default()))
    }
}

/// Shows what would change.
pub fn show(plan: &Plan, format: Format) -> Result<()> {
    if format != Format::Table {
        say!("{}", rendered(&plan.as_json(), format)?.trim_end());
        return Ok(());
    }
    for step in &plan.steps {
        say!("{}", step.lines());
    }
    say!("{}", plan.summary());
    Ok(())
}
