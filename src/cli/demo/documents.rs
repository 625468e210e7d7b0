//! Where the demo's documents are, and how they are changed there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};

/// What the documents lie in.
#[derive(Debug)]
pub enum Documents {
    /// A folder.
    Files(PathBuf),
    /// An etcd, which the admin port at this URL writes to.
    Etcd(String),
}

/// Whether a document was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    Yes,
    /// It is wrong, in these words.
    No(String),
}

impl Documents {
    /// Writes `routes/hello`, in YAML. In files whatever is written lies there.
    pub async fn put(&self, path: &str, text: &str) -> Result<Taken> {
        let url = match self {
            Self::Files(folder) => {
                write(&file(folder, path), text)?;
                return Ok(Taken::Yes);
            }
            Self::Etcd(admin) => format!("{admin}/apisix/admin/{path}?wait=10s"),
        };
        let request = Client::new()
            .put(url)
            .header("content-type", "application/yaml")
            .body(text.to_owned());
        let answer = request.send().await?;
        let status = answer.status();
        let said = answer.text().await?;
        if status == StatusCode::BAD_REQUEST {
            return Ok(Taken::No(said));
        }
        ensure!(status.is_success(), "{path}: status {status}: {said}");
        Ok(Taken::Yes)
    }

    pub async fn delete(&self, path: &str) -> Result<()> {
        match self {
            Self::Files(folder) => Ok(fs::remove_file(file(folder, path))?),
            Self::Etcd(admin) => {
                let url = format!("{admin}/apisix/admin/{path}?wait=10s");
                Client::new().delete(url).send().await?.error_for_status()?;
                Ok(())
            }
        }
    }
}

fn file(folder: &Path, path: &str) -> PathBuf {
    folder.join(format!("{path}.yaml"))
}

/// Writes a file, and the folders above it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
