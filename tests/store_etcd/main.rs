//! The etcd store against the real etcd: stopped, restarted, wiped, compacted, cut off, hung.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod cable;
#[path = "../support/certificates.rs"]
#[allow(dead_code)]
mod certificates;
mod etcd;
mod given_up;
mod interruptions;
mod journal;
mod listing;
mod store;
