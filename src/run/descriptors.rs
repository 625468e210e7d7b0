//! Open files, of which the system gives a process so many: who may have how many of them, so that whoever takes all of his
//! leaves the others theirs. Proxies come first: without them there is nothing to serve.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::admin::port::Bounds;
use crate::config::Config;
use crate::registry::Registry;

/// What the process needs for itself: the runtime, listeners, etcd, logs, files that are read.
const OWN: usize = 30;
/// The least that a registry and the admin port work with.
const LEAST: usize = 6;

/// How many open files the system allows the process, once it has allowed as many as it would.
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where the system refuses, what it allowed before stays.
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, raised);
    }
    allowed()
}

/// How many open files the system allows the process.
pub fn allowed() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX))
}

/// Connections that each may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Proxies.
    pub xds: usize,
    /// The client of the registry.
    pub registry: usize,
    /// Callers of the admin port.
    pub admin: usize,
}

impl Shares {
    /// What each may have of what it would have, where that many files may be open.
    pub fn of(allowed: usize, wished: Self) -> Self {
        let left = allowed.saturating_sub(OWN);
        let registry = wished.registry.min((left / 4).max(LEAST));
        let admin = wished.admin.min((left / 4).max(LEAST));
        let xds = left.saturating_sub(registry + admin).max(1);
        Self {
            xds: wished.xds.min(xds),
            registry,
            admin,
        }
    }
}

/// Bounds the connections of all whom the settings name, and tells whom that leaves with less; the bounds of the admin port.
pub fn share(allowed: usize, config: &mut Config) -> Bounds {
    let bounds = Bounds::default();
    let registry = config.registries.iter_mut().find_map(Registry::connections);
    let wished = Shares {
        xds: config.xds.limits.streams,
        registry: registry.as_deref().copied().unwrap_or_default(),
        admin: bounds.all,
    };
    let shares = Shares::of(allowed, wished);
    if shares != wished {
        warn!(
            allowed,
            xds = shares.xds,
            registry = shares.registry,
            admin = shares.admin,
            "the limit of open files leaves fewer connections than the settings: raise it (LimitNOFILE, ulimit -n)"
        );
    }
    if let Some(registry) = registry {
        *registry = shares.registry;
    }
    config.xds.limits.streams = shares.xds;
    Bounds {
        all: shares.admin,
        address: bounds.address.min(shares.admin),
        ..bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHED: Shares = Shares {
        xds: 10_000,
        registry: 150,
        admin: 2048,
    };

    #[test]
    fn everybody_has_what_he_wishes_where_there_is_enough() {
        assert_eq!(Shares::of(65_536, WISHED), WISHED);
        assert_eq!(Shares::of(usize::MAX, WISHED), WISHED);
    }

    #[test]
    fn whatever_the_limit_proxies_have_half_and_all_fit() {
        for allowed in 64..20_000 {
            let shares = Shares::of(allowed, WISHED);
            let left = allowed - OWN;
            assert!(
                shares.xds + shares.registry + shares.admin <= left,
                "{shares:?}"
            );
            assert!(
                shares.xds >= (left / 2).min(WISHED.xds),
                "{allowed}: {shares:?}"
            );
            assert!(
                shares.registry >= LEAST && shares.admin >= LEAST,
                "{shares:?}"
            );
        }
        // Too few for all; nobody is left without any.
        assert_eq!(
            Shares::of(0, WISHED),
            Shares {
                xds: 1,
                registry: LEAST,
                admin: LEAST
            }
        );
    }
}
