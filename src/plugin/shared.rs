//! What several plugins have in common; none of these is a plugin. `translate` reads here what a listener must hold for them.

pub mod anew;
pub mod answer;
pub mod asked;
pub mod compression;
pub mod condition;
pub mod denial;
pub mod fault;
pub mod header;
pub mod identity;
pub mod instead;
pub mod limit;
pub mod logged;
pub mod logger;
pub mod message;
pub mod metadata;
pub mod narrow;
pub mod pattern;
pub mod reply;
pub mod router;
pub mod rule;
pub mod script;
pub mod server;
pub mod share;
pub mod span;
pub mod uri;
pub mod variable;
