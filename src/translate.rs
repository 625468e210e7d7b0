//! The model to Envoy's messages, one resource at a time. Total: what could fail was a problem of the document.
//!
//! Knows no versions and no streams. Equal input gives equal bytes in every process: see `canonical`.
