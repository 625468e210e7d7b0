//! The archive: files of one folder, compressed. It is whole before anything is written to the disk.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// Who may read the archive, and what is unpacked of it.
const OWNER_ONLY: u32 = 0o600;

pub struct Archive {
    tar: Builder<GzEncoder<Vec<u8>>>,
    folder: String,
    seconds: u64,
}

impl Archive {
    /// One without files; they come into `folder`, and are as old as that.
    pub fn new(folder: &str, seconds: u64) -> Self {
        Self {
            tar: Builder::new(GzEncoder::new(Vec::new(), Compression::default())),
            folder: folder.to_owned(),
            seconds,
        }
    }

    pub fn add(&mut self, name: &str, text: &str) -> Result<()> {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(OWNER_ONLY);
        header.set_mtime(self.seconds);
        let path = format!("{}/{name}", self.folder);
        let added = self.tar.append_data(&mut header, path, text.as_bytes());
        added.with_context(|| format!("{name} cannot be put into the archive"))
    }

    /// Writes it to a file that is not there yet.
    pub fn write(self, file: &Path) -> Result<()> {
        let bytes = self.tar.into_inner()?.finish()?;
        let shown = || format!("cannot write {}", file.display());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(OWNER_ONLY);
        let mut out = options.open(file).with_context(shown)?;
        let written = out.write_all(&bytes).and_then(|()| out.sync_all());
        if written.is_err() {
            // Half an archive is of no use; that it cannot be removed either is the same trouble.
            let _ = std::fs::remove_file(file);
        }
        written.with_context(shown)
    }
}
