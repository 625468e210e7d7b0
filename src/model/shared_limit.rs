//! A limit whose counts lie in Redis, in one line of text: routes carry it, proxies hand it on, and the service that counts
//! reads it.

use std::fmt;
use std::str::FromStr;

/// What a proxy's question says of a request: which limit it is under, and what is counted together.
pub const BUCKET: &str = "bucket";
pub const KEY: &str = "key";
/// What it says of one that has ended: what the service answered when it began.
pub const ENDED: &str = "ended";

/// What a server of Redis is called by documents and by the service that counts.
pub fn server(host: &str, port: u16, database: impl fmt::Display) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}/{database}")
    } else {
        format!("{host}:{port}/{database}")
    }
}

/// What a cluster of Redis is called.
pub fn cluster(name: &str) -> String {
    format!("cluster:{name}")
}

/// How many requests of a key pass, and where they are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedLimit {
    pub how: How,
    /// A [`server`] or a [`cluster`].
    pub redis: String,
    /// By which headers answers tell of the limit; nothing where they do not.
    pub told: Option<Told>,
}

/// How answers tell of a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What the headers begin with.
    pub prefix: String,
    /// Whether only those are told that are beyond it: another limit behind it tells the rest by the same headers.
    pub beyond: bool,
}

impl Told {
    /// The word for it, but the prefix.
    const ALL: &str = "told=";
    const BEYOND: &str = "beyond=";

    /// The text of a limit that tells all by headers of this prefix, as one that tells those beyond it; nothing where it is another.
    pub fn of_those_beyond(limit: &str, prefix: &str) -> Option<String> {
        let rest = limit.strip_suffix(&format!(" {}{prefix}", Self::ALL))?;
        Some(format!("{rest} {}{prefix}", Self::BEYOND))
    }
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// So many in a span of time that begins with the first of them.
    Fixed { count: u32, seconds: u32 },
    /// So many in any span of time.
    Sliding { count: u32, seconds: u32 },
    /// So many thousandths of a request leak in a second, and so many stay at most.
    Leaky { thousandths: u32, burst: u32 },
    /// So many at a time; one that does not end is forgotten after these seconds.
    Flying { most: u32, seconds: u32 },
}

impl fmt::Display for SharedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.how {
            How::Fixed { count, seconds } => write!(f, "fixed {count}/{seconds}")?,
            How::Sliding { count, seconds } => write!(f, "sliding {count}/{seconds}")?,
            How::Leaky { thousandths, burst } => write!(f, "leaky {thousandths}/{burst}")?,
            How::Flying { most, seconds } => write!(f, "flying {most}/{seconds}")?,
        }
        write!(f, " {}", self.redis)?;
        match &self.told {
            Some(Told { prefix, beyond }) => {
                let word = if *beyond { Told::BEYOND } else { Told::ALL };
                write!(f, " {word}{prefix}")
            }
            None => Ok(()),
        }
    }
}

/// A text that is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no limit that this version knows")]
pub struct Unknown;

impl FromStr for SharedLimit {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or(Unknown);
        let (how, numbers, redis) = (next()?, next()?, next()?);
        let told = match words.next() {
            None => None,
            Some(word) => {
                let all = word.strip_prefix(Told::ALL);
                let prefix = all.or(word.strip_prefix(Told::BEYOND)).ok_or(Unknown)?;
                Some(Told {
                    prefix: prefix.to_owned(),
                    beyond: all.is_none(),
                })
            }
        };
        let (one, other) = numbers.split_once('/').ok_or(Unknown)?;
        let whole = |text: &str| text.parse::<u32>().map_err(|_| Unknown);
        let (one, other) = (whole(one)?, whole(other)?);
        let how = match how {
            _ if one == 0 || words.next().is_some() || redis.is_empty() => return Err(Unknown),
            "fixed" if other > 0 => How::Fixed {
                count: one,
                seconds: other,
            },
            "sliding" if other > 0 => How::Sliding {
                count: one,
                seconds: other,
            },
            "leaky" => How::Leaky {
                thousandths: one,
                burst: other,
            },
            "flying" if other > 0 => How::Flying {
                most: one,
                seconds: other,
            },
            _ => return Err(Unknown),
        };
        Ok(Self {
            how,
            redis: redis.to_owned(),
            told,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "fixed 5/60 127.0.0.1:6379/0",
            "sliding 1/1 [::1]:6379/15 told=",
            "leaky 1500/0 cluster:limits told=x-api-",
            "fixed 1/2 a:1/0 beyond=",
            "flying 3/3600 127.0.0.1:6379/0",
        ] {
            let limit: SharedLimit = text.parse().unwrap();
            assert_eq!(limit.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in [
            "",
            "fixed",
            "fixed 5/60",
            "fixed 5 a:1/0",
            "fixed 0/60 a:1/0",
            "fixed 5/0 a:1/0",
            "flying 5/0 a:1/0",
            "fixed -5/60 a:1/0",
            "other 5/60 a:1/0",
            "fixed 5/60 a:1/0 tell=",
            "fixed 5/60 a:1/0 told= more",
            "fixed 99999999999/60 a:1/0",
            "fixed 5/60  told=",
        ] {
            assert_eq!(text.parse::<SharedLimit>(), Err(Unknown), "{text}");
        }
    }
}
