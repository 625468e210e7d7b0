//! Between the loop and drains: which instances are taken out.

use super::Control;
use crate::model::document::Change;
use crate::model::drain::Touched;
use crate::model::{Document, Drains};

impl Control {
    /// Takes the drains out of a listing, and leaves the rest.
    pub(super) fn list_drains(&mut self, documents: Vec<Document>) -> Vec<Document> {
        let is_drain = |document: &Document| Drains::has_path(&document.path);
        let (drains, documents) = documents.into_iter().partition(is_drain);
        let touched = self.drains.list(drains);
        self.touch(&touched);
        documents
    }

    /// Takes a change of a document, or of a drain.
    pub(super) fn apply(&mut self, change: Change) {
        let path = match &change {
            Change::Put(document) => &document.path,
            Change::Deleted { path } => path,
        };
        if Drains::has_path(path) {
            let touched = self.drains.apply(change);
            self.touch(&touched);
        } else {
            self.documents.apply(change);
        }
    }

    /// Instances of these services were taken out or put back.
    fn touch(&mut self, services: &Touched) {
        for (gateway, builder) in &mut self.builders {
            for service in services {
                builder.handle_drained(service);
                self.touched.insert(gateway.clone());
            }
        }
    }
}
