//! `chancery apply`: the store comes to hold what files say.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::diff::{self, DIFFERS, Wanted};
use super::remote::Client;
use super::texts;
use super::wait;
use crate::api::pb;

/// What `apply` takes.
#[derive(Debug, clap::Args)]
pub struct Apply {
    #[command(flatten)]
    wanted: Wanted,
    /// Write nothing; have everything checked, and tell what would change
    #[arg(long)]
    dry_run: bool,
    /// Wait until every proxy has it, so long at most
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    wait: Option<Duration>,
    /// Write also what makes other documents wrong, which keep their last good form; delete also what others name
    #[arg(long)]
    force: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Why, for the history
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Write only if no document was written after this revision
    #[arg(long, value_name = "REVISION")]
    expect_revision: Option<i64>,
}

pub async fn run(apply: Apply) -> Result<ExitCode> {
    let mut client = apply.wanted.server.connect().await?;
    let (plan, newest) = apply.wanted.plan(&mut client).await?;
    if let Some(expected) = apply.expect_revision.filter(|it| *it < newest) {
        bail!(
            "revision {newest} has written documents since revision {expected}: look again, and decide anew"
        );
    }
    diff::show(&plan, apply.wanted.output)?;
    if plan.steps.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let pieces = plan.pieces();
    if apply.dry_run {
        // What a later piece rests on is not there: only the first can be checked as a whole.
        let first = pieces.into_iter().take(1).flatten().collect();
        let answer = send(&mut client, first, &apply, true).await?;
        warn(&answer);
        tell_envoys(&answer.envoys);
        return Ok(ExitCode::from(DIFFERS));
    }
    if !apply.yes && !is_agreed(&plan.summary())? {
        eprintln!("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    let revision = write(&mut client, pieces, &apply).await?;
    match apply.wait {
        Some(patience) => confirm(&mut client, revision, patience).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Asks whoever sits there.
pub fn is_agreed(what: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here whether to write this: add --yes");
    }
    eprint!("{what}. Write it? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Writes piece by piece; tells the last revision.
async fn write(client: &mut Client, pieces: Vec<Vec<pb::Write>>, apply: &Apply) -> Result<i64> {
    let (all, mut revision) = (pieces.len(), 0);
    for (at, piece) in pieces.into_iter().enumerate() {
        let count = piece.len();
        let sent = send(client, piece, apply, false).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) if at == 0 => return Err(error),
            Err(error) => {
                return Err(error.context(format!(
                    "{at} of {all} pieces are written, up to revision {revision}; the same command goes on from there"
                )));
            }
        };
        revision = answer.revision;
        warn(&answer);
        if all == 1 {
            eprintln!("{count} documents are written by revision {revision}");
        } else {
            eprintln!(
                "piece {} of {all}: {count} documents are written by revision {revision}",
                at + 1
            );
        }
    }
    Ok(revision)
}

async fn send(
    client: &mut Client,
    writes: Vec<pb::Write>,
    apply: &Apply,
    dry_run: bool,
) -> Result<pb::ApplyResponse> {
    let request = pb::ApplyRequest {
        writes,
        dry_run,
        force: apply.force,
        reason: apply.reason.clone(),
    };
    texts::send(client, request).await
}

fn warn(answer: &pb::ApplyResponse) {
    for warning in &answer.warnings {
        eprintln!("warning: {warning}");
    }
}

/// Tells what proxies would be sent.
pub fn tell_envoys(envoys: &[pb::Foreseen]) {
    for one in envoys {
        let type_ = |of: &pb::TypeDifference| {
            let counts = [
                ('+', of.added_count),
                ('~', of.changed_count),
                ('-', of.removed_count),
            ];
            let counts = counts.iter().filter(|(_, count)| *count > 0);
            let counts: String = counts
                .map(|(sign, count)| format!(" {sign}{count}"))
                .collect();
            format!("{}{counts}", of.r#type)
        };
        let types: Vec<_> = one.types.iter().map(type_).collect();
        let cohort = if one.cohort.is_empty() {
            "no proxy"
        } else {
            &one.cohort
        };
        let listener = if one.touches_listener {
            "; a listener changes: its connections are drained"
        } else {
            ""
        };
        eprintln!(
            "gateway {} ({cohort}): {}{listener}",
            one.gateway,
            types.join(", ")
        );
        for hidden in &one.shadowed {
            let pb::Shadowed { route, by } = hidden;
            eprintln!("  no request would reach routes/{route} any more: routes/{by} comes first");
        }
        if one.shadowed_count as usize > one.shadowed.len() {
            eprintln!("  … of {} such routes", one.shadowed_count);
        }
    }
}

/// Waits for every proxy, and tells how many have it.
pub async fn confirm(client: &mut Client, revision: i64, patience: Duration) -> Result<ExitCode> {
    let request = pb::WaitRequest {
        revision,
        timeout: Some(patience.try_into()?),
        allow_none: false,
    };
    let mut answers = client.wait_stream(request).await?.into_inner();
    let (mut told, mut last) = (None, None);
    loop {
        let answer = tokio::select! {
            answer = answers.message() => answer?,
            stopped = tokio::signal::ctrl_c() => {
                stopped.context("Ctrl-C")?;
                eprintln!("revision {revision} is written; `chancery wait --revision {revision}` tells when every proxy has it");
                return Ok(ExitCode::FAILURE);
            }
        };
        let Some(waited) = answer else { break };
        let progress = (waited.accepted, waited.expected);
        if told.replace(progress) != Some(progress) {
            eprintln!(
                "{} of {} Envoys have revision {revision}",
                progress.0, progress.1
            );
        }
        last = Some(waited);
    }
    let waited = last.context("Chancery has ended the wait without an answer")?;
    if waited.confirmed {
        return Ok(ExitCode::SUCCESS);
    }
    for rejected in &waited.rejected {
        eprintln!("{} is not in force: {}", rejected.document, rejected.reason);
    }
    wait::behind(&waited.behind);
    Ok(ExitCode::FAILURE)
}
