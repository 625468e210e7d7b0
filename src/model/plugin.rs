//! Plugins: one file each, with its fields and what it adds to an Envoy route; nothing else knows it.

/// The plugins of one route, parsed.
#[derive(Debug, Clone, Default)]
pub struct Plugins {}
