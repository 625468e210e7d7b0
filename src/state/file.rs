//! The file on disk: read once at the start, replaced whole or not at all. Blocks: call it off the runtime's threads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing::{error, info, warn};

use super::{Origin, Place, Saved, codec};
use crate::model::Discovery;

/// The file's name in the folder.
const NAME: &str = "inputs";
/// What a file is called that is being written.
const UNFINISHED: &str = ".tmp";
/// How many files are set aside before the last one is replaced.
const ASIDE: u32 = 9;

/// The state that was saved in `folder` and came from `origin`; nothing when there is none, or none that is of use.
/// Says what it found.
pub fn load(folder: &Path, origin: &Origin) -> Option<Saved> {
    sweep(folder);
    let path = folder.join(NAME);
    let shown = path.display();
    let bytes = match read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            info!(file = %shown, "no state is saved yet");
            return None;
        }
        Err(error) => {
            error!(file = %shown, %error, "the saved state cannot be read: starting without it");
            return None;
        }
    };
    let (from, mut saved) = match codec::decode(&bytes) {
        Ok(decoded) => decoded,
        Err(problem) => {
            let aside = set_aside(&path, "damaged");
            error!(file = %shown, %problem, aside, "the saved state is of no use: starting without it");
            return None;
        }
    };
    if !from.store.is_same(&origin.store) {
        let aside = set_aside(&path, "other");
        warn!(
            file = %shown, found = %from.store, now = %origin.store, aside,
            "the saved state is of other documents: starting without it"
        );
        return None;
    }
    for registry in Discovery::ALL {
        if from.is_same(origin, *registry) {
            continue;
        }
        let agents = |origin: &Origin| origin.registries.get(registry).cloned();
        warn!(
            file = %shown, registry = registry.as_str(), found = ?agents(&from), now = ?agents(origin),
            "the saved instances are of another registry: starting without them"
        );
        let answers = &mut saved.answers;
        answers.retain(|answered| answered.answer.service.discovery != *registry);
    }
    if let Place::Files(_) = origin.store {
        saved.revision = 0;
    }
    info!(
        file = %shown, from = %from.store, revision = saved.revision,
        documents = saved.documents.len(), services = saved.answers.len(), "saved state loaded"
    );
    Some(saved)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // To open a FIFO would wait for whoever writes into it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    fs::read(path)
}

/// Replaces what is saved in `folder`, which is created when it is not there. Whoever reads finds the state before or this
/// one, also after a loss of power.
pub(super) fn save(folder: &Path, origin: &Origin, saved: Saved) -> io::Result<()> {
    let bytes = codec::encode(origin, saved).map_err(io::Error::other)?;
    // Documents may hold secrets: nobody else reads along.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // A name of its own, should another process write into the same folder.
    let unfinished = folder.join(format!("{NAME}.{:016x}{UNFINISHED}", fastrand::u64(..)));
    let written = write(&unfinished, &bytes).and_then(|()| {
        fs::rename(&unfinished, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    });
    if written.is_err() {
        // It may never have been there.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Moves a file out of the way, to look at later: `inputs.damaged-1`. The name that it has then.
fn set_aside(path: &Path, why: &str) -> Option<String> {
    let name = |n| PathBuf::from(format!("{}.{why}-{n}", path.display()));
    let free = (1..ASIDE).find(|n| !name(*n).exists()).unwrap_or(ASIDE);
    let aside = name(free);
    match fs::rename(path, &aside) {
        Ok(()) => Some(aside.display().to_string()),
        Err(error) => {
            error!(file = %path.display(), %error, "cannot set the file aside: it will be replaced");
            None
        }
    }
}

/// Removes what a process left unfinished.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let name = file_name.to_string_lossy();
        if name.starts_with(NAME) && name.ends_with(UNFINISHED) {
            // Not worth a word: the next start tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}
