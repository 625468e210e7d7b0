//! Names of Envoy's resources, where they come from texts that may be longer than a name.

use std::fmt::Write;

use ring::digest::{SHA256, digest};

/// Bytes of the longest name that a resource has. On the xDS port nothing has a longer one (`xds::Limits::name_bytes`).
pub const LONGEST: usize = 256;
/// How much of a longer text its name begins with.
const KEPT: usize = 160;

/// The text, or what stands for it where it is too long: how it begins, and its digest. No other name ends so, as what follows
/// a `?` begins with the name of an argument, and none is called `sha256`.
pub fn bounded(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let ends = text.char_indices().map(|(at, _)| at);
    let end = ends.take_while(|at| *at <= KEPT).last();
    let mut name = format!("{}?sha256=", &text[..end.unwrap_or_default()]);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_or_begins_as_itself_and_says_which_by_its_digest() {
        let longest = "a".repeat(LONGEST);
        assert_eq!(bounded(longest.clone()), longest);
        let one = bounded(format!("{longest}b"));
        let other = bounded(format!("{longest}c"));
        assert!(
            one.starts_with(&format!("{}?sha256=", "a".repeat(KEPT))),
            "{one}"
        );
        assert_eq!(one, bounded(format!("{longest}b")));
        assert_ne!(one, other);
        // Whole characters.
        for letters in 150..170 {
            let name = bounded(format!("{}{}", "a".repeat(letters), "ü".repeat(LONGEST)));
            assert!(name.len() <= LONGEST, "{name}");
        }
    }
}
