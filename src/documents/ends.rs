//! When the certificates of ssls in force end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Documents;
use super::edge::below;
use super::entry::{Entry, GoodForm};

/// By path, when the first certificate of each ssl ends, in seconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Ends {
    by_path: BTreeMap<Arc<str>, i64>,
    changed: bool,
}

impl Documents {
    pub(super) fn settle_ends(&mut self, affected: &BTreeSet<Arc<str>>) {
        for path in below("ssls/", affected) {
            let end = match self.entries.get(&path).and_then(Entry::form) {
                Some(GoodForm::Ssl(draft)) if draft.enabled => {
                    let certificates = draft.identities().iter();
                    let ends = certificates.filter_map(|one| one.certificates.not_after());
                    ends.min()
                }
                _ => None,
            };
            let by_path = &mut self.ends.by_path;
            let before = match end {
                Some(end) => by_path.insert(path, end),
                None => by_path.remove(&path),
            };
            self.ends.changed |= before != end;
        }
    }

    /// The ssls in force whose certificates end first, so many of them, with when that is; nothing when that was told.
    pub fn take_ends(&mut self, most: usize) -> Option<Vec<(Arc<str>, i64)>> {
        if !std::mem::take(&mut self.ends.changed) {
            return None;
        }
        let all = self.ends.by_path.iter();
        let mut ends: Vec<_> = all.map(|(path, end)| (path.clone(), *end)).collect();
        ends.sort_unstable_by(|(path, end), (other, at)| (end, path).cmp(&(at, other)));
        ends.truncate(most);
        Some(ends)
    }
}
