//! The file's bytes: a first line with what it is, the format's version and a checksum, then one JSON object.
//!
//!     chancery state, format 2, xxh3 5d8c0f3e21b0a947
//!     {"origin":{"store":{"etcd":{…}},"consul":["http://…"]},"revision":42,"as_of":1700000000,"documents":[…],"answers":[…]}
//!
//! Pure: no I/O, no clock.

mod body;

use xxhash_rust::xxh3::xxh3_64;

use super::{Origin, Saved};
use body::Body;

/// What every state begins with, of whatever format.
const MAGIC: &str = "chancery state, format ";
/// The one format that this version writes and reads.
const FORMAT: u32 = 2;

/// Why bytes are of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("it is no state: its first line has to begin with {MAGIC:?}")]
    Foreign,
    #[error(
        "it is of format {0:?}, and this version of Chancery reads {FORMAT} only: the version that wrote it can read it"
    )]
    Format(String),
    #[error("it is cut off or damaged: its checksum does not fit what follows")]
    Checksum,
    #[error("its checksum fits, but it does not hold what a state holds: {0}")]
    Body(#[from] serde_json::Error),
}

pub(super) fn encode(origin: &Origin, saved: Saved) -> Result<Vec<u8>, Error> {
    // The header is as long for any body.
    let mut bytes = header(&[]).into_bytes();
    let length = bytes.len();
    serde_json::to_writer(&mut bytes, &Body::new(origin, saved))?;
    let (head, body) = bytes.split_at_mut(length);
    head.copy_from_slice(header(body).as_bytes());
    Ok(bytes)
}

/// The state that bytes hold, and where it came from.
pub(super) fn decode(bytes: &[u8]) -> Result<(Origin, Saved), Error> {
    let found = bytes
        .strip_prefix(MAGIC.as_bytes())
        .ok_or(Error::Foreign)?
        .split(|byte| !byte.is_ascii_digit())
        .next()
        .unwrap_or_default();
    if found != FORMAT.to_string().as_bytes() {
        return Err(Error::Format(String::from_utf8_lossy(found).into_owned()));
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (head, text) = bytes.split_at(end.ok_or(Error::Checksum)? + 1);
    // Compared as text, not read: no two headers mean the same.
    if head != header(text).as_bytes() {
        return Err(Error::Checksum);
    }
    let body: Body = serde_json::from_slice(text)?;
    Ok(body.into_parts())
}

fn header(body: &[u8]) -> String {
    format!("{MAGIC}{FORMAT}, xxh3 {:016x}\n", xxh3_64(body))
}

#[cfg(test)]
mod tests;
