//! What a change would do to Envoy, told before it is made.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::{Api, pb};
use crate::control::foresight::{Difference, Foreseen};
use crate::control::question::Question;
use crate::editing::{Changed, Compared};
use crate::model::Document;
use crate::model::document::{Change, Format};
use crate::snapshot::ResourceType;

/// How many resources are named of those of a type that are added, changed or removed, and how many routes that are hidden.
const NAMED: usize = 100;

/// What proxies of each gateway would be sent otherwise.
pub async fn foresee(api: &Api, changed: &[Changed]) -> Result<Vec<pb::Foreseen>, Status> {
    let changes = changed
        .iter()
        .map(|one| change(&one.path, one.after.as_ref()));
    between(api, Vec::new(), changes.collect()).await
}

/// How what proxies are sent differs between two revisions of documents. Those of which a form is not known are left out.
pub async fn compare(api: &Api, compared: &[Compared]) -> Result<Vec<pb::Foreseen>, Status> {
    let known = compared.iter().filter_map(|one| {
        let (before, after) = (one.before.as_ref().ok()?, one.after.as_ref().ok()?);
        let of = |form: &Option<_>| change(&one.path, form.as_ref());
        Some((of(before), of(after)))
    });
    let (before, after) = known.unzip();
    between(api, before, after).await
}

async fn between(
    api: &Api,
    earlier: Vec<Change>,
    changes: Vec<Change>,
) -> Result<Vec<pb::Foreseen>, Status> {
    // Each has a copy of everything.
    let _place = api.reads.acquire().await;
    let world = api.ask(Question::World).await?;
    let foreseen = spawn_blocking(move || world.foresee(earlier, changes)).await;
    let foreseen = foreseen.map_err(|error| Status::internal(error.to_string()))?;
    Ok(foreseen.into_iter().map(told).collect())
}

fn change(path: &Arc<str>, form: Option<&Map<String, Value>>) -> Change {
    let path = path.clone();
    match form {
        None => Change::Deleted { path },
        Some(fields) => Change::Put(Document {
            source: path.clone(),
            path,
            format: Format::Json,
            value: Value::Object(fields.clone()).to_string().into(),
            revision: 0,
        }),
    }
}

fn told(foreseen: Foreseen) -> pb::Foreseen {
    let by_type = foreseen.by_type;
    let touches_listener = by_type.contains_key(&ResourceType::Listener);
    let types = by_type.into_iter().map(|(of, difference)| {
        let Difference {
            added,
            changed,
            removed,
        } = difference;
        let count = |names: &[Arc<str>]| u32::try_from(names.len()).unwrap_or(u32::MAX);
        pb::TypeDifference {
            r#type: of.as_str().to_owned(),
            added_count: count(&added),
            changed_count: count(&changed),
            removed_count: count(&removed),
            added: named(&added),
            changed: named(&changed),
            removed: named(&removed),
        }
    });
    let shadowed = foreseen.shadowed.iter().take(NAMED);
    let shadowed = shadowed.map(|(route, by)| pb::Shadowed {
        route: route.to_string(),
        by: by.to_string(),
    });
    pb::Foreseen {
        shadowed: shadowed.collect(),
        shadowed_count: u32::try_from(foreseen.shadowed.len()).unwrap_or(u32::MAX),
        gateway: foreseen.gateway.to_string(),
        cohort: foreseen
            .cohort
            .map_or_else(String::new, |one| one.to_string()),
        touches_listener,
        types: types.collect(),
    }
}

fn named(names: &[Arc<str>]) -> Vec<String> {
    names.iter().take(NAMED).map(ToString::to_string).collect()
}

/// The same in an answer of the Admin API.
pub fn as_json(foreseen: &[pb::Foreseen]) -> Value {
    let types = |one: &pb::TypeDifference| {
        json!({
            "type": one.r#type,
            "added": one.added, "added_count": one.added_count,
            "changed": one.changed, "changed_count": one.changed_count,
            "removed": one.removed, "removed_count": one.removed_count,
        })
    };
    let shadowed = |one: &pb::Shadowed| json!({ "route": one.route, "by": one.by });
    let one = |one: &pb::Foreseen| {
        json!({
            "gateway": one.gateway,
            "cohort": one.cohort,
            "touches_listener": one.touches_listener,
            "types": one.types.iter().map(types).collect::<Vec<_>>(),
            "shadowed": one.shadowed.iter().map(shadowed).collect::<Vec<_>>(),
            "shadowed_count": one.shadowed_count,
        })
    };
    foreseen.iter().map(one).collect()
}
