//! What proxies refuse: told when it comes and when it is over, and looked for in the store's history where no accepted
//! form is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The documents that proxies refuse.
#[derive(Debug, Default)]
pub struct Refused {
    /// By path, and why.
    documents: BTreeMap<String, Arc<str>>,
    /// Those whose earlier form was looked for.
    recalled: BTreeSet<String>,
}

/// What is different from before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Documents that are refused and were not, and why.
    pub new: Vec<(String, Arc<str>)>,
    /// Documents that were refused and are not.
    pub over: Vec<String>,
}

impl Refused {
    /// By path, the documents, and why.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Arc<str>)> {
        self.documents.iter()
    }

    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// These are refused, and no others.
    pub fn handle_refused(&mut self, now: BTreeMap<String, Arc<str>>) -> Difference {
        let before = std::mem::replace(&mut self.documents, now);
        let new = self
            .documents
            .iter()
            .filter(|(document, _)| !before.contains_key(*document));
        let over = before
            .keys()
            .filter(|document| !self.documents.contains_key(*document));
        Difference {
            new: new.map(|(of, error)| (of.clone(), error.clone())).collect(),
            over: over.cloned().collect(),
        }
    }

    /// Of these no accepted form is known in this process's time. Tells of which of them, and why they are refused, an earlier
    /// form is to be looked for: of each once, until it is another one or accepted.
    pub fn handle_withdrawn(&mut self, withdrawn: BTreeSet<String>) -> Vec<(String, Arc<str>)> {
        self.recalled
            .retain(|document| withdrawn.contains(document));
        let mut wanted = Vec::new();
        for document in withdrawn {
            if let Some(error) = self.documents.get(&document)
                && self.recalled.insert(document.clone())
            {
                wanted.push((document, error.clone()));
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(documents: &[&str]) -> BTreeMap<String, Arc<str>> {
        documents
            .iter()
            .map(|document| ((*document).to_owned(), "bad".into()))
            .collect()
    }

    fn names(documents: &[&str]) -> BTreeSet<String> {
        documents.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_and_what_is_over_is_told_once() {
        let mut all = Refused::default();
        let difference = all.handle_refused(refused(&["a", "b"]));
        let new = |names: &[&str]| refused(names).into_iter().collect::<Vec<_>>();
        assert_eq!(difference.new, new(&["a", "b"]));
        assert!(difference.over.is_empty());
        let same = all.handle_refused(refused(&["a", "b"]));
        assert_eq!(same, Difference::default());
        let difference = all.handle_refused(refused(&["b", "c"]));
        assert_eq!(difference.new, new(&["c"]));
        assert_eq!(difference.over, ["a"]);
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn an_earlier_form_is_looked_for_once_until_the_document_is_another_one() {
        let mut all = Refused::default();
        all.handle_refused(refused(&["a", "b"]));
        let wanted = all.handle_withdrawn(names(&["a"]));
        assert_eq!(wanted, [("a".to_owned(), "bad".into())]);
        assert!(all.handle_withdrawn(names(&["a"])).is_empty());
        // It was replaced, and what replaced it is refused as well.
        assert!(all.handle_withdrawn(names(&[])).is_empty());
        assert_eq!(all.handle_withdrawn(names(&["a"])).len(), 1);
        // Of what nobody refuses nothing is looked for.
        assert!(all.handle_withdrawn(names(&["a", "other"])).is_empty());
    }
}
