use super::*;
use crate::model::document::Format;

fn paths(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

fn documents(names: &[&str]) -> Vec<Document> {
    let document = |name: &&str| Document {
        path: (*name).into(),
        source: (*name).into(),
        format: Format::Json,
        value: Vec::new().into(),
        revision: 1,
    };
    names.iter().map(document).collect()
}

impl Missing {
    /// What is gone by a listing, and whether the rest stays.
    fn hears(
        &mut self,
        known: &[&str],
        before: i64,
        listed: &[&str],
        revision: i64,
    ) -> (Vec<Arc<str>>, bool) {
        let known = paths(known);
        let outcome = self.handle_listed(known.iter(), before, &documents(listed), revision);
        (outcome.gone, outcome.begins)
    }

    fn are(&self) -> Vec<&str> {
        self.paths.iter().map(|path| &**path).collect()
    }
}

#[test]
fn far_fewer_documents_of_a_store_that_went_back_are_missing_and_not_gone() {
    for listed in [&[][..], &["c"]] {
        let mut missing = Missing::default();
        let (gone, begins) = missing.hears(&["a", "b", "c"], 9, listed, 2);
        assert!(gone.is_empty() && begins);
        assert_eq!(missing.are().len(), 3 - listed.len());
        assert_eq!(missing.revision(), Some(9));
    }
}

#[test]
fn a_store_that_goes_on_or_has_most_of_them_is_believed() {
    let mut missing = Missing::default();
    // Compacted meanwhile, and everything deleted.
    let (gone, begins) = missing.hears(&["a", "b"], 9, &[], 10);
    assert_eq!((gone.len(), begins), (2, false));
    // Restored from a copy.
    let (gone, begins) = missing.hears(&["a", "b", "c"], 9, &["a", "b"], 2);
    assert_eq!((gone, begins), (paths(&["c"]), false));
    assert_eq!(missing.revision(), None);
}

#[test]
fn what_the_store_says_of_a_missing_document_counts() {
    let mut missing = Missing::default();
    missing.hears(&["a", "b", "c"], 9, &[], 2);
    assert!(!missing.handle_named("a"));
    assert!(!missing.handle_named("x"), "it was not missing");
    // Listed anew, while the others are still missing: only what is said is gone.
    let (gone, begins) = missing.hears(&["a", "b", "c"], 3, &["b"], 4);
    assert_eq!((gone, begins), (paths(&["a"]), false));
    assert_eq!(missing.are(), ["c"]);
    assert!(missing.handle_named("c"));
    assert_eq!(missing.revision(), None);
}

#[test]
fn an_operator_settles_it_beforehand_or_afterwards() {
    let mut missing = Missing::new(true);
    let (gone, begins) = missing.hears(&["a", "b"], 9, &[], 2);
    assert_eq!((gone.len(), begins), (2, false));
    // Of the first listing only.
    assert!(missing.hears(&["a", "b"], 9, &[], 2).1);
    assert_eq!(missing.take().len(), 2);
    assert!(missing.paths().is_empty());
}
