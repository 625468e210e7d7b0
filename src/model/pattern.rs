//! Patterns that PCRE and RE2 both have and mean alike: what they may hold, and how large they become.

pub mod size;
pub mod syntax;
