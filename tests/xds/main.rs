//! The xDS streams, called and compared without sockets: conversations as text, and a random client against random
//! changes.

// Tests from end to end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod judge;
mod plan;
mod property;
mod said;
mod script;
mod stage;
mod transcripts;
mod wire;
mod world;
