//! Names and versions as a delta request lists them, within the bytes that it came in: a proxy that comes back lists all
//! that it has, and is not to cost an allocation for each. Knows no message and no snapshot.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};

use crate::snapshot::{Version, set};

/// Where a text begins and ends.
type Span = (u32, u32);

/// Names, in the order in which they came.
#[derive(Debug, Default, Clone)]
pub struct Listed {
    bytes: Bytes,
    spans: Vec<Span>,
}

/// Names with the versions that a client has of them, where these are ours.
#[derive(Debug, Default, Clone)]
pub struct Claims {
    names: Listed,
    versions: Vec<Option<Version>>,
}

impl Listed {
    /// Names that are in `bytes`, at `spans`.
    pub(super) fn within(bytes: Bytes, spans: Vec<Span>) -> Self {
        Self { bytes, spans }
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().map(|span| text(&self.bytes, *span))
    }

    /// Forgets those that are longer.
    pub fn retain_up_to(&mut self, bytes: usize) {
        self.spans.retain(|span| length(*span) <= bytes);
    }

    /// What tells these names, in any order, from any others.
    pub fn digest(&self) -> Version {
        set::digest(self.iter())
    }
}

impl<Text: AsRef<str>> FromIterator<Text> for Listed {
    fn from_iter<T: IntoIterator<Item = Text>>(names: T) -> Self {
        let mut bytes = BytesMut::new();
        let mut at = 0;
        let put = |name: Text| {
            let begin = at;
            bytes.put_slice(name.as_ref().as_bytes());
            at = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            (begin, at)
        };
        let spans = names.into_iter().map(put).collect();
        Self::within(bytes.freeze(), spans)
    }
}

impl Claims {
    /// Claims whose names are in `bytes`, at `spans`; the versions in the same order.
    pub(super) fn within(bytes: Bytes, spans: Vec<Span>, versions: Vec<Option<Version>>) -> Self {
        Self {
            names: Listed::within(bytes, spans),
            versions,
        }
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Forgets those of longer names.
    pub fn retain_up_to(&mut self, bytes: usize) {
        let mut spans = self.names.spans.iter();
        self.versions
            .retain(|_| spans.next().is_some_and(|span| length(*span) <= bytes));
        self.names.retain_up_to(bytes);
    }

    /// The version of a set that holds just this; nothing when some of it is not ours.
    pub fn version(&self) -> Option<Version> {
        let mut claims = self.names.iter().zip(&self.versions);
        claims.try_fold(Version::default(), |sum, (name, version)| {
            Some(sum.with(name, (*version)?))
        })
    }

    /// By name; of a name that came twice the later.
    pub fn by_name(&self) -> HashMap<String, Option<Version>> {
        let names = self.names.iter().map(ToOwned::to_owned);
        names.zip(self.versions.iter().copied()).collect()
    }
}

impl<Text: AsRef<str>> FromIterator<(Text, Option<Version>)> for Claims {
    fn from_iter<T: IntoIterator<Item = (Text, Option<Version>)>>(claims: T) -> Self {
        let (names, versions): (Vec<_>, Vec<_>) = claims.into_iter().unzip();
        Self {
            names: names.into_iter().collect(),
            versions,
        }
    }
}

fn length((begin, end): Span) -> usize {
    end.saturating_sub(begin) as usize
}

fn text(bytes: &[u8], (begin, end): Span) -> &str {
    let text = bytes.get(begin as usize..end as usize).unwrap_or_default();
    // Whoever made the span has looked.
    std::str::from_utf8(text).unwrap_or_default()
}
