//! Puts a watch's responses together. No I/O.
//!
//! etcd never splits a revision over two messages, except as fragments, which say so: those are held back until the
//! last one is here.

use etcd_client::proto::{PbEvent, PbWatchResponse};

use super::broken::Broken;

/// What a watch's response says once it is whole.
#[derive(Debug, PartialEq)]
pub(super) enum WatchAnswer {
    /// etcd is alive.
    Alive,
    /// All events up to this revision have been sent.
    Progress(i64),
    /// Whole revisions, in order; never empty.
    Events(Vec<PbEvent>),
}

/// The responses of one watch.
#[derive(Default)]
pub(super) struct Answers {
    /// Events of the fragments before the last one.
    held: Vec<PbEvent>,
}

impl Answers {
    pub(super) fn handle_response(
        &mut self,
        response: PbWatchResponse,
    ) -> Result<WatchAnswer, Broken> {
        // A compacted watch is cancelled and then silent for ever; the stream stays open.
        if response.canceled && response.compact_revision > 0 {
            return Err(Broken::Compacted(response.compact_revision));
        }
        if response.canceled {
            return Err(Broken::Refused(response.cancel_reason));
        }
        self.held.extend(response.events);
        if response.fragment {
            return Ok(WatchAnswer::Alive);
        }
        if !self.held.is_empty() {
            return Ok(WatchAnswer::Events(std::mem::take(&mut self.held)));
        }
        match response.header {
            Some(header) if !response.created => Ok(WatchAnswer::Progress(header.revision)),
            _ => Ok(WatchAnswer::Alive),
        }
    }
}
