//! Whether a document would be in force: read by the very code that reads the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::documents::{Documents, Reader};
use crate::model::document::Format;
use crate::model::{Document, Problem};
use crate::plugin;
use crate::store::writer::Held;

/// What would be wrong, in words, once these texts are at their paths beside those `others` that they name, or that stand in
/// the same row. Otherwise what Envoy would not do exactly.
pub fn check(
    written: &[(Arc<str>, String)],
    others: &[Held],
    reader: &Reader,
) -> Result<Vec<(Arc<str>, String)>, String> {
    let own: BTreeSet<_> = written.iter().map(|(path, _)| path).collect();
    let beside = || others.iter().filter(|held| !own.contains(&held.path));
    let reader = reader.trusting();
    let mut documents = Documents::read_by(reader);
    documents.list(beside().map(document).collect());
    documents.settle();
    let before = problems(&documents);
    let all = beside().map(document).chain(written.iter().map(new));
    documents.list(all.collect());
    documents.settle();
    for (of, problem) in problems(&documents) {
        if !own.contains(&of) && before.get(&of) == Some(&problem) {
            continue;
        }
        let is_alone = written.len() == 1;
        return Err(match duplicate(&own, &of, &problem) {
            Some(words) => words,
            None if is_alone && own.contains(&of) => invalid(&problem),
            None if own.contains(&of) => format!("{of}: {}", invalid(&problem)),
            None => format!(
                "invalid configuration: with it `{of}` would be wrong: {}",
                problem.said()
            ),
        });
    }
    let statuses = documents.statuses(0);
    let written = statuses.filter(|status| own.contains(&status.path));
    let warnings = written.flat_map(|status| {
        let path = status.path.clone();
        let said = status.warnings.into_iter();
        said.map(move |warning| (path.clone(), warning.said()))
    });
    Ok(warnings.collect())
}

/// Which of `users` would be wrong, and why, that are not so now among `documents`, once others are `written` or gone.
pub fn made_wrong<'a>(
    documents: impl Iterator<Item = &'a Held>,
    written: &[(Arc<str>, Option<String>)],
    users: &BTreeSet<Arc<str>>,
    reader: &Reader,
) -> Vec<(Arc<str>, String)> {
    let reader = reader.trusting();
    let mut read = Documents::read_by(reader.clone());
    let now: Vec<_> = documents.map(document).collect();
    let own: BTreeSet<_> = written.iter().map(|(path, _)| path).collect();
    let kept = now.iter().filter(|one| !own.contains(&one.path)).cloned();
    let texts = written.iter().filter_map(|(path, text)| {
        let text = text.clone()?;
        Some(new(&(path.clone(), text)))
    });
    let then: Vec<_> = kept.chain(texts).collect();
    read.list(now);
    read.settle();
    let before = problems(&read);
    // Read anew, so that no form of before stays in force.
    let mut read = Documents::read_by(reader);
    read.list(then);
    read.settle();
    let after = problems(&read).into_iter();
    let wrong = after.filter(|(of, _)| users.contains(of) && !before.contains_key(of));
    wrong.map(|(of, problem)| (of, problem.said())).collect()
}

fn new((path, text): &(Arc<str>, String)) -> Document {
    Document {
        path: path.clone(),
        source: path.clone(),
        format: Format::Json,
        value: text.clone().into(),
        revision: i64::MAX,
    }
}

fn problems(documents: &Documents) -> BTreeMap<Arc<str>, Problem> {
    let faults = documents.faults();
    faults
        .map(|(path, problem)| (path.clone(), problem.clone()))
        .collect()
}

fn document(held: &Held) -> Document {
    Document {
        path: held.path.clone(),
        source: held.path.clone(),
        format: Format::Json,
        value: held.text.clone(),
        revision: held.modified,
    }
}

/// What is said where two consumers would hold the same; the problem is told of either.
fn duplicate(own: &BTreeSet<&Arc<str>>, of: &Arc<str>, problem: &Problem) -> Option<String> {
    let plugin = problem.field.strip_prefix("plugins.")?.split('.').next()?;
    let (_, rest) = problem.message.split_once("is that of `consumers/")?;
    let (holder, _) = rest.split_once('`')?;
    let other = if own.contains(of) {
        holder
    } else {
        of.strip_prefix("consumers/")?
    };
    let consumer = other.split('/').next()?;
    let field = &problem.field;
    Some(format!(
        "duplicate key of plugin {plugin} found with consumer: {consumer} (`{field}`)"
    ))
}

/// What is wrong, with the words that clients look for.
fn invalid(problem: &Problem) -> String {
    let said = problem.said();
    let named = problem.field.strip_prefix("plugins.").or_else(|| {
        let rest = problem.message.split_once('"')?.1;
        Some(rest.split_once('"')?.0)
    });
    let of_plugins = problem.field.starts_with("plugins");
    let unknown = named
        .filter(|_| of_plugins)
        .and_then(|name| name.split('.').next())
        .filter(|name| !plugin::names().any(|known| known == *name));
    match unknown {
        Some(name) => format!("unknown plugin [{name}]: {said}"),
        None if problem.field.is_empty() => format!("invalid configuration: {said}"),
        None => format!(
            "invalid configuration: property \"{}\" validation failed: {}",
            problem.field, problem.message
        ),
    }
}

#[cfg(test)]
mod tests;
