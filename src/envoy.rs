//! What speaks Envoy's protobuf: the ground floor of everything that names its messages.
//!
//! Knows no document and no version. Equal messages become equal bytes in every process: see [`canonical()`].

mod canonical;
pub mod descriptors;
pub(crate) mod filter;
pub(crate) mod place;
pub(crate) mod proto;
pub(crate) mod view;
pub(crate) mod wire;

pub use canonical::{any, canonical};
