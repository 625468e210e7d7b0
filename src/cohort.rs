//! What proxies are, by what they say of themselves: those of one cohort can do the same.

mod ability;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use ability::Ability;

/// The longest user agent that is told from others, in characters.
const LONGEST: usize = 64;

/// The Envoys that are told apart, oldest first. Newer ones are served like the newest of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Envoy {
    V1_36,
    V1_37,
    V1_38,
    V1_39,
    V1_40,
}

impl Envoy {
    pub const ALL: [Self; 5] = [
        Self::V1_36,
        Self::V1_37,
        Self::V1_38,
        Self::V1_39,
        Self::V1_40,
    ];
    pub const OLDEST: Self = Self::ALL[0];
    pub const NEWEST: Self = Self::ALL[Self::ALL.len() - 1];

    /// As people write it: `1.40`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_36 => "1.36",
            Self::V1_37 => "1.37",
            Self::V1_38 => "1.38",
            Self::V1_39 => "1.39",
            Self::V1_40 => "1.40",
        }
    }

    /// The one that a release is served like; nothing for one that is too old to be served.
    pub fn of(major: u32, minor: u32) -> Option<Self> {
        let first = 36;
        match (major, minor.checked_sub(first)) {
            (0, _) | (1, None) => None,
            (1, Some(after)) => {
                let newest = Self::ALL.len() - 1;
                let after = usize::try_from(after).unwrap_or(newest);
                Some(Self::ALL[after.min(newest)])
            }
            _ => Some(Self::NEWEST),
        }
    }
}

impl FromStr for Envoy {
    type Err = String;

    /// As people write a release: `1.38`, `1.38.3`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = text.split('.').map(str::parse::<u32>);
        let release = match (
            numbers.next(),
            numbers.next(),
            numbers.next(),
            numbers.next(),
        ) {
            (Some(Ok(major)), Some(Ok(minor)), None | Some(Ok(_)), None) => Some((major, minor)),
            _ => None,
        };
        let (oldest, newest) = (Self::OLDEST.as_str(), Self::NEWEST.as_str());
        let (major, minor) = release.ok_or_else(|| {
            format!("found {text:?}, allowed: a release of Envoy, {oldest}–{newest} or newer")
        })?;
        Self::of(major, minor).ok_or_else(|| {
            format!("found {text}, allowed: {oldest} or newer, as older ones are not served")
        })
    }
}

/// Proxies of one gateway that can do the same: of one name, release and build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cohort {
    name: Arc<str>,
    envoy: Envoy,
    foreign: bool,
}

impl Cohort {
    /// The Envoys of a release whose build has these extensions: `build` tells them from those of others. Nothing for a
    /// release that is too old to be served.
    pub fn envoy(release: (u32, u32, u32), build: Option<u32>) -> Option<Self> {
        let (major, minor, patch) = release;
        let mut name = format!("envoy {major}.{minor}.{patch}");
        if let Some(build) = build {
            name.push_str(&format!("+{build:08x}"));
        }
        Some(Self {
            name: name.into(),
            envoy: Envoy::of(major, minor)?,
            foreign: false,
        })
    }

    /// The Envoys of this [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        let (release, build) = match name.strip_prefix("envoy ")?.split_once('+') {
            Some((release, build)) => (release, Some(u32::from_str_radix(build, 16).ok()?)),
            None => (name.strip_prefix("envoy ")?, None),
        };
        let mut numbers = release.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let release = (next()?, next()?, next()?);
        Self::envoy(release, build).filter(|cohort| *cohort.name == *name)
    }

    /// Clients that are no Envoy or do not say which: they are served what every Envoy can do, and what they refuse is their own
    /// matter.
    pub fn foreign(agent: &str) -> Self {
        let agent: String = agent.chars().take(LONGEST).collect();
        let agent = agent.trim();
        let name = if agent.is_empty() { "unknown" } else { agent };
        Self {
            name: name.into(),
            envoy: Envoy::OLDEST,
            foreign: true,
        }
    }

    /// As people read it: `envoy 1.40.0+5f3c9a10`, where what follows the plus tells builds with other extensions apart.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What its proxies can do.
    pub fn serves_as(&self) -> Envoy {
        self.envoy
    }

    /// Whether these may be any client.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }
}

impl fmt::Display for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_served_like_the_newest_that_is_known_and_not_newer() {
        assert_eq!(Envoy::of(1, 36), Some(Envoy::V1_36));
        assert_eq!(Envoy::of(1, 38), Some(Envoy::V1_38));
        assert_eq!(Envoy::of(1, 41), Some(Envoy::V1_40));
        assert_eq!(Envoy::of(2, 0), Some(Envoy::V1_40));
        assert_eq!(Envoy::of(1, u32::MAX), Some(Envoy::V1_40));
        assert_eq!(Envoy::of(1, 35), None);
        assert_eq!(Envoy::of(0, 99), None);
    }

    #[test]
    fn a_release_is_read_as_people_write_it() {
        assert_eq!("1.38".parse(), Ok(Envoy::V1_38));
        assert_eq!("1.38.3".parse(), Ok(Envoy::V1_38));
        assert_eq!("1.99".parse(), Ok(Envoy::V1_40));
        for wrong in ["", "1", "1.", "v1.38", "1.38.3.4", "1.38-dev", "-1.38"] {
            let said = wrong.parse::<Envoy>().unwrap_err();
            assert!(
                said.ends_with("allowed: a release of Envoy, 1.36–1.40 or newer"),
                "{said}"
            );
        }
        let said = "1.35".parse::<Envoy>().unwrap_err();
        assert_eq!(
            said,
            "found 1.35, allowed: 1.36 or newer, as older ones are not served"
        );
    }

    #[test]
    fn builds_with_other_extensions_and_other_patches_are_cohorts_of_their_own() {
        let cohort = |release, build| Cohort::envoy(release, build).unwrap();
        let one = cohort((1, 40, 0), Some(1));
        assert_eq!(one, cohort((1, 40, 0), Some(1)));
        assert_ne!(one, cohort((1, 40, 0), Some(2)));
        assert_ne!(one, cohort((1, 40, 1), Some(1)));
        assert_eq!(one.to_string(), "envoy 1.40.0+00000001");
        for one in [one, cohort((1, 36, 4), None)] {
            assert_eq!(Cohort::named(one.name()), Some(one));
        }
        for other in [
            "",
            "unknown",
            "envoy",
            "envoy 1.35.0",
            "envoy 1.40.0+x",
            "envoy 1.40.0 ",
        ] {
            assert_eq!(Cohort::named(other), None, "{other:?}");
        }
    }

    #[test]
    fn whoever_says_nothing_of_itself_can_do_what_every_envoy_can() {
        let unknown = Cohort::foreign(" ");
        assert_eq!(unknown.to_string(), "unknown");
        assert_eq!(unknown.serves_as(), Envoy::V1_36);
        assert!(unknown.is_foreign());
        assert_eq!(Cohort::foreign(&"x".repeat(1000)).name().len(), 64);
    }
}
