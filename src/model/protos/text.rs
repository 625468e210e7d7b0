//! A `.proto` file as text.

use prost_types::FileDescriptorProto;

use super::nesting;

/// The longest text whose faults are told with their lines: each is looked for among all places of a text.
const LINED: usize = 64 * 1024;

/// What a text is called in what is said of it.
const NAME: &str = "content";

/// Parses a text, for itself: no name in it is looked up.
pub fn parse(text: &str) -> Result<FileDescriptorProto, String> {
    nesting::check(text)?;
    let mut file = protox_parse::parse(NAME, text).map_err(|error| {
        // Shown for people it has no place, which it has shown for programmers.
        let said = format!("{error:?}");
        let said = said.replacen(&format!("{NAME}:"), "line ", 1);
        format!("is no .proto file: {said}")
    })?;
    if text.len() > LINED {
        file.source_code_info = None;
    }
    Ok(file)
}
