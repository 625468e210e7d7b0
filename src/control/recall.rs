//! PriorRevision forms of bad documents that the store is still to be asked for. It takes so many questions at a time: the others
//! wait here, so that none is forgotten and the loop never waits for the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::store::PriorRevision;

/// What is still to be asked: by path, the revision whose predecessor is wanted.
#[derive(Debug, Default)]
pub struct Recall {
    unasked: BTreeMap<Arc<str>, i64>,
}

impl Recall {
    /// The form before this revision is wanted; whatever was wanted of the document before no longer is.
    pub fn want(&mut self, path: Arc<str>, revision: i64) {
        self.unasked.insert(path, revision);
    }

    pub fn is_empty(&self) -> bool {
        self.unasked.is_empty()
    }

    /// Asks as much as there is room for, in a place that is had and in all others that are free.
    pub fn ask(
        &mut self,
        place: mpsc::Permit<'_, PriorRevision>,
        places: &mpsc::Sender<PriorRevision>,
    ) {
        let mut next = Some(place);
        while let Some(free) = next
            && let Some((path, revision)) = self.unasked.pop_first()
        {
            free.send(PriorRevision { path, revision });
            next = places.try_reserve().ok();
        }
    }
}
