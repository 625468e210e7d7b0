//! The etcd store against the real etcd: stopped, restarted, wiped, compacted, cut off, hung.

mod access;
mod cable;
mod etcd;
mod interruptions;
mod listing;
mod store;
