//! What others say, as log lines and answers show it: in one line, and not all of it.

use std::fmt::Write;

/// The first `most` characters of a text. What would begin a line, move the cursor or turn the direction of reading is
/// escaped, so that nobody writes a line of somebody else's.
pub fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(most) {
        push(&mut shown, c);
    }
    if text.chars().nth(most).is_some() {
        // Writing to a string does not fail.
        let _ = write!(shown, "… ({} bytes in all)", text.len());
    }
    shown
}

/// A character, escaped where it does more than be read.
pub(super) fn push(to: &mut String, c: char) {
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if c.is_control() || directs {
        to.extend(c.escape_default());
    } else {
        to.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line() {
        assert_eq!(shown("envoy-1", 10), "envoy-1");
        assert_eq!(shown("größe \"a\\b\"", 20), "größe \"a\\b\"");
        let forged = "envoy\n2026-11-28 INFO \u{1b}[31mall is well\r\u{2028}\u{202e}x\u{85}";
        let expected =
            "envoy\\n2026-11-28 INFO \\u{1b}[31mall is well\\r\\u{2028}\\u{202e}x\\u{85}";
        assert_eq!(shown(forged, 100), expected);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = "é".repeat(5_000_000);
        assert_eq!(shown(&long, 3), "ééé… (10000000 bytes in all)");
        assert_eq!(shown("ééé", 3), "ééé");
    }
}
