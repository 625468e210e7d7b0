//! The descriptors of Envoy's messages, without comments: `tests/golden` compares them with `envoy-types` and writes them.

/// The files of the xDS port's services, and all that they import.
pub const SERVICES: &[u8] = include_bytes!("../../proto/envoy/services.bin");
/// All other files.
pub const TYPES: &[u8] = include_bytes!("../../proto/envoy/types.bin");
