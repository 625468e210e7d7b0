//! Every document, and what became of it.

use tokio::time::Instant;
use tonic::{Request, Status};

use super::confirmed::REASON;
use super::drains::caller;
use super::{Api, pb};
use crate::control::question::{Fared, Question};
use crate::drain::audit::Deed;
use crate::model::{Key, Kind, Problem};
use crate::telemetry::shown;
use crate::xds::gateways::Cause;

/// The states of documents, as the contract names them.
const STATES: &[&str] = &[
    "accepted",
    "warned",
    "off",
    "waiting",
    "not_served",
    "rejected",
    "refused",
];

/// The documents of a kind and in a state, where these are named; by path.
pub async fn list(
    api: &Api,
    asked: &pb::ListDocumentsRequest,
) -> Result<pb::ListDocumentsResponse, Status> {
    let kinds = Kind::ALL.map(Kind::as_str);
    one_of("kind", &asked.kind, &kinds)?;
    one_of("state", &asked.state, STATES)?;
    let fared = api.ask(Question::Documents).await?;
    let documents = fared.into_iter().map(document);
    let of_kind = |document: &pb::Document| {
        let key = document.document.parse::<Key>().ok();
        asked.kind.is_empty() || key.is_some_and(|key| key.kind.as_str() == asked.kind)
    };
    let in_state =
        |document: &pb::Document| asked.state.is_empty() || document.state == asked.state;
    Ok(pb::ListDocumentsResponse {
        revision: api.gateways.settled().borrow().revision,
        documents: documents.filter(of_kind).filter(in_state).collect(),
    })
}

/// Gives up what sources took away and what stays in force all the same.
pub async fn accept(
    api: &Api,
    request: Request<pb::AcceptRequest>,
) -> Result<pb::AcceptResponse, Status> {
    let began = Instant::now();
    let caller = caller(&request);
    let pb::AcceptRequest { dry_run, folders } = request.into_inner();
    let given_up = if dry_run {
        let mut doubted = api.ask(Question::Doubted).await?;
        if folders {
            doubted.documents.clear();
        }
        doubted
    } else {
        api.ask(|answer| Question::Accept(folders, answer)).await?
    };
    let answer = pb::AcceptResponse {
        documents: given_up.documents.keys().map(ToString::to_string).collect(),
        folders: given_up.folders.iter().map(ToString::to_string).collect(),
    };
    if !dry_run {
        let mut deed = Deed::new(&api.access.trail, "accept", &caller.name, &caller.from);
        let of = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{} {what}: {}", names.len(), names.join(", ")))
        };
        let documents = of("documents that the store has lost", &answer.documents);
        let all = documents
            .into_iter()
            .chain(of("emptied folders", &answer.folders));
        deed.what = all.collect::<Vec<_>>().join("; ");
        deed.step("request", began, None::<&Status>);
    }
    Ok(answer)
}

/// A document that is not in force, and why.
pub(super) fn fares(fared: Fared) -> String {
    let pb::Document {
        document,
        state,
        reason,
        ..
    } = document(fared);
    match reason.as_str() {
        "" => format!("{document}: {state}"),
        reason => format!("{document}: {state}: {reason}"),
    }
}

pub(super) fn one_of(field: &str, found: &str, allowed: &[&str]) -> Result<(), Status> {
    if found.is_empty() || allowed.contains(&found) {
        return Ok(());
    }
    let message = format!("{field}: found {found:?}, allowed: {}", allowed.join(", "));
    Err(Status::invalid_argument(message))
}

fn document(Fared { status, beyond }: Fared) -> pb::Document {
    let rejected = status.problem.as_ref().map(Problem::said);
    let (state, reason) = match (&beyond, rejected) {
        (Some((kind @ Cause::Refused, reason)), _) => (kind.as_str(), reason.to_string()),
        (_, Some(reason)) => (Cause::Rejected.as_str(), reason),
        (Some((kind, reason)), None) => (kind.as_str(), reason.to_string()),
        (None, None) if status.off => ("off", String::new()),
        (None, None) if status.warnings.is_empty() => ("accepted", String::new()),
        (None, None) => ("warned", String::new()),
    };
    pb::Document {
        document: status.path.to_string(),
        source: status.source.to_string(),
        revision: status.revision,
        state: state.to_owned(),
        reason: shown(&reason, REASON),
        warnings: status.warnings.iter().map(Problem::said).collect(),
        holds: status.holds.unwrap_or_default(),
    }
}
