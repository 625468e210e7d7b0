//! To which cohort a client belongs, by what it says of itself.

use envoy_types::pb::envoy::config::core::v3::Node as NodeIdentity;
use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;

use super::refusal::NotAdmitted;
use crate::cohort::{Cohort, Envoy};
use crate::snapshot::Version;
use crate::telemetry::shown;

/// The longest user agent that is repeated, in characters.
const LONGEST: usize = 64;

/// The cohort of a client.
pub fn of(identity: &NodeIdentity) -> Result<Cohort, NotAdmitted> {
    let agent = || match release(identity) {
        Some((major, minor, patch)) => {
            format!("{} {major}.{minor}.{patch}", identity.user_agent_name)
        }
        None => identity.user_agent_name.clone(),
    };
    if identity.user_agent_name != "envoy" {
        return Ok(Cohort::foreign(&shown(&agent(), LONGEST)));
    }
    let Some(release) = release(identity) else {
        return Ok(Cohort::foreign(&shown(&agent(), LONGEST)));
    };
    Cohort::envoy(release, build(identity)).ok_or_else(|| NotAdmitted::TooOld {
        found: shown(&agent(), LONGEST),
        oldest: Envoy::OLDEST,
    })
}

fn release(identity: &NodeIdentity) -> Option<(u32, u32, u32)> {
    match identity.user_agent_version_type.as_ref()? {
        UserAgentVersionType::UserAgentVersion(text) => {
            let numbers = text.split(['-', '+']).next()?;
            let mut numbers = numbers.split('.').map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some((next()?, next()?, next().unwrap_or_default()))
        }
        UserAgentVersionType::UserAgentBuildVersion(build) => {
            let version = build.version?;
            Some((version.major_number, version.minor_number, version.patch))
        }
    }
}

/// What tells builds with other extensions apart; nothing for a client that does not say which it has.
fn build(identity: &NodeIdentity) -> Option<u32> {
    let enabled = identity.extensions.iter();
    let enabled = enabled.filter(|extension| !extension.disabled);
    let mut names: Vec<_> = enabled
        .map(|extension| format!("{}/{}\n", extension.category, extension.name))
        .collect();
    names.sort();
    names.dedup();
    (!names.is_empty()).then(|| Version::of(names.concat().as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Extension};
    use envoy_types::pb::envoy::r#type::v3::SemanticVersion;

    use super::*;

    fn identity(
        name: &str,
        (major, minor, patch): (u32, u32, u32),
        extensions: &[&str],
    ) -> NodeIdentity {
        let version = SemanticVersion {
            major_number: major,
            minor_number: minor,
            patch,
        };
        let build = BuildVersion {
            version: Some(version),
            metadata: None,
        };
        NodeIdentity {
            user_agent_name: name.to_owned(),
            user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(build)),
            extensions: extensions
                .iter()
                .map(|name| Extension {
                    name: (*name).to_owned(),
                    category: "envoy.filters.http".to_owned(),
                    disabled: name.starts_with("off"),
                    ..Extension::default()
                })
                .collect(),
            ..NodeIdentity::default()
        }
    }

    #[test]
    fn the_order_of_extensions_does_not_count_and_what_is_disabled_is_not_there() {
        let cohort = |extensions: &[&str]| of(&identity("envoy", (1, 40, 0), extensions)).unwrap();
        assert_eq!(cohort(&["lua", "jwt"]), cohort(&["jwt", "lua", "off"]));
        assert_ne!(cohort(&["lua", "jwt"]), cohort(&["jwt"]));
        assert_eq!(cohort(&[]).to_string(), "envoy 1.40.0");
    }

    #[test]
    fn who_is_no_envoy_or_too_old_is_told_so() {
        let other = of(&identity("gRPC Go", (1, 70, 2), &[])).unwrap();
        assert!(other.is_foreign());
        assert_eq!(other.to_string(), "gRPC Go 1.70.2");
        assert!(of(&NodeIdentity::default()).unwrap().is_foreign());
        let refused = of(&identity("envoy", (1, 35, 9), &[])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "envoy 1.35.9 is too old to be served: the oldest release that is served is 1.36; a newer Envoy has to take its place"
        );
    }

    #[test]
    fn a_release_may_be_written_as_text() {
        let mut identity = identity("envoy", (0, 0, 0), &[]);
        let text = UserAgentVersionType::UserAgentVersion("1.39.2-dev".to_owned());
        identity.user_agent_version_type = Some(text);
        assert_eq!(of(&identity).unwrap().to_string(), "envoy 1.39.2");
    }
}
