//! The kinds of registries: a new one is a row in each of these, and a folder beside this file.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::freshness::Freshness;
use super::{Agents, Answer, consul, file};
use crate::model::{Discovery, ServiceKey};
use crate::telemetry::Source;

/// A registry to watch, as settings name it.
#[derive(Debug, Clone)]
pub enum Registry {
    Consul(consul::Settings),
    /// Files in a folder, beside the documents.
    Files(PathBuf),
}

impl Registry {
    /// Which services it knows.
    pub fn discovery(&self) -> Discovery {
        match self {
            Self::Consul(_) => Discovery::Consul,
            Self::Files(_) => Discovery::File,
        }
    }

    /// What logs, metrics and readiness call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Consul(_) => "consul",
            Self::Files(_) => "instance files",
        }
    }

    /// How many connections it may have, where it has any.
    pub fn connections(&mut self) -> Option<&mut usize> {
        match self {
            Self::Consul(settings) => Some(&mut settings.connections),
            Self::Files(_) => None,
        }
    }

    /// Whoever can be told that an instance is taken out, where anybody can.
    pub fn agents(&self, template: Option<String>) -> Option<Agents> {
        match self {
            Self::Consul(settings) => Some(Agents::new(settings.clone(), template)),
            Self::Files(_) => None,
        }
    }

    /// Tells who there is of the services in `wanted`, until shutdown.
    pub async fn watch(
        self,
        source: Source,
        freshness: Freshness,
        wanted: watch::Receiver<Arc<BTreeSet<ServiceKey>>>,
        answers: mpsc::Sender<Answer>,
        shutdown: CancellationToken,
    ) {
        match self {
            Self::Consul(settings) => {
                consul::watch(settings, source, freshness, wanted, answers, shutdown).await;
            }
            Self::Files(folder) => {
                file::watch(folder, source, wanted, answers, shutdown).await;
            }
        }
    }
}
