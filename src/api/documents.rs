//! Every document, and what became of it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tonic::{Request, Status};

use super::apisix::list;
use super::confirmed::REASON;
use super::drains::caller;
use super::listing::{Listing, Rank, one_of};
use super::services::{Health, health, rank_of};
use super::{Api, pb};
use crate::control::question::{Fared, Question};
use crate::documents;
use crate::drain::audit::Deed;
use crate::editing::masked;
use crate::model::{self, Key, Kind, Problem};
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

/// What documents can be sorted by; the second ones stand in their texts.
const SORTS: &[&str] = &[
    "document", "state", "revision", "taken", "host", "path", "priority", "plugins",
];
const IN_TEXTS: &[&str] = &["host", "path", "priority", "plugins"];

/// The documents that are asked for; by path, unless sorted otherwise.
pub async fn list(
    api: &Api,
    asked: &pb::ListDocumentsRequest,
) -> Result<pb::ListDocumentsResponse, Status> {
    let kinds = Kind::ALL.map(Kind::as_str);
    one_of("kind", &asked.kind, &kinds)?;
    one_of("state", &asked.state, STATES)?;
    let page = (asked.page, asked.page_size);
    let listing = Listing::read(&asked.search, &asked.sort, page, SORTS)?;
    let sort = listing.sort.as_str();
    let fared = api.ask(Question::Documents).await?;
    let texts = if asked.texts || listing.searches() || IN_TEXTS.contains(&sort) {
        api.texts().await?
    } else {
        Vec::new()
    };
    let services = if asked.texts || sort == "taken" {
        api.ask(Question::Services).await?
    } else {
        Vec::new()
    };
    let revision = api.gateways.settled().borrow().revision;
    let asked = asked.clone();
    // Texts are read one by one: not on the threads that answer others.
    let found = spawn_blocking(move || {
        let texts = texts.into_iter().map(|text| (text.path.clone(), text));
        let known = Known {
            texts: texts.collect(),
            health: health(&services),
        };
        known.find(&asked, &listing, fared)
    });
    let found = found.await;
    let (documents, total) = found.map_err(|error| Status::internal(error.to_string()))?;
    Ok(pb::ListDocumentsResponse {
        revision,
        documents,
        total,
    })
}

/// What is known of documents beside how they fare.
struct Known {
    texts: HashMap<Arc<str>, model::Document>,
    health: HashMap<String, Health>,
}

impl Known {
    fn find(
        &self,
        asked: &pb::ListDocumentsRequest,
        listing: &Listing,
        fared: Vec<Fared>,
    ) -> (Vec<pb::Document>, u32) {
        let of_kind = |path: &str| {
            let key = path.parse::<Key>().ok();
            asked.kind.is_empty() || key.is_some_and(|key| key.kind.as_str() == asked.kind)
        };
        let is_it = |path: &str| asked.document.is_empty() || asked.document == path;
        let in_question = fared.into_iter().filter(|one| {
            let path = &one.status.path;
            is_it(path) && of_kind(path)
        });
        let found = in_question.map(document).filter(|one| {
            (asked.state.is_empty() || one.state == asked.state)
                && (!listing.searches() || listing.finds(&self.parts(one)))
        });
        let rank = |one: &pb::Document| self.rank(one, &listing.sort);
        let (mut documents, total) = listing.page(found.collect(), rank);
        for one in documents.iter_mut().filter(|_| asked.texts) {
            let fields = self.fields(&one.document);
            let shown = fields.map(|fields| masked::without_secrets(&one.document, fields));
            one.text = shown.map_or_else(String::new, |shown| shown.to_string());
            let health = self.health.get(&one.document).copied().unwrap_or_default();
            (one.instances, one.taken) = (health.all, health.taken);
        }
        (documents, total)
    }

    /// The newest text of a document, where it is one.
    fn fields(&self, path: &str) -> Option<Map<String, Value>> {
        let text = self.texts.get(path)?;
        documents::text(text.format, &text.value).ok()
    }

    /// What a document is looked for by.
    fn parts(&self, document: &pb::Document) -> Vec<String> {
        let path = &document.document;
        let mut parts = self
            .fields(path)
            .map_or_else(Vec::new, |it| list::parts(path, &it));
        parts.extend([path.clone(), document.state.clone()]);
        parts
    }

    fn rank(&self, document: &pb::Document, by: &str) -> Rank {
        let path = &document.document;
        if !IN_TEXTS.contains(&by) {
            return match by {
                "revision" => (document.revision, String::new()),
                "state" => (0, document.state.clone()),
                "taken" => (rank_of(self.health.get(path)), String::new()),
                _ => (0, path.clone()),
            };
        }
        let fields = self.fields(path).unwrap_or_default();
        let texts = |names: &[&str]| list::texts(&fields, names).collect::<Vec<_>>().join(" ");
        match by {
            "host" => (0, texts(&["host", "hosts", "sni", "snis"])),
            "path" => (0, texts(&["uri", "uris"])),
            "priority" => (
                fields.get(by).and_then(Value::as_i64).unwrap_or(0),
                String::new(),
            ),
            _ => {
                let plugins = fields.get("plugins").and_then(Value::as_object);
                let names = plugins.into_iter().flat_map(Map::keys).cloned();
                (0, names.collect::<Vec<_>>().join(" "))
            }
        }
    }
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

pub(super) fn document(Fared { status, beyond }: Fared) -> pb::Document {
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
        text: String::new(),
        instances: 0,
        taken: 0,
    }
}

#[cfg(test)]
mod tests;
