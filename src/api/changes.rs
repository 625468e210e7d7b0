//! Documents as texts: all of them, and many written at once.

use tokio::time::Instant;
use tonic::{Request, Status};

use super::drains::caller;
use super::listing::one_of;
use super::{Api, foreseen, pb};
use crate::documents;
use crate::drain::audit::Deed;
use crate::editing::{Author, Change, Editor, Match, Refused, Terms, Wish, masked};
use crate::model::document::Format;
use crate::model::{Key, Kind};
use crate::store::writer::Held;

/// How many documents are named in the audit trail.
const NAMED: usize = 5;

/// The texts of all documents, or of a kind.
pub async fn list(
    api: &Api,
    request: Request<pb::ListTextsRequest>,
) -> Result<pb::ListTextsResponse, Status> {
    let shows = caller(&request).writes;
    let asked = request.into_inner().kind;
    one_of("kind", &asked, &Kind::ALL.map(Kind::as_str))?;
    let folder = match asked.as_str() {
        "" => String::new(),
        "credentials" => "consumers/".to_owned(),
        kind => format!("{kind}/"),
    };
    let reading = editor(api)?.list(&folder).await.map_err(|it| status(&it))?;
    let of_kind = |held: &Held| {
        let key = held.path.parse::<Key>();
        key.is_ok_and(|key| asked.is_empty() || key.kind.as_str() == asked)
    };
    let found = reading.documents.iter().filter(|held| of_kind(held));
    Ok(pb::ListTextsResponse {
        revision: reading.revision,
        texts: found.map(|held| text(held, shows)).collect(),
    })
}

fn text(held: &Held, shows: bool) -> pb::Text {
    let text = if shows {
        String::from_utf8_lossy(&held.text).into_owned()
    } else {
        masked::shown(held).to_string()
    };
    pb::Text {
        document: held.path.to_string(),
        text,
        created: held.created,
        modified: held.modified,
    }
}

/// Writes and deletes documents, all or none.
pub async fn apply(
    api: &Api,
    request: Request<pb::ApplyRequest>,
) -> Result<pb::ApplyResponse, Status> {
    let began = Instant::now();
    let caller = caller(&request);
    let pb::ApplyRequest {
        writes,
        dry_run,
        force,
        reason,
    } = request.into_inner();
    let changes: Vec<_> = writes.iter().map(change).collect::<Result<_, _>>()?;
    let terms = Terms {
        ttl: None,
        force,
        dry_run,
    };
    let author = Author {
        who: caller.name.clone(),
        from: caller.from.clone(),
        action: "apply",
        reason,
        trace: caller.trace.clone(),
    };
    let done = editor(api)?.commit(&changes, terms, &author).await;
    let mut deed = Deed::new(&api.access.trail, "apply", &caller.name, &caller.from);
    let names: Vec<_> = writes.iter().map(|write| &*write.document).collect();
    let named = names[..names.len().min(NAMED)].join(", ");
    deed.what = match names.len() {
        1 => named,
        many => format!("{many} documents: {named}"),
    };
    match done {
        Ok(done) => {
            if !dry_run {
                deed.step("document", began, None::<&Refused>);
            }
            let warnings = done.warnings.iter();
            let envoys = if dry_run {
                foreseen::foresee(api, &done.changed).await?
            } else {
                Vec::new()
            };
            Ok(pb::ApplyResponse {
                envoys,
                revision: done.revision,
                warnings: warnings
                    .map(|(path, said)| format!("{path}: {said}"))
                    .collect(),
            })
        }
        Err(refused) => {
            if !dry_run {
                deed.refused("document", began, &refused);
            }
            Err(status(&refused))
        }
    }
}

fn change(write: &pb::Write) -> Result<Change, Status> {
    let path = &write.document;
    let wrong = |said: String| Status::invalid_argument(format!("{path:?}: {said}"));
    let key: Key = path.parse().map_err(|error| wrong(format!("{error}")))?;
    let wish = if write.text.is_empty() {
        Wish::Delete
    } else {
        let read = documents::text(Format::Json, write.text.as_bytes());
        Wish::Put(read.map_err(|remark| wrong(remark.message))?)
    };
    Ok(Change {
        key,
        wish,
        matches: match write.expected {
            None => Match::Any,
            Some(0) => Match::Absent,
            Some(revision) => Match::Written(revision),
        },
    })
}

pub fn editor(api: &Api) -> Result<&Editor, Status> {
    api.editor.as_deref().ok_or_else(|| {
        Status::unimplemented("documents are in files (--files): read and edit them there")
    })
}

pub fn status(refused: &Refused) -> Status {
    let said = refused.to_string();
    match refused {
        Refused::Absent | Refused::NoConsumer => Status::not_found(said),
        Refused::Invalid(_) => Status::invalid_argument(said),
        Refused::Stale(_) | Refused::Conflict => Status::failed_precondition(said),
        Refused::Away(_) => Status::unavailable(said),
    }
}
