//! Instances in files.
