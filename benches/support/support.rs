//! What several benchmarks need: servers of a run, their processes, and gRPC streams of bytes. Measures nothing.
#![allow(dead_code)] // Each asks for another part of it.

pub mod process;
pub mod raw;
pub mod servers;
