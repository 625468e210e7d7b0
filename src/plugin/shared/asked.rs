//! What routes ask by name of filters that all of them share: these are told it ahead of the routes, once, so that neither their
//! counts nor Envoy's log know of routes that change.

use bytes::Bytes;
use envoy_types::pb::envoy::extensions::http::custom_response::local_response_policy::v3::LocalResponsePolicy;
use xxhash_rust::xxh3::xxh3_128;

use super::limit::{ANSWERED, Bucket, Counter};
use crate::envoy::canonical;
use crate::envoy::filter::{self, Whose};

/// Something that a filter is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    Limit(Bucket),
    Answer(Answer),
    Script(Script),
}

impl Asked {
    /// The filter that is told it.
    pub fn filter(&self) -> Filter {
        match self {
            Self::Limit(bucket) => Filter::Counts(bucket.counter),
            Self::Answer(answer) => Filter::Answers {
                of_rules: answer.of_rules,
            },
            Self::Script(script) => Filter::Runs {
                filter: script.filter,
                whose: script.whose,
            },
        }
    }
}

/// A filter that is configured by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filter {
    Counts(Counter),
    /// Gives clients other answers than the instance's.
    Answers {
        of_rules: bool,
    },
    /// Runs a script, while it is asked to.
    Runs {
        /// The name of the filter of routes.
        filter: &'static str,
        whose: Whose,
    },
}

/// The filter of routes that gives other answers.
pub const ANSWERS: &str = "chancery.response-rewrite.answer";

/// The filter of routes that checks requests.
pub const CHECKS: &str = "chancery.request-validation";

/// The filter of routes that asks an agent whether a request may pass.
pub const ASKS: &str = "chancery.opa";

/// The filter of routes that verifies bearer tokens by a key.
pub const VERIFIES: &str = "chancery.openid-connect";

/// The filter of routes that tells upstreams who has logged in.
pub const TELLS: &str = "chancery.openid-connect.tell";

/// The filter of routes that answers others whom `consumer-restriction` denies.
pub const DENIES: &str = "chancery.consumer-restriction.answer";

/// The filter of routes that makes requests ones of GraphQL.
pub const QUERIES: &str = "chancery.degraphql";

/// The filter of routes that puts texts beside an instance's.
pub const ECHOES: &str = "chancery.echo";

/// The filter of routes that has `grpc-transcode` read requests as APISIX does.
pub const TRANSCODES: &str = "chancery.grpc-transcode.answer";

/// The filter of routes that tells upstreams labels of consumers.
pub const LABELS: &str = "chancery.attach-consumer-label";

/// The filters of routes that run a script only while a route enables them, and their scripts. Every filter chain would have each of
/// them once for every thread of Envoy's, some 100 KB each.
pub const SCRIPTS: [(&str, &str); 19] = [
    ("chancery.api-breaker.answer", include_str!("instead.lua")),
    (LABELS, include_str!("../attach_consumer_label/attach.lua")),
    ("chancery.consumer", include_str!("identity/told.lua")),
    (DENIES, include_str!("denial/answer.lua")),
    ("chancery.cors", include_str!("../cors/answer.lua")),
    (
        QUERIES,
        concat!(
            include_str!("data.lua"),
            include_str!("../degraphql/ask.lua")
        ),
    ),
    (ECHOES, include_str!("../echo/answer.lua")),
    ("chancery.forward-auth.answer", include_str!("instead.lua")),
    (TRANSCODES, include_str!("../grpc_transcode/answer.lua")),
    (
        "chancery.jwt_auth.find",
        include_str!("../jwt_auth/token.lua"),
    ),
    (ANSWERED, include_str!("limit/answered.lua")),
    (
        "chancery.key_auth.hide",
        include_str!("../key_auth/hide.lua"),
    ),
    (
        ASKS,
        concat!(include_str!("data.lua"), include_str!("../opa/ask.lua")),
    ),
    (
        VERIFIES,
        concat!(
            include_str!("data.lua"),
            include_str!("../openid_connect/verify.lua")
        ),
    ),
    (TELLS, include_str!("../openid_connect/tell.lua")),
    (
        "chancery.proxy-rewrite.line",
        include_str!("../proxy_rewrite/line.lua"),
    ),
    (
        "chancery.request-id.ids",
        include_str!("../request_id/ids.lua"),
    ),
    (
        CHECKS,
        concat!(
            include_str!("data.lua"),
            include_str!("../request_validation/check.lua")
        ),
    ),
    (
        "chancery.response-rewrite.changes",
        include_str!("../response_rewrite/answer.lua"),
    ),
];

/// Those of these that stand before the filters which find consumers, and behind them once more.
pub const SCRIPTS_OF_CONSUMERS: [&str; 4] =
    ["chancery.cors", "chancery.request-id.ids", CHECKS, VERIFIES];

impl Filter {
    pub fn all() -> impl Iterator<Item = Self> {
        let answers = [false, true].map(|of_rules| Self::Answers { of_rules });
        let both = |filter| [Whose::Routes, Whose::Rules].map(|whose| Self::Runs { filter, whose });
        let late = SCRIPTS_OF_CONSUMERS.map(|filter| Self::Runs {
            filter,
            whose: Whose::Consumers,
        });
        let running = SCRIPTS.into_iter();
        let running = running
            .flat_map(move |(filter, _)| both(filter))
            .chain(late);
        Counter::all()
            .map(Self::Counts)
            .chain(answers)
            .chain(running)
    }

    /// Its name, which is that of its configuration.
    pub fn name(self) -> String {
        let (of_routes, of_rules) = match self {
            Self::Counts(counter) => return counter.name(),
            Self::Answers { of_rules } => (ANSWERS, of_rules),
            Self::Runs { filter, whose } => return whose.name(filter),
        };
        if of_rules {
            filter::of_rules(of_routes)
        } else {
            of_routes.to_owned()
        }
    }
}

/// A script for one of the filters that run theirs only while they are asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    pub whose: Whose,
    /// The name of the filter of routes.
    pub filter: &'static str,
    pub source: &'static str,
}

impl Script {
    /// The script of a filter of routes, or of one of those beside it.
    pub fn of(filter: &'static str, whose: Whose) -> Option<Self> {
        let (_, source) = SCRIPTS.into_iter().find(|(name, _)| *name == filter)?;
        Some(Self {
            whose,
            filter,
            source,
        })
    }
}

/// An answer in the place of the instance's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    pub of_rules: bool,
    /// The same of equal answers, and no other's.
    pub name: String,
    /// The encoded `LocalResponsePolicy`.
    pub policy: Bytes,
    /// A pattern of the statuses in whose place it is; all where there is none.
    pub statuses: Option<String>,
}

impl Answer {
    pub fn new(of_rules: bool, statuses: Option<String>, policy: &LocalResponsePolicy) -> Self {
        let policy = canonical(policy);
        let pattern = statuses.as_deref().unwrap_or_default();
        let whole = [&*policy, pattern.as_bytes()].concat();
        Self {
            of_rules,
            name: format!("{:032x}", xxh3_128(&whole)),
            policy,
            statuses,
        }
    }

    /// What holds the name of a request's answer.
    pub fn state(of_rules: bool) -> &'static str {
        if of_rules {
            "chancery.answer.of_rules"
        } else {
            "chancery.answer"
        }
    }
}
