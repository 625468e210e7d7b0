//! `chancery accept` and `chancery files accept-empty`: give up what sources took away and what stays in force all the same.

use std::process::ExitCode;

use anyhow::Result;

use super::remote::{Output, Remote};
use crate::api::{json, pb};

/// What `accept` takes.
#[derive(Debug, clap::Args)]
pub struct Accept {
    /// Only show what it is
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What `files` takes.
#[derive(Debug, clap::Args)]
pub struct Files {
    /// What to do
    #[arg(value_name = "WHAT")]
    what: OfFiles,
    #[command(flatten)]
    accept: Accept,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum OfFiles {
    /// Take folders for empty that had files and have none: what they held stays in force until then
    AcceptEmpty,
}

pub async fn run(accept: Accept) -> Result<ExitCode> {
    give_up(accept, false).await
}

pub async fn run_files(files: Files) -> Result<ExitCode> {
    match files.what {
        OfFiles::AcceptEmpty => give_up(files.accept, true).await,
    }
}

async fn give_up(accept: Accept, folders: bool) -> Result<ExitCode> {
    let mut client = accept.remote.connect().await?;
    let dry_run = accept.dry_run;
    let answer = client
        .accept(pb::AcceptRequest { dry_run, folders })
        .await?;
    let answer = answer.into_inner();
    match accept.remote.output {
        Output::Json => say!("{}", json::whole(&answer)?),
        Output::Table => print(&answer, dry_run, folders),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(answer: &pb::AcceptResponse, dry_run: bool, only_folders: bool) {
    let documents = answer.documents.len();
    if documents > 0 && dry_run {
        say!("{documents} documents are missing in the store and still in force:");
    } else if documents > 0 {
        say!("{documents} documents were missing in the store and are no longer in force:");
    } else if !only_folders {
        say!("no document is missing in the store");
    }
    for document in &answer.documents {
        say!("{document}");
    }
    for folder in &answer.folders {
        if dry_run {
            say!("{folder} had files and has none: what it held is still in force");
        } else {
            say!("{folder} is taken for empty: what it held is no longer in force");
        }
    }
    if answer.folders.is_empty() && only_folders {
        say!("no folder is emptied");
    }
}
