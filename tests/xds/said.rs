//! What a random client says, in a form that its judge can read and the codecs of both protocols can write.

use std::collections::{BTreeMap, BTreeSet};

use chancery::snapshot::ResourceType;
use chancery::xds::{Protocol, Request};

use crate::wire;

/// A request, before it is encoded.
#[derive(Debug, Clone)]
pub struct Said {
    /// What it is about.
    pub resource_type: ResourceType,
    /// The first of its type on its stream.
    pub first: bool,
    /// SotW: all names.
    pub all: BTreeSet<String>,
    /// Delta: names wanted from now on.
    pub more: BTreeSet<String>,
    /// Delta: names not wanted any more.
    pub less: BTreeSet<String>,
    /// SotW: the version accepted last.
    pub version: String,
    /// Delta: what it has from an earlier stream, with text and version.
    pub initial: BTreeMap<String, (String, String)>,
    /// The response that it answers.
    pub nonce: String,
    /// Whether it refuses that.
    pub refuses: bool,
}

impl Said {
    /// As the wire would bring it.
    pub fn request(&self, protocol: Protocol) -> Request {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        let error = self.refuses.then_some("refused");
        let (of, nonce) = (self.resource_type, self.nonce.as_str());
        match protocol {
            Protocol::Sotw => wire::sotw_request(of, &self.version, nonce, list(&self.all), error),
            Protocol::Delta => {
                let initial = self.initial.iter();
                let initial = initial.map(|(name, (_, version))| (name.clone(), version.clone()));
                wire::delta_request(
                    of,
                    nonce,
                    list(&self.more),
                    list(&self.less),
                    initial,
                    error,
                )
            }
        }
    }
}
