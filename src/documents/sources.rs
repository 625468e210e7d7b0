//! The texts that something was made of: kept with it, so that it can be made again once the texts are others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::entry::{Entry, GoodForm};
use super::{Documents, Reader, Route};
use crate::model::{Document, Id};

/// The texts in force of these documents, and of all that they refer to.
pub(super) fn of(
    entries: &HashMap<Arc<str>, Entry>,
    paths: impl IntoIterator<Item = Arc<str>>,
) -> Vec<Document> {
    let mut open: Vec<Arc<str>> = paths.into_iter().collect();
    let mut seen: HashSet<Arc<str>> = open.iter().cloned().collect();
    let mut texts = Vec::new();
    while let Some(path) = open.pop() {
        let Some(entry) = entries.get(&path) else {
            continue;
        };
        let (newest, good) = entry.texts();
        texts.push(good.unwrap_or(newest).clone());
        let references = entry.form().map(GoodForm::references);
        for to in references.into_iter().flatten() {
            if seen.insert(to.clone()) {
                open.push(to);
            }
        }
    }
    texts
}

/// The route of this id as it is made of these texts.
pub fn remade(reader: &Reader, texts: Vec<Document>, id: &Id) -> Option<Arc<Route>> {
    let mut documents = Documents::read_by(reader.clone());
    documents.list(texts);
    let routes = documents.settle().routes.into_iter();
    let mut routes = routes.filter(|(of, _)| of == id);
    routes.next()?.1
}
