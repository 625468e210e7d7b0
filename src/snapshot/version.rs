//! Versions are content: equal bytes have equal versions, in every process and at every time.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_128;

/// The version of one resource, or of a set of them. Written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Version(u128);

impl Version {
    /// The version of a content.
    pub fn of(content: &[u8]) -> Self {
        Self(xxh3_128(content))
    }

    /// The version of a set that also holds `name` at `version`. The order of joining does not matter, and
    /// [`without`](Self::without) takes back exactly what this added: a set's version costs what changes in it.
    #[must_use]
    pub fn with(self, name: &str, version: Self) -> Self {
        Self(self.0.wrapping_add(Self::member(name, version)))
    }

    /// The version of a set that no longer holds `name` at `version`.
    #[must_use]
    pub fn without(self, name: &str, version: Self) -> Self {
        Self(self.0.wrapping_sub(Self::member(name, version)))
    }

    /// As much of it as tells a few contents apart.
    pub fn short(self) -> u32 {
        // The low bits.
        self.0 as u32
    }

    fn member(name: &str, version: Self) -> u128 {
        const SHORT: usize = 256;
        let length = name.len() + 16;
        let mut short = [0; SHORT];
        // Names are short, and there are many: no allocation for each.
        if let Some(text) = short.get_mut(..length) {
            text[..16].copy_from_slice(&version.0.to_le_bytes());
            text[16..].copy_from_slice(name.as_bytes());
            return xxh3_128(text);
        }
        let mut text = Vec::with_capacity(length);
        text.extend_from_slice(&version.0.to_le_bytes());
        text.extend_from_slice(name.as_bytes());
        xxh3_128(&text)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not one of our versions: the client has it from elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign;

impl FromStr for Version {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        // A proxy that comes back brings thousands: `from_str_radix` would take most of the time of reading them.
        let Some((high, low)) = text.split_at_checked(16).filter(|(_, low)| low.len() == 16) else {
            return Err(Foreign);
        };
        let half = |digits: &str| {
            let digit = |digit: u8| char::from(digit).to_digit(16).map(u64::from);
            let mut digits = digits.bytes();
            digits.try_fold(0, |sum, next| Some(sum << 4 | digit(next)?))
        };
        match (half(high), half(low)) {
            (Some(high), Some(low)) => Ok(Self(u128::from(high) << 64 | u128::from(low))),
            _ => Err(Foreign),
        }
    }
}
