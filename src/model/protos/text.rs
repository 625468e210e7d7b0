//! A `.proto` file as text.

use prost_types::FileDescriptorProto;

use super::nesting;

/// What a text is called in what is said of it.
const NAME: &str = "content";

/// Parses a text, for itself: no name in it is looked up.
pub fn parse(text: &str) -> Result<FileDescriptorProto, String> {
    nesting::check(text)?;
    let parsed = protox_parse::parse(NAME, text);
    parsed.map_err(|error| {
        // Shown for people it has no place, which it has shown for programmers.
        let said = format!("{error:?}");
        let said = said.replacen(&format!("{NAME}:"), "line ", 1);
        format!("is no .proto file: {said}")
    })
}
