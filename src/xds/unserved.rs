//! Types that a client asks for on ADS and nobody serves (a bootstrap with an `rtds_layer`): nothing of them exists, and the
//! client is told so. No sockets, no clock. At most one response of a type is on its way.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::snapshot::Version;

use super::limits::UNSERVED;
use super::refusal::NotAdmitted;
use super::request::{Names, Request, shown};
use super::response;

/// The longest URL of such a type, in bytes.
const URL_BYTES: usize = 256;

/// The types that one stream asked for in vain.
#[derive(Debug, Default)]
pub struct Unserved {
    types: Vec<Unknown>,
    nonces: u64,
}

#[derive(Debug)]
struct Unknown {
    url: String,
    /// The nonce of the last response.
    nonce: String,
    /// Whether that has no answer yet.
    in_flight: bool,
    /// Whether there is something to say, be it that nothing of the type is there at all.
    due: bool,
    /// Names to say of that they do not exist: delta alone says it by name.
    names: BTreeSet<Arc<str>>,
    /// All names that were wanted, of which a client of SotW repeats each: as a number, as they are not kept.
    wanted: Option<u64>,
}

/// What a request was.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// The first of its type.
    First,
    /// The answer to a response, and nothing besides.
    Answer,
    /// Anything else.
    Wish,
}

impl Unserved {
    /// Takes in a request of at most `most` names.
    pub fn handle(&mut self, request: Request<String>, most: usize) -> Result<Heard, NotAdmitted> {
        let Request {
            resource_type: url,
            nonce,
            names,
            ..
        } = request;
        if url.is_empty() {
            return Err(NotAdmitted::NoTypeUrl);
        }
        let known = self.types.iter().position(|it| it.url == url);
        let first = known.is_none();
        if first && (self.types.len() >= UNSERVED || url.len() > URL_BYTES) {
            return Err(NotAdmitted::UnknownType(shown(&url)));
        }
        if first {
            self.types.push(Unknown::new(url));
        }
        let at = known.unwrap_or(self.types.len() - 1);
        let Some(unknown) = self.types.get_mut(at) else {
            return Ok(Heard::Wish);
        };
        let answers = !first && nonce == unknown.nonce;
        let answered = answers && std::mem::replace(&mut unknown.in_flight, false);
        let asks = unknown.want(names, first || answers);
        if unknown.names.len() > most {
            return Err(NotAdmitted::Names(most));
        }
        unknown.due |= first || asks;
        Ok(match (first, answered && !asks) {
            (true, _) => Heard::First,
            (false, true) => Heard::Answer,
            (false, false) => Heard::Wish,
        })
    }

    /// The next response, or nothing until something comes in.
    pub fn poll_response(&mut self) -> Option<Vec<Bytes>> {
        let mut types = self.types.iter_mut();
        let unknown = types.find(|it| it.due && !it.in_flight)?;
        self.nonces += 1;
        unknown.nonce = self.nonces.to_string();
        (unknown.due, unknown.in_flight) = (false, true);
        let names: Vec<_> = std::mem::take(&mut unknown.names).into_iter().collect();
        let (url, nonce) = (&unknown.url, &unknown.nonce);
        Some(response::encode(
            url,
            Version::default(),
            nonce,
            &[],
            &names,
        ))
    }
}

impl Unknown {
    fn new(url: String) -> Self {
        Self {
            url,
            nonce: String::new(),
            in_flight: false,
            due: false,
            names: BTreeSet::new(),
            wanted: None,
        }
    }

    /// Takes in what is wanted, and tells whether that is news.
    fn want(&mut self, names: Names, current: bool) -> bool {
        match names {
            Names::Change {
                subscribe,
                unsubscribe,
                ..
            } => {
                for name in unsubscribe {
                    self.names.remove(name.as_str());
                }
                let asks = !subscribe.is_empty();
                // Of everything that there is, nothing can be said by name.
                let named = subscribe.iter().filter(|name| *name != "*");
                self.names.extend(named.map(Arc::from));
                asks
            }
            // A nonce that is not the last one's belongs to a request that crossed a response.
            Names::All { .. } if !current => false,
            Names::All { mut names, .. } => {
                names.sort_unstable();
                let mut hasher = DefaultHasher::new();
                names.hash(&mut hasher);
                let wanted = Some(hasher.finish());
                std::mem::replace(&mut self.wanted, wanted) != wanted
            }
        }
    }
}

#[cfg(test)]
mod tests;
