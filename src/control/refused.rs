//! What proxies refuse: told when it comes and when it is over, and looked for in the store's history where no accepted
//! form is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::build::{Held, Refusal};

/// The documents that proxies refuse.
#[derive(Debug, Default)]
pub struct Refused {
    /// By path, and who refuses what of them.
    documents: BTreeMap<String, Vec<Held>>,
    /// Those whose earlier form was looked for.
    recalled: BTreeSet<String>,
    /// Those whose earlier form may have taken their place, and the proxies that refused them.
    given_up: BTreeMap<String, BTreeSet<Arc<str>>>,
}

/// What is different from before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Documents that are refused and were not, and why.
    pub new: Vec<(String, Held)>,
    /// Documents that were refused and are not.
    pub over: Vec<String>,
}

impl Refused {
    /// By path, the documents, and who refuses what of them.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Vec<Held>)> {
        self.documents.iter()
    }

    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// These are refused, and no others.
    pub fn handle_refused(&mut self, now: BTreeMap<String, Vec<Held>>) -> Difference {
        let before = std::mem::replace(&mut self.documents, now);
        let new = self
            .documents
            .iter()
            .filter(|(document, _)| !before.contains_key(*document));
        let over = before
            .keys()
            .filter(|document| !self.documents.contains_key(*document));
        Difference {
            new: new
                .filter_map(|(of, held)| Some((of.clone(), held.first()?.clone())))
                .collect(),
            over: over.cloned().collect(),
        }
    }

    /// A proxy is gone for good. Tells which documents may be tried again, as none is left that refused them.
    pub fn handle_left(&mut self, node: &str) -> Vec<String> {
        let all = self.given_up.iter_mut();
        let over = all.filter_map(|(document, nodes)| {
            (nodes.remove(node) && nodes.is_empty()).then(|| document.clone())
        });
        let over: Vec<String> = over.collect();
        for document in &over {
            self.release(document);
        }
        over
    }

    /// A document is tried again.
    pub fn release(&mut self, document: &str) {
        self.given_up.remove(document);
        self.recalled.remove(document);
    }

    /// Of these no accepted form is known in this process's time. Tells of which of them, and why they are refused, an earlier
    /// form is to be looked for: of each once, until it is another one or accepted.
    pub fn handle_withdrawn(&mut self, withdrawn: BTreeSet<String>) -> Vec<(String, Arc<str>)> {
        self.recalled
            .retain(|document| withdrawn.contains(document));
        let mut wanted = Vec::new();
        for document in withdrawn {
            if let Some(all) = self.documents.get(&document)
                && let Some(first) = all.first()
                && self.recalled.insert(document.clone())
            {
                let nodes = self.given_up.entry(document.clone()).or_default();
                nodes.extend(
                    all.iter()
                        .flat_map(|held| held.refusal.nodes.iter().cloned()),
                );
                let error = first.refusal.error.clone();
                wanted.push((document, error));
            }
        }
        wanted
    }
}

/// How many proxies a sentence names.
const NAMED: usize = 5;

/// Who refuses what of a document, since when, and why.
pub fn said(held: &Held) -> String {
    let Refusal {
        error,
        nodes,
        since,
        ..
    } = &held.refusal;
    let named: Vec<&str> = nodes.iter().take(NAMED).map(|node| &**node).collect();
    let others = match nodes.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let cohort = held
        .cohort
        .as_ref()
        .map_or("a proxy", |cohort| cohort.name());
    let since = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(*since));
    format!(
        "{} refused in gateway {} by {cohort} ({}{others}; since {since}): {error}",
        held.resource,
        held.gateway,
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::Refusal;

    fn held() -> Held {
        Held {
            gateway: "edge".parse().unwrap(),
            cohort: None,
            sent: None,
            resource: "RDS edge".to_owned(),
            refusal: Refusal::new("bad".into(), "node".into(), 0),
        }
    }

    fn refused(documents: &[&str]) -> BTreeMap<String, Vec<Held>> {
        let refused = documents.iter();
        refused
            .map(|document| ((*document).to_owned(), vec![held()]))
            .collect()
    }

    fn names(documents: &[&str]) -> BTreeSet<String> {
        documents.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_and_what_is_over_is_told_once() {
        let mut all = Refused::default();
        let difference = all.handle_refused(refused(&["a", "b"]));
        let new = |names: &[&'static str]| -> Vec<_> {
            let names = names.iter();
            names.map(|name| ((*name).to_owned(), held())).collect()
        };
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

    #[test]
    fn what_an_earlier_form_replaced_is_tried_again_once_all_that_refused_it_have_left() {
        let mut all = Refused::default();
        all.handle_refused(refused(&["a"]));
        all.handle_withdrawn(names(&["a"]));
        // The earlier form is accepted: nothing is refused any more.
        all.handle_refused(refused(&[]));
        all.handle_withdrawn(names(&[]));
        assert!(all.handle_left("other").is_empty());
        assert_eq!(all.handle_left("node"), ["a"]);
        assert!(all.handle_left("node").is_empty());
    }

    #[test]
    fn what_two_refused_is_not_tried_again_before_both_have_left() {
        let mut all = Refused::default();
        let mut both = refused(&["a"]);
        let mut second = held();
        second.refusal.nodes = BTreeSet::from(["second".into()]);
        both.entry("a".to_owned()).or_default().push(second);
        all.handle_refused(both);
        all.handle_withdrawn(names(&["a"]));
        assert!(all.handle_left("node").is_empty());
        assert_eq!(all.handle_left("second"), ["a"]);
    }
}
