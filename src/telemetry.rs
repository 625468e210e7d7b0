//! Logs and metrics: what operators see. No other room names the log or metric libraries' set-up.

pub mod source;

pub use source::Source;
