//! What became of documents, and the way back to what they were.

use prost_types::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tonic::{Request, Status};

use super::changes::{editor, status};
use super::drains::caller;
use super::listing::Listing;
use super::shares::Standing;
use super::{Api, foreseen, pb, wait};
use crate::drain::audit::Deed;
use crate::editing::{Author, Back, Changed, Compared, Entry, Note, Refused, Terms, masked};
use crate::model::Key;

/// How many changes are told of unless told.
const LIMIT: u32 = 100;
/// The most that may be asked for.
const MOST: u32 = 1_000;

/// The newest changes of a document, or of all.
pub async fn list(
    api: &Api,
    asked: pb::ListHistoryRequest,
) -> Result<pb::ListHistoryResponse, Status> {
    let limit = match asked.limit {
        0 => LIMIT,
        limit if limit <= MOST => limit,
        limit => {
            let said = format!("limit: found {limit}, allowed are 1 to {MOST}");
            return Err(Status::invalid_argument(said));
        }
    };
    let document = Some(asked.document).filter(|path| !path.is_empty());
    if let Some(path) = &document {
        key("document", path)?;
    }
    let listing = Listing::read(&asked.search, "", (0, 0), &[])?;
    let is_chosen = asked.revision != 0 || listing.searches();
    let read = if is_chosen { MOST } else { limit };
    let history = editor(api)?.history(document.as_deref(), read).await;
    let mut entries = history.map_err(|refused| status(&refused))?;
    entries.retain(|one| {
        (asked.revision == 0 || one.revision == asked.revision)
            && (!listing.searches() || listing.finds(&parts(one)))
    });
    entries.truncate(limit as usize);
    let standing = Standing::of(api, &api.others.live());
    let entries = entries.into_iter().map(|one| pb::Entry {
        gateways: standing.shares(one.revision),
        took: api
            .gateways
            .took(one.revision)
            .and_then(|took| took.try_into().ok()),
        ..entry(one, asked.forms)
    });
    Ok(pb::ListHistoryResponse {
        entries: entries.collect(),
    })
}

/// What a change is looked for by.
fn parts(entry: &Entry) -> [String; 7] {
    let Note {
        who,
        from,
        reason,
        action,
        ..
    } = &entry.note;
    let [who, from, reason, action] = [who, from, reason, action].map(Clone::clone);
    [
        entry.path.to_string(),
        entry.revision.to_string(),
        who,
        from,
        reason,
        action,
        change(&entry.note).to_owned(),
    ]
}

/// What kind of change it is.
fn change(note: &Note) -> &'static str {
    match (&note.former, note.deleted) {
        (_, true) => "delete",
        (None, false) => "create",
        (Some(_), false) => "change",
    }
}

fn entry(
    Entry {
        path,
        revision,
        note,
    }: Entry,
    forms: bool,
) -> pb::Entry {
    let change = change(&note);
    let former = note.former.unwrap_or_default();
    let document = former.document.filter(|_| forms);
    pb::Entry {
        document: path.to_string(),
        revision,
        time: Some(Timestamp {
            seconds: note.time,
            nanos: 0,
        }),
        who: note.who,
        from: note.from,
        action: note.action,
        reason: note.reason,
        trace: note.trace,
        change: change.to_owned(),
        former: former.revision,
        before: document.map_or_else(String::new, |document| document.to_string()),
        lost: former.lost,
        ..pb::Entry::default()
    }
}

/// How documents differ between two revisions.
pub async fn diff(api: &Api, asked: pb::DiffRequest) -> Result<pb::DiffResponse, Status> {
    if asked.from < 1 || (asked.to != 0 && asked.to < asked.from) {
        let said = "from, to: allowed are a revision above 0, and a later one or none";
        return Err(Status::invalid_argument(said));
    }
    let to = Some(asked.to).filter(|to| *to != 0);
    let compared = editor(api)?.compare(asked.from, to).await;
    let (to, compared) = compared.map_err(|refused| status(&refused))?;
    let envoys = foreseen::compare(api, &compared).await?;
    Ok(pb::DiffResponse {
        envoys,
        from: asked.from,
        to,
        documents: compared.into_iter().map(difference).collect(),
    })
}

fn difference(
    Compared {
        path,
        before,
        after,
    }: Compared,
) -> pb::Difference {
    let mut lost = Vec::new();
    let mut text = |form: Result<Option<Map<String, Value>>, String>| match form {
        Ok(fields) => shown(&path, fields),
        Err(why) => {
            lost.push(why);
            String::new()
        }
    };
    let (before, after) = (text(before), text(after));
    pb::Difference {
        document: path.to_string(),
        before,
        after,
        lost: lost.join("; "),
    }
}

fn shown(path: &str, fields: Option<Map<String, Value>>) -> String {
    fields.map_or_else(String::new, |fields| {
        masked::without_secrets(path, fields).to_string()
    })
}

/// Makes documents what they were.
pub async fn roll_back(
    api: &Api,
    request: Request<pb::RollBackRequest>,
) -> Result<pb::RollBackResponse, Status> {
    let began = Instant::now();
    let caller = caller(&request);
    let asked = request.into_inner();
    let back = back(&asked)?;
    let only = asked.documents.iter().map(|path| key("documents", path));
    let only: Vec<Key> = only.collect::<Result<_, _>>()?;
    let patience = asked.wait.map(wait::patience).transpose()?;
    // Whoever waits has a place before anything is written.
    let _place = patience.map(|_| api.lasting.waits.take()).transpose()?;
    let author = Author {
        who: caller.name.clone(),
        from: caller.from.clone(),
        action: "rollback",
        reason: asked.reason,
        trace: caller.trace.clone(),
    };
    let terms = Terms {
        ttl: None,
        force: asked.force,
        dry_run: asked.dry_run,
    };
    let done = editor(api)?.roll_back(back, &only, terms, &author).await;
    let mut deed = Deed::new(&api.access.trail, "rollback", &caller.name, &caller.from);
    deed.what = match back {
        Back::To(revision) => format!("to revision {revision}"),
        Back::Change(revision) => format!("the change of revision {revision}"),
    };
    let done = done.map_err(|refused| {
        if !asked.dry_run {
            deed.refused("document", began, &refused);
        }
        status(&refused)
    })?;
    if done.revision > 0 {
        deed.step("document", began, None::<&Refused>);
    }
    let waited = match patience {
        Some(patience) if done.revision > 0 => {
            Some(wait::until(api, done.revision, patience, true).await?)
        }
        _ => None,
    };
    let envoys = if asked.dry_run {
        foreseen::foresee(api, &done.changed).await?
    } else {
        Vec::new()
    };
    let warnings = done.warnings.iter();
    Ok(pb::RollBackResponse {
        envoys,
        revision: done.revision,
        warnings: warnings
            .map(|(path, said)| format!("{path}: {said}"))
            .collect(),
        documents: done.changed.into_iter().map(changed).collect(),
        waited,
    })
}

fn back(asked: &pb::RollBackRequest) -> Result<Back, Status> {
    match (asked.to, asked.change) {
        (to, 0) if to > 0 => Ok(Back::To(to)),
        (0, change) if change > 0 => Ok(Back::Change(change)),
        _ => Err(Status::invalid_argument(
            "to, change: allowed is one of them, a revision above 0",
        )),
    }
}

fn changed(changed: Changed) -> pb::Difference {
    let before = changed.before.as_ref();
    pb::Difference {
        before: before.map_or_else(String::new, |held| masked::shown(held).to_string()),
        after: shown(&changed.path, changed.after),
        document: changed.path.to_string(),
        lost: String::new(),
    }
}

fn key(field: &str, path: &str) -> Result<Key, Status> {
    path.parse()
        .map_err(|error| Status::invalid_argument(format!("{field}: {path:?}: {error}")))
}
