//! The files of a folder, each with its last settled form. Blocking; time is an argument; no task, no watcher.
//!
//! A file is read when it has looked the same for a moment: an editor truncates, then writes, and another one renames
//! the old file away before it writes the new one.
//!
//! A folder that had files and has none is not empty but unknown: most likely something is not mounted. What it held stays,
//! until there are files in it again, or an operator says that it is meant.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Scan, Unreadable, emptied::Emptied};

/// How long a file has to look the same before it is read.
pub(super) const SETTLED: Duration = Duration::from_millis(20);
/// How long a file has to be away before it is gone.
const GONE: Duration = Duration::from_millis(50);
/// How long a file has to be empty before that is what it holds.
const EMPTY: Duration = Duration::from_secs(1);
/// How deep folders are followed: more than any document needs, and an end to symlinks that lead in circles.
const DEPTH: usize = 6;
/// The largest file that is read, in bytes: more than etcd takes, and than any document needs.
const LARGEST: u64 = 4 << 20;

/// What is said of a folder that had files and has none.
const EMPTIED: &str = "no files are there any more, and it may just not be mounted: write files into it, or give them up with \
                       `chancery files accept-empty`";

/// What a file looks like from outside. Any write changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// How long this look has to last before it counts.
    fn patience(look: Option<Self>) -> Duration {
        match look {
            None => GONE,
            Some(Self { size: 0, .. }) => EMPTY,
            Some(_) => SETTLED,
        }
    }
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// How it looks; nothing while it is away.
    look: Option<Look>,
    since: Instant,
    /// Whether `form` is what it holds with this look.
    settled: bool,
    /// What it held when it was last settled.
    form: Option<Bytes>,
}

/// What one look at the folder found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The folder itself could be read.
    pub(super) found: bool,
    /// The scan differs from the one before.
    pub(super) changed: bool,
    /// When to look again, because a file has not settled.
    pub(super) due: Option<Duration>,
    /// A folder that had files and has none.
    pub(super) emptied: Option<PathBuf>,
    /// The first thing that could not be read.
    pub(super) problem: Option<Unreadable>,
}

/// The files of a folder as they were last seen.
pub(super) struct Tree {
    folder: PathBuf,
    wanted: fn(&str) -> bool,
    files: BTreeMap<String, File>,
    emptied: Emptied,
}

impl Tree {
    pub(super) fn new(folder: PathBuf, wanted: fn(&str) -> bool) -> Self {
        Self {
            folder,
            wanted,
            files: BTreeMap::new(),
            emptied: Emptied::default(),
        }
    }

    /// What the settled files hold.
    pub(super) fn scan(&self) -> Scan {
        let form = |(name, file): (&String, &File)| Some((name.clone(), file.form.clone()?));
        Scan(self.files.iter().filter_map(form).collect())
    }

    /// What was emptied is meant to be empty.
    pub(super) fn accept_empty(&mut self) {
        self.emptied.accept();
    }

    /// Looks at the folder; reads what has settled.
    pub(super) fn look(&mut self, now: Instant) -> Looked {
        let mut walk = Walk::default();
        let walked = fs::canonicalize(&self.folder).and_then(|root| {
            walk.root = root;
            walk.folder(&self.folder, "", self.wanted, DEPTH)
        });
        if let Err(error) = walked {
            let path = self.folder.clone();
            return Looked {
                problem: Some(Unreadable { path, error }),
                ..Looked::default()
            };
        }
        let mut looked = Looked {
            found: true,
            ..Looked::default()
        };
        let of_files = self.files.iter().filter(|(_, file)| file.form.is_some());
        let known = of_files.map(|(name, _)| name.as_str());
        let found = self
            .emptied
            .look(&walk.folders, &walk.files, walk.others, known, now);
        looked.due = found.due;
        looked.emptied = found.folder.map(|name| self.folder.join(name));
        looked.problem = looked.emptied.clone().map(|path| Unreadable {
            path,
            error: io::Error::other(EMPTIED),
        });
        self.compare(&walk, now);
        self.files
            .retain(|_, file| settle(file, now, &mut looked) == Kept::Yes);
        let unreadable = walk.unreadable.into_iter().next();
        looked.problem = looked.problem.or(unreadable.map(|(_, problem)| problem));
        looked
    }

    fn compare(&mut self, walk: &Walk, now: Instant) {
        for (name, (path, look)) in &walk.files {
            let file = self.files.entry(name.clone()).or_insert_with(|| File {
                path: path.clone(),
                look: None,
                since: now,
                settled: false,
                form: None,
            });
            file.turn(Some(*look), now);
        }
        for (name, file) in &mut self.files {
            if !walk.files.contains_key(name) && !walk.hides(name) && !self.emptied.hides(name) {
                file.turn(None, now);
            }
        }
    }
}

impl File {
    fn turn(&mut self, look: Option<Look>, now: Instant) {
        if self.look != look {
            self.look = look;
            self.since = now;
            self.settled = false;
        }
    }
}

#[derive(PartialEq)]
enum Kept {
    Yes,
    No,
}

/// Takes over what a file holds if it has looked the same for long enough.
fn settle(file: &mut File, now: Instant, looked: &mut Looked) -> Kept {
    if file.settled {
        return Kept::Yes;
    }
    let age = now.saturating_duration_since(file.since);
    let patience = Look::patience(file.look);
    if age < patience {
        let left = patience - age;
        looked.due = Some(looked.due.map_or(left, |due| due.min(left)));
        return Kept::Yes;
    }
    let Some(look) = file.look else {
        looked.changed |= file.form.is_some();
        return Kept::No;
    };
    match read(&file.path, look) {
        Ok(Some(bytes)) => {
            looked.changed |= file.form.as_ref() != Some(&bytes);
            file.form = Some(bytes);
            file.settled = true;
        }
        // It was written meanwhile: the next look sees that.
        Ok(None) => looked.due = Some(looked.due.map_or(SETTLED, |due| due.min(SETTLED))),
        Err(error) => {
            looked.problem.get_or_insert(Unreadable {
                path: file.path.clone(),
                error,
            });
        }
    }
    Kept::Yes
}

/// What a file holds, if it has this look before and afterwards.
fn read(path: &Path, look: Look) -> io::Result<Option<Bytes>> {
    if look.size > LARGEST {
        return Err(io::Error::other(format!(
            "found {} bytes, allowed are {LARGEST}",
            look.size
        )));
    }
    let read = || -> io::Result<_> {
        let file = fs::File::open(path)?;
        if Look::of(&file.metadata()?) != look {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        // It may grow meanwhile.
        (&file).take(LARGEST + 1).read_to_end(&mut bytes)?;
        let same = Look::of(&file.metadata()?) == look && Look::of(&fs::metadata(path)?) == look;
        Ok(same.then(|| bytes.into()))
    };
    match read() {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Default)]
struct Walk {
    /// The folder itself, without symbolic links.
    root: PathBuf,
    /// The folders that were looked into, by name; the whole is nameless.
    folders: BTreeMap<String, (u64, u64)>,
    /// Whether there is anything that is not wanted.
    others: bool,
    files: BTreeMap<String, (PathBuf, Look)>,
    /// The files and folders that could not be looked at, by name.
    unreadable: Vec<(String, Unreadable)>,
}

impl Walk {
    fn folder(
        &mut self,
        folder: &Path,
        below: &str,
        wanted: fn(&str) -> bool,
        depth: usize,
    ) -> io::Result<()> {
        let metadata = fs::metadata(folder)?;
        let id = (metadata.dev(), metadata.ino());
        self.folders.insert(below.to_owned(), id);
        for found in fs::read_dir(folder)? {
            let entry = found?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !ignored(&name) && !wanted(&name) {
                self.others |= holds_anything(&entry.path());
            } else if !ignored(&name) {
                let (path, name) = (entry.path(), format!("{below}{name}"));
                if let Err(error) = self.entry(&path, &name, depth) {
                    self.unreadable.push((name, Unreadable { path, error }));
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str, depth: usize) -> io::Result<()> {
        let found = self.inside(path).and_then(|metadata| {
            if metadata.is_file() {
                let look = Look::of(&metadata);
                self.files.insert(name.to_owned(), (path.to_owned(), look));
            } else if metadata.is_dir() && depth > 1 {
                self.folder(path, &format!("{name}/"), |_| true, depth - 1)?;
            }
            Ok(())
        });
        match found {
            // Gone since the folder was listed, or a symlink to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            found => found,
        }
    }

    /// What is at the path. A symbolic link is followed within the folder, as a mounted ConfigMap needs, and not out of it:
    /// who may write here might not be allowed to read what Chancery can.
    fn inside(&self, path: &Path) -> io::Result<fs::Metadata> {
        let metadata = fs::symlink_metadata(path)?;
        if !metadata.is_symlink() {
            return Ok(metadata);
        }
        let target = fs::canonicalize(path)?;
        if !target.starts_with(&self.root) {
            return Err(io::Error::other(
                "a symbolic link that leads out of the folder is not followed",
            ));
        }
        fs::metadata(target)
    }

    /// Whether the file may be there although the walk did not meet it.
    fn hides(&self, name: &str) -> bool {
        self.unreadable.iter().any(|(at, _)| {
            name.strip_prefix(at.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Whether there is a file, or a folder that is not empty.
fn holds_anything(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

/// What editors leave behind, and what is hidden.
fn ignored(name: &str) -> bool {
    name.starts_with('.') || [".swp", ".tmp", "~"].iter().any(|end| name.ends_with(end))
}
