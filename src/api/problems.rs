//! What is wrong with which document now, and the way out of a proxy's refusal.

use std::time::{Duration, UNIX_EPOCH};

use tonic::Status;
use tracing::info;

use super::confirmed::REASON;
use super::redact::Headers;
use super::{Api, json, pb, snapshots};
use crate::build::Held;
use crate::control::question::Question;
use crate::model::Lookup;
use crate::telemetry::shown;

/// What is said of a document that the store has lost.
const MISSING: &str = "the store's revision went back, and it does not have the document any more: the last text stays in force until \
                       it is written or deleted again, or `chancery accept` gives it up";
/// What is said of a folder that had files and has none.
const EMPTIED: &str = "the folder had files and has none, and may just not be mounted: what it held stays in force until there are \
                       files again, or `chancery files accept-empty` gives it up";

/// The problems of this replica's documents, by document.
pub async fn list(
    api: &Api,
    asked: pb::ListProblemsRequest,
    headers: Headers,
) -> Result<pb::ListProblemsResponse, Status> {
    let settled = api.gateways.settled().borrow().clone();
    let mut refused = api.ask(Question::Refused).await?;
    let doubted = api.ask(Question::Doubted).await?;
    let large = api.ask(Question::Large).await?;
    let problem = |kind: &str, document: &str, revision, reason: &str| pb::Problem {
        document: document.to_owned(),
        revision,
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        refusals: Vec::new(),
        warning: false,
    };
    let folders = doubted.folders.iter();
    let emptied = folders.map(|folder| problem("emptied", folder, 0, EMPTIED));
    let missing = doubted.documents.iter();
    let missing = missing.map(|(path, revision)| problem("missing", path, *revision, MISSING));
    let others = settled
        .problems
        .iter()
        .filter(|(path, _)| !doubted.documents.contains_key(*path));
    let resources = asked.resources.then(|| (headers, api.reader.lookup()));
    let problems = others.map(|(path, problem)| pb::Problem {
        document: path.to_string(),
        revision: problem.revision,
        kind: problem.cause.as_str().to_owned(),
        reason: shown(&problem.reason, REASON),
        refusals: refused
            .remove(&**path)
            .into_iter()
            .flatten()
            .map(|held| refusal(held, resources))
            .collect(),
        warning: false,
    });
    let mut problems: Vec<_> = emptied.chain(missing).chain(problems).collect();
    for (gateway, revision, large) in large {
        let document = format!("gateways/{gateway}");
        if problems.iter().all(|one| one.document != document) {
            problems.push(pb::Problem {
                warning: true,
                ..problem("large", &document, revision, &large.to_string())
            });
        }
    }
    Ok(pb::ListProblemsResponse {
        revision: settled.revision,
        problems,
    })
}

/// What is refused, as JSON.
fn sent(held: &Held, shown: (Headers, &Lookup)) -> Option<String> {
    let (of, name, resource) = held.sent.as_ref()?;
    let told = snapshots::resource(*of, name, resource, shown).ok()?;
    json::terse(&told).ok()
}

/// `resources`: where also the resource is asked for, what of it is shown.
fn refusal(held: Held, resources: Option<(Headers, &Lookup)>) -> pb::Refusal {
    let since = UNIX_EPOCH + Duration::from_secs(held.refusal.since);
    let nodes = held.refusal.nodes.iter();
    pb::Refusal {
        sent: resources
            .and_then(|shown| sent(&held, shown))
            .unwrap_or_default(),
        gateway: held.gateway.to_string(),
        cohort: held
            .cohort
            .map(|cohort| cohort.to_string())
            .unwrap_or_default(),
        resource: held.resource,
        nodes: nodes.map(ToString::to_string).collect(),
        since: Some(since.into()),
        reason: shown(&held.refusal.error, REASON),
    }
}

/// Lets a document out again that proxies refuse.
pub async fn release(api: &Api, asked: pb::ReleaseRequest) -> Result<pb::ReleaseResponse, Status> {
    let document = asked.document;
    if document.split_once('/').is_none() {
        let found = shown(&document, 200);
        return Err(Status::invalid_argument(format!(
            "document: found `{found}`, allowed: a kind and an id, as in `routes/hello`"
        )));
    }
    let path = document.clone();
    let released = api.ask(|answer| Question::Release(path, answer)).await?;
    if released {
        info!(
            document = shown(&document, 200),
            "document released: proxies are sent it again"
        );
    }
    Ok(pb::ReleaseResponse { released })
}
