//! Escaping as nginx does it, so that a URI that a document writes reaches the other side as it does with APISIX.

/// Escapes what nginx escapes in the path of a URI: control characters, space, `#`, `%`, `?` and all that is not ASCII.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x00..=0x20 | b'#' | b'%' | b'?' | 0x7f.. => {
                escaped.push_str(&format!("%{byte:02X}"));
            }
            _ => escaped.push(char::from(byte)),
        }
    }
    escaped
}
