//! README.md and docs/ speak of what there is: links lead somewhere, commands, flags, variables, paths, metrics and log lines
//! exist, tables are full, and examples of documents and settings are accepted. So do alerts and the dashboard of contrib/.
//!
//! What is named is looked for in code only: in `spans` and in fenced blocks. The word behind a block's opening fence says
//! what it holds:
//!
//! * `json document=routes/echo`, `yaml document=…`: a document. The documents of a page are validated together, each as
//!   its place on the page comes, as a reader would write them.
//! * `yaml settings`: a settings file.
//! * `sh`: commands; `console`: commands behind `$ `, and what they print. A block of indented lines is either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod commands;
mod examples;
mod links;
mod observed;
mod page;
mod shape;
mod told;
