//! Instances in files: `DIR/instances/<service>.yaml`, `.yml` or `.json`.
//!
//! A wanted service without a file has no instances; one whose file cannot be read as it stands keeps those it had. What
//! a file may say: [`instances`]. How a folder is watched is not its business.

mod instances;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Answer;
use crate::folder::{self, Scan};
use crate::model::document::Format;
use crate::model::{Discovery, ServiceKey};
use crate::telemetry::Source;

/// What lies directly in the folder and is looked into.
const FOLDER: &str = "instances";

/// The services that are wanted, as their watch holds them.
type Services = Arc<BTreeSet<ServiceKey>>;

/// Watches `folder`/instances for the services in `wanted` until shutdown. The first answer of a service comes once the
/// folder was read, later ones when they differ. Never returns because of a failure.
pub async fn watch(
    folder: PathBuf,
    source: Source,
    mut wanted: watch::Receiver<Services>,
    answers: mpsc::Sender<Answer>,
    shutdown: CancellationToken,
) {
    let (sender, mut scans) = mpsc::channel(1);
    let mut files = Files::new(folder.clone());
    wanted.mark_changed();
    let telling = async {
        loop {
            tokio::select! {
                Some(scan) = scans.recv() => files.handle_scan(scan),
                Ok(()) = wanted.changed() => files.handle_wanted(wanted.borrow_and_update().clone()),
                else => return,
            }
            for answer in files.poll_answers() {
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = folder::watch(folder, |name| name == FOLDER, &source, sender, shutdown) => {}
        () = telling => {}
    }
}

/// The files as they were last read, and what was told of them.
struct Files {
    folder: PathBuf,
    /// By service; nothing before the first scan.
    files: Option<BTreeMap<Arc<str>, File>>,
    /// Files that are no service's, and why: said once.
    strays: BTreeSet<String>,
    wanted: Services,
    told: BTreeMap<ServiceKey, Answer>,
}

/// The file of one service.
struct File {
    /// Its path below the folder.
    name: String,
    text: Bytes,
    /// What it said when it could last be read.
    good: Option<Answer>,
}

impl Files {
    fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            files: None,
            strays: BTreeSet::new(),
            wanted: Services::default(),
            told: BTreeMap::new(),
        }
    }

    /// Takes another set of services. One that leaves it and comes back is answered anew.
    fn handle_wanted(&mut self, wanted: Services) {
        self.told.retain(|service, _| wanted.contains(service));
        self.wanted = wanted;
    }

    /// Takes what the folder holds now; reads the files that differ, those of services that nobody wants yet too, so that
    /// what is wrong with them is said before they are needed.
    fn handle_scan(&mut self, scan: Scan) {
        let mut before = self.files.take().unwrap_or_default();
        let mut files: BTreeMap<Arc<str>, File> = BTreeMap::new();
        let mut strays = BTreeSet::new();
        for (name, text) in scan.0 {
            let Some((stem, format)) = service(&name) else {
                strays.insert(format!(
                    "{name} is left out, allowed: {FOLDER}/<service>.yaml, .yml or .json"
                ));
                continue;
            };
            // In the order of their names: of `a.json` and `a.yaml` the first one is in force.
            if let Some(first) = files.get(stem) {
                strays.insert(format!(
                    "{name} is left out: {} is the same service",
                    first.name
                ));
                continue;
            }
            let service: Arc<str> = stem.into();
            let file = match before.remove(&service) {
                Some(file) if file.name == name && file.text == text => file,
                before => self.read(&service, name, format, text, before),
            };
            files.insert(service, file);
        }
        for stray in strays.difference(&self.strays) {
            tracing::warn!(folder = %self.folder.display(), "{stray}");
        }
        self.strays = strays;
        self.files = Some(files);
    }

    fn read(
        &self,
        service: &Arc<str>,
        name: String,
        format: Format,
        text: Bytes,
        before: Option<File>,
    ) -> File {
        let good = match instances::read(format, &text) {
            Ok(instances) => Some(Answer::new(key(service), instances)),
            Err(error) => {
                let file = self.folder.join(&name);
                tracing::warn!(
                    file = %file.display(),
                    error,
                    "instances cannot be read: those that are known stay"
                );
                before.and_then(|before| before.good)
            }
        };
        File { name, text, good }
    }

    /// What has not been told yet.
    fn poll_answers(&mut self) -> Vec<Answer> {
        let Some(files) = &self.files else {
            return Vec::new();
        };
        let mut news = Vec::new();
        for service in self.wanted.iter() {
            let answer = match files.get(&service.name) {
                Some(file) => file.good.clone(),
                None => Some(Answer::new(service.clone(), Vec::new())),
            };
            if let Some(answer) = answer
                && self.told.get(service) != Some(&answer)
            {
                self.told.insert(service.clone(), answer.clone());
                news.push(answer);
            }
        }
        news
    }
}

fn key(service: &Arc<str>) -> ServiceKey {
    ServiceKey::new(Discovery::File, Arc::clone(service))
}

/// Whose file this is, and how it is written.
fn service(name: &str) -> Option<(&str, Format)> {
    let (folder, file) = name.split_once('/')?;
    let (service, extension) = file.rsplit_once('.')?;
    let format = match extension {
        "json" => Format::Json,
        "yaml" | "yml" => Format::Yaml,
        _ => return None,
    };
    let is_service = folder == FOLDER && !service.is_empty() && !service.contains('/');
    is_service.then_some((service, format))
}
