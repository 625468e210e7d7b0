//! When all that is registered of a service was written, in one number: what was read of it can be compared to what nodes say
//! that they have, without keeping either. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// When the instances of a service, and the nodes that they are on, were written. Their order does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written(u64);

/// By the names of services; one without instances is not there.
pub type Registrations = HashMap<Arc<str>, Written>;

impl Written {
    /// One instance: its node, when that was written, its id there, and when it was.
    pub fn of(node: &str, node_written: u64, id: &str, written: u64) -> Self {
        let seed = xxh3_64_with_seed(node.as_bytes(), node_written);
        let seed = xxh3_64_with_seed(id.as_bytes(), seed);
        Self(xxh3_64_with_seed(&written.to_le_bytes(), seed))
    }

    pub fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}
