//! Whether a document would be in force: read by the very code that reads the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::documents::Documents;
use crate::model::document::Format;
use crate::model::{Discovery, Document, Problem};
use crate::plugin;
use crate::store::writer::Held;

/// What would be wrong, in words, once `text` is at `path` beside those `others` that it names, or that stand in the same
/// row. Otherwise what Envoy would not do exactly.
pub fn check(
    path: &Arc<str>,
    text: &str,
    others: &[Held],
    registries: &[Discovery],
) -> Result<Vec<String>, String> {
    let mut documents = Documents::new(registries.to_vec());
    let held = others.iter().filter(|held| held.path != *path);
    documents.list(held.map(document).collect());
    documents.settle();
    let before = problems(&documents);
    documents.list(
        others
            .iter()
            .filter(|held| held.path != *path)
            .map(document)
            .chain([Document {
                path: path.clone(),
                source: path.clone(),
                format: Format::Json,
                value: text.to_owned().into(),
                revision: i64::MAX,
            }])
            .collect(),
    );
    documents.settle();
    for (of, problem) in problems(&documents) {
        if of != *path && before.get(&of) == Some(&problem) {
            continue;
        }
        return Err(match duplicate(path, &of, &problem) {
            Some(words) => words,
            None if of == *path => invalid(&problem),
            None => format!(
                "invalid configuration: with it `{of}` would be wrong: {}",
                problem.said()
            ),
        });
    }
    let mut statuses = documents.statuses(0);
    let own = statuses.find(|status| status.path == *path);
    let warnings = own.into_iter().flat_map(|status| status.warnings);
    Ok(warnings.map(|warning| warning.said()).collect())
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
fn duplicate(path: &str, of: &str, problem: &Problem) -> Option<String> {
    let plugin = problem.field.strip_prefix("plugins.")?.split('.').next()?;
    let (_, rest) = problem.message.split_once("is that of `consumers/")?;
    let (holder, _) = rest.split_once('`')?;
    let other = if of == path {
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
