//! What the connections of both ports have in common: places, in all and by address, and what goes on on each. Must not
//! know what is spoken.

mod activity;
mod room;

pub use activity::{Activity, Patience, Verdict, Watched, tracked};
pub use room::{Full, Room, Rooms};
