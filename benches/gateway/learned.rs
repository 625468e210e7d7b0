//! What Chancery sends for a change, learned from its responses, and made again with other markers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse;
use prost::Message;
use regex::bytes::Regex;

use crate::shapes::marker;

static MARKER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"m(\d\d)-\d{6}").ok());

/// The value that a route is changed to while its responses are learned.
pub const LESSON: u32 = 1;

/// The resources of a response: those of a later one with the same are taken instead.
type Names = BTreeSet<String>;

/// A response, and where which route's marker is in it.
struct Learned {
    bytes: Bytes,
    markers: Vec<(usize, usize)>,
}

/// All that was learned.
#[derive(Default)]
pub struct Lesson {
    responses: BTreeMap<Names, Learned>,
    /// The responses to a change of each route.
    of: BTreeMap<usize, BTreeSet<Names>>,
    values: BTreeMap<usize, u32>,
}

impl Lesson {
    /// Takes a response, if it is one to the change of this route.
    pub fn hear(&mut self, number: usize, response: &Bytes) -> Result<()> {
        let markers = MARKER.as_ref().context("no pattern of markers")?;
        let lesson = marker(number, LESSON).into_bytes();
        let all: Vec<_> = markers.captures_iter(response).collect();
        if !all.iter().any(|found| found[0] == lesson) {
            return Ok(());
        }
        let place = |found: &regex::bytes::Captures| -> Result<(usize, usize)> {
            let start = found.get(0).context("a marker")?.start();
            Ok((std::str::from_utf8(&found[1])?.parse()?, start))
        };
        let decoded = DeltaDiscoveryResponse::decode(response.clone())?;
        let names: Names = decoded.resources.into_iter().map(|one| one.name).collect();
        let learned = Learned {
            bytes: response.clone(),
            markers: all.iter().map(place).collect::<Result<_>>()?,
        };
        self.responses.insert(names.clone(), learned);
        self.of.entry(number).or_default().insert(names);
        Ok(())
    }

    /// Fails where the change of one of so many routes was not heard of.
    pub fn complete(&self, routes: usize) -> Result<()> {
        let missing = (0..routes).find(|number| !self.of.contains_key(number));
        ensure!(missing.is_none(), "no response to route {missing:?}");
        Ok(())
    }

    /// Remembers that a route has changed.
    pub fn put(&mut self, number: usize, value: u32) {
        self.values.insert(number, value);
    }

    /// The responses to a change of this route, with all markers as they are; and which of these routes' changes they hold.
    pub fn responses(
        &self,
        number: usize,
        waiting: &BTreeSet<usize>,
    ) -> (Vec<Bytes>, BTreeSet<usize>) {
        let sent = self.of.get(&number).cloned().unwrap_or_default();
        let held = |other: &&usize| self.of.get(other).is_some_and(|of| of.is_subset(&sent));
        let held = waiting.iter().filter(held).copied().collect();
        let responses = sent.iter().filter_map(|names| {
            let learned = self.responses.get(names)?;
            let mut bytes = learned.bytes.to_vec();
            for (number, at) in &learned.markers {
                let value = self.values.get(number).copied().unwrap_or(LESSON);
                let marker = marker(*number, value).into_bytes();
                bytes[*at..*at + marker.len()].copy_from_slice(&marker);
            }
            Some(bytes.into())
        });
        (responses.collect(), held)
    }
}
