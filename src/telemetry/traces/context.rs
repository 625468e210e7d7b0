//! Which trace a step belongs to, and how that is said to others: W3C's `traceparent`. Pure but for random numbers.

use std::fmt;
use std::str::FromStr;

/// A place in a trace: the trace, and the span that what follows is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Never 0, nor is `span`.
    pub trace: u128,
    pub span: u64,
    /// Whether whoever began the trace wants it recorded.
    pub is_sampled: bool,
}

/// Not a `traceparent`.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl FromStr for Context {
    type Err = Malformed;

    /// Versions to come may add parts at the end.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().ok_or(Malformed)?;
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if part.len() != digits || !part.bytes().all(is_hex) {
                return Err(Malformed);
            }
            u128::from_str_radix(part, 16).map_err(|_| Malformed)
        };
        let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let span = u64::try_from(span).map_err(|_| Malformed)?;
        let is_longer = parts.next().is_some();
        if version == 0xff || (version == 0 && is_longer) || trace == 0 || span == 0 {
            return Err(Malformed);
        }
        Ok(Self {
            trace,
            span,
            is_sampled: flags & 1 == 1,
        })
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

/// A step of a trace, which has a span of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub own: Context,
    /// The span that it is below; nothing where a trace begins.
    pub parent: Option<u64>,
}

impl Step {
    /// The first of a trace of its own.
    pub fn first() -> Self {
        let own = Context {
            trace: fastrand::u128(1..),
            span: fastrand::u64(1..),
            is_sampled: true,
        };
        Self { own, parent: None }
    }

    pub fn below(parent: Context) -> Self {
        let own = Context {
            span: fastrand::u64(1..),
            ..parent
        };
        let parent = Some(parent.span);
        Self { own, parent }
    }

    /// What follows from a change that came with this context, or without; nothing where nobody wants it recorded.
    pub fn of(context: Option<Context>) -> Option<Self> {
        match context {
            Some(context) => context.is_sampled.then(|| Self::below(context)),
            None => Some(Self::first()),
        }
    }
}

/// That a revision of a store changed something, and the context that came with the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traced {
    pub revision: i64,
    pub context: Option<Context>,
}
