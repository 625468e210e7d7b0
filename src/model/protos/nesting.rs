//! How deep a text goes: the parser calls itself for each level, and the stack ends before a long text does.

/// Levels of blocks and lists within each other.
const DEEPEST: usize = 64;

/// Refuses a text that goes deeper.
pub fn check(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'/' if after.first() == Some(&b'/') => from(after, b"\n"),
            b'/' if after.first() == Some(&b'*') => behind(&after[1..], b"*/"),
            b'#' => from(after, b"\n"),
            b'"' | b'\'' => behind_quote(after, first),
            _ => after,
        };
        match first {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(format!(
                "has more than {DEEPEST} blocks within each other, allowed: at most {DEEPEST}"
            ));
        }
    }
    Ok(())
}

fn from<'a>(text: &'a [u8], sign: &[u8]) -> &'a [u8] {
    let mut windows = text.windows(sign.len());
    let at = windows.position(|window| window == sign);
    at.map_or(&[], |at| &text[at..])
}

fn behind<'a>(text: &'a [u8], sign: &[u8]) -> &'a [u8] {
    from(text, sign).get(sign.len()..).unwrap_or_default()
}

fn behind_quote(mut text: &[u8], quote: u8) -> &[u8] {
    while let Some((&first, after)) = text.split_first() {
        text = match first {
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
        // A text ends with its line at the latest.
        if first == quote || first == b'\n' {
            break;
        }
    }
    text
}
