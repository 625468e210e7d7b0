//! Documents in files.
