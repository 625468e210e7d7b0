//! Folders that had files and have none, whose files are therefore not known to be gone. That is the whole when nothing is
//! in it, what is not looked at included, and a folder below it when another one stands in its place, as where something is
//! mounted no more: the last file of a folder that is still the same was deleted.
//!
//! What comes back comes bit by bit, so that it is waited for a moment before what is still missing is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long files may be away after others of their folder came back.
const RETURNING: Duration = Duration::from_secs(3);

/// Which folders are emptied, by their names with a slash at the end; the whole is nameless.
#[derive(Debug, Default)]
pub(super) struct Emptied {
    /// Folders that had files, and which they were.
    known: BTreeMap<String, (u64, u64)>,
    /// Folders that have no files, or have had some again since then.
    kept: BTreeMap<String, Option<Instant>>,
    /// Folders that are meant to have no files, until they have some again.
    meant: BTreeSet<String>,
}

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The first folder that has no files.
    pub(super) folder: Option<String>,
    /// When what a folder with files again does not have is gone.
    pub(super) due: Option<Duration>,
}

impl Emptied {
    /// Takes a look at folders with their identities, at files, whether there are `others` that are not looked at, and at the
    /// files that are `known` to hold something.
    pub(super) fn look<'a, F>(
        &mut self,
        folders: &BTreeMap<String, (u64, u64)>,
        files: &BTreeMap<String, F>,
        others: bool,
        known: impl Iterator<Item = &'a str> + Clone,
        now: Instant,
    ) -> Found {
        for (name, id) in folders {
            let other = self.known.get(name).is_some_and(|known| known != id);
            // The first one at or after the folder's name.
            let first = files.range(name.clone()..).next();
            let has_files = first.is_some_and(|(file, _)| file.starts_with(name))
                || (others && name.is_empty());
            if has_files {
                self.known.insert(name.clone(), *id);
                self.meant.remove(name);
            } else if self.meant.contains(name) {
                self.known.insert(name.clone(), *id);
            } else if (name.is_empty() || other) && known.clone().any(|file| file.starts_with(name))
            {
                self.kept.insert(name.clone(), None);
                continue;
            }
            if let Some(since) = self.kept.get_mut(name) {
                since.get_or_insert(now);
            }
        }
        let left =
            |since: &Instant| RETURNING.saturating_sub(now.saturating_duration_since(*since));
        self.kept.retain(|name, since| {
            // One that was removed on purpose is no longer there.
            folders.contains_key(name) && !since.as_ref().is_some_and(|since| left(since).is_zero())
        });
        let mut emptied = self.kept.iter().filter(|(_, since)| since.is_none());
        Found {
            folder: emptied.next().map(|(name, _)| name.clone()),
            due: self.kept.values().flatten().map(left).min(),
        }
    }

    /// Those that have no files are meant to have none: what they held is gone.
    pub(super) fn accept(&mut self) {
        let emptied = self.kept.iter().filter(|(_, since)| since.is_none());
        self.meant.extend(emptied.map(|(name, _)| name.clone()));
        self.kept.retain(|_, since| since.is_some());
    }

    /// Whether a file that is not there is not known to be gone.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.kept.keys().any(|folder| name.starts_with(folder))
    }
}
