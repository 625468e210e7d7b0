//! Answers that Envoy gives for a plugin, and where their bodies come from: a listener cannot know what a route configures,
//! so it takes the body from the route's metadata.

use super::denial;

pub use super::filter::BODIES;

/// An answer of Envoy's own that has the body which the route names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What Envoy calls the reason of the answer, its response code details.
    pub details: String,
    /// The status, where it is not the one that Envoy gives.
    pub status: Option<u32>,
    /// The name of the body in the route's metadata, under [`BODIES`].
    pub body: String,
}

/// All of them, each by its own details.
pub fn replies() -> Vec<Reply> {
    let filters = super::http_filters();
    let denials = filters.iter().flat_map(denial::replies);
    denials.collect()
}
