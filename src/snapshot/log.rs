//! Which names the last snapshots changed.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ResourceType;

/// How many snapshots back a stream may have looked last and still get its diff from the log.
const LENGTH: usize = 256;

/// The names that one snapshot changed, by type.
type Names = [Vec<Arc<str>>; ResourceType::ALL.len()];

/// Which names the last snapshots changed. A clone shares the names.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The sequence of the newest entry.
    sequence: u64,
    entries: VecDeque<Arc<Names>>,
}

impl Log {
    pub(super) fn next(&self, sequence: u64, names: Names) -> Self {
        let keep = self.entries.len().min(LENGTH - 1);
        let mut entries: VecDeque<_> = self
            .entries
            .range(self.entries.len() - keep..)
            .cloned()
            .collect();
        entries.push_back(Arc::new(names));
        Self { sequence, entries }
    }

    pub(super) fn since(
        &self,
        sequence: u64,
        resource_type: ResourceType,
    ) -> Option<impl Iterator<Item = &Arc<str>>> {
        let missed = usize::try_from(self.sequence.checked_sub(sequence)?).ok()?;
        let skip = self.entries.len().checked_sub(missed)?;
        let entries = self.entries.range(skip..);
        Some(entries.flat_map(move |names| &names[resource_type.index()]))
    }
}
