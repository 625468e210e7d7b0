//! Who sends a request: the filters that find it out, and the headers in which they tell each other.
//!
//! What these filters compare with are the credentials of all consumers. They come by names of their own (ECDS), so that a
//! changed consumer changes neither a listener nor a route. A filter of API keys is also what looks a name up, as it holds
//! any number of them at equal cost and lets nobody pass whom it does not find.
//!
//! A client cannot name itself: what begins with one of [`OWN_HEADERS`] is taken off each request before anything else.

use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::api_key_auth::v3::ApiKeyAuth;
use envoy_types::pb::envoy::extensions::filters::http::basic_auth::v3::BasicAuth;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::JwtAuthentication;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use prost::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reply::{self, Reply};
use super::script;
use crate::envoy::filter;
use crate::model::decode::quoted;
use crate::model::key::Id;

/// The consumer's name, as upstreams are told it. Filters that find a consumer say there what else is known of it as well, until
/// [`told`] takes it apart.
pub const CONSUMER: &str = "x-consumer-username";
/// The consumer's group.
pub const GROUP: &str = "x-chancery-consumer-group";
/// The group of consumers without one: no id has such letters.
pub const NO_GROUP: &str = "(none)";
/// The key alone, wherever it was found.
pub const KEY: &str = "x-chancery-key";
/// The name that came with a password.
pub const BASIC: &str = "x-chancery-basic";
/// The token alone, wherever it was found.
pub const TOKEN: &str = "x-chancery-token";
/// The claim of a token that nobody has verified.
pub const UNVERIFIED: &str = "x-chancery-unverified";
/// That claim, and the same once verified, with a space between them.
pub const CLAIMED: &str = "x-chancery-claimed";
/// What claims of a verified token are told in begins so.
pub const CLAIM_PREFIX: &str = "x-chancery-claim-";
/// The claims that are told so. What another says is in the [`payload`].
pub const CLAIMS: [&str; 3] = ["key", "iss", "sub"];
/// What holds the claim that the verification of a token goes by.
pub const SELECTED: &str = "chancery.jwt_auth.claim";
/// What stands there before it, where a token may be wrong. No claim has a space.
pub const MAY_BE_WRONG: &str = "? ";

/// Where the payload of a verified token lies, of the filter of routes or of that of global rules: what one of them verified is
/// nothing to the other, which may go by another claim.
pub fn payload(of_rules: bool) -> &'static str {
    if of_rules { "global" } else { "route" }
}

/// What no client may send, each as a whole name or, where it ends in `-`, the beginning of one.
pub const OWN_HEADERS: [&str; 4] = [
    CONSUMER,
    "x-consumer-custom-id",
    "x-credential-identifier",
    "x-chancery-",
];

/// A filter whose configuration holds what consumers' documents say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Names with passwords.
    Basics,
    /// The consumers behind these.
    BasicConsumers,
    /// What verifies tokens.
    Jwts,
    /// The consumers behind claims.
    JwtConsumers,
    /// The consumers behind keys.
    Keys,
    Groups,
    /// The same as the first two, where strangers are somebody.
    BasicsOrElse,
    /// The same as the consumers behind claims, likewise.
    JwtsOrElse,
    /// The same as the consumers behind keys, likewise.
    KeysOrElse,
}

impl Extension {
    pub const ALL: [Self; 9] = [
        Self::Basics,
        Self::BasicConsumers,
        Self::Jwts,
        Self::JwtConsumers,
        Self::Keys,
        Self::Groups,
        Self::BasicsOrElse,
        Self::JwtsOrElse,
        Self::KeysOrElse,
    ];

    /// The name of the filter, which is that of its configuration: for routes, or for global rules.
    pub fn name(self, of_rules: bool) -> String {
        let of_routes = self.of_routes();
        if of_rules {
            filter::of_rules(of_routes)
        } else {
            of_routes.to_owned()
        }
    }

    /// The name of the filter of routes.
    pub fn of_routes(self) -> &'static str {
        match self {
            Self::Basics => "chancery.basic_auth",
            Self::BasicConsumers => "chancery.basic_auth.consumers",
            Self::Jwts => "chancery.jwt_auth",
            Self::JwtConsumers => "chancery.jwt_auth.consumers",
            Self::Keys => "chancery.key_auth",
            Self::Groups => "chancery.consumer_groups",
            Self::BasicsOrElse => "chancery.basic_auth.or_else",
            Self::JwtsOrElse => "chancery.jwt_auth.or_else",
            Self::KeysOrElse => "chancery.key_auth.or_else",
        }
    }

    /// The filter as it stands in the chain, disabled.
    pub fn filter(self) -> HttpFilter {
        let type_url = match self {
            Self::Basics => BasicAuth::type_url(),
            Self::Jwts => JwtAuthentication::type_url(),
            Self::BasicsOrElse | Self::JwtsOrElse | Self::KeysOrElse => Lua::type_url(),
            _ => ApiKeyAuth::type_url(),
        };
        filter::discovered(self.of_routes(), type_url)
    }

    /// Enables the filter for a route, as it is.
    pub fn enable(self, route: &mut Route) {
        filter::enable_as_it_is(route, self.of_routes());
    }

    /// Enables the filter for a route on which strangers are the consumer of this name.
    pub fn enable_or_else(self, route: &mut Route, anonymous: &Id) {
        self.enable_with(route, vec![("anonymous", json!(anonymous.as_str()))]);
    }

    /// Enables the filter for a route on which several look for a consumer.
    pub fn enable_in_turn(self, route: &mut Route, turn: &Turn) {
        let anonymous = turn.anonymous.iter();
        let anonymous = anonymous.map(|anonymous| ("anonymous", json!(anonymous.as_str())));
        let last = turn.last.iter().flat_map(|last| {
            let hides = last.hides.iter().map(|rank| ("hides", json!(rank)));
            [("challenge", json!(last.challenge))]
                .into_iter()
                .chain(hides)
        });
        let rank = [("rank", json!(turn.rank))].into_iter();
        self.enable_with(route, rank.chain(anonymous).chain(last).collect());
    }

    fn enable_with(self, route: &mut Route, mut fields: Vec<(&str, Value)>) {
        let kind = match self {
            Self::BasicsOrElse => "basic",
            Self::JwtsOrElse => "jwt",
            _ => "key",
        };
        fields.push(("kind", json!(kind)));
        let fields = fields.into_iter();
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        script::enable(route, self.of_routes(), &fields.collect());
    }
}

/// One of several filters that look for a consumer, whose order is another than that in which their plugins are asked.
#[derive(Debug)]
pub struct Turn {
    /// Of all that find somebody, the one of the lowest counts.
    pub rank: usize,
    /// Whom it finds in a stranger.
    pub anonymous: Option<Id>,
    /// Of the filter that stands last: it turns those away whom none has found.
    pub last: Option<Last>,
}

/// What the last of several filters does.
#[derive(Debug)]
pub struct Last {
    /// What those are told in `WWW-Authenticate`.
    pub challenge: String,
    /// The rank of the plugin whose credential, a password, upstreams are not shown.
    pub hides: Option<usize>,
}

/// What filters run that have somebody be in the place of strangers, behind the lists of whom they know: those that Envoy has for
/// keys and passwords turn strangers away.
pub const OR_ELSE: &str = include_str!("identity/or_else.lua");

/// What tells upstreams who sends a request.
pub const TOLD: &str = "chancery.consumer";

/// The filter behind all that find a consumer, disabled.
pub fn told() -> HttpFilter {
    script::discovered(TOLD)
}

/// Has upstreams be told who sends requests of a route.
pub fn tell(route: &mut Route) {
    filter::enable_as_it_is(route, TOLD);
}

/// Has a route be chosen anew where a request's consumer is found on this one.
pub fn choose_anew(route: &mut Route) {
    for filter in [TOLD.to_owned(), filter::of_rules(TOLD)] {
        if route.typed_per_filter_config.contains_key(&filter) {
            let anew = Map::from_iter([("anew".to_owned(), true.into())]);
            script::enable(route, &filter, &anew);
        }
    }
}

/// Checks the name of an argument of the query, or of a cookie.
pub fn argument(name: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=256).contains(&name.len()) && name.bytes().all(fits) {
        Ok(())
    } else {
        Err(format!(
            "found the name {}, allowed: letters, digits, `-`, `_` and `.`",
            quoted(name)
        ))
    }
}

/// Why the filter of API keys turned a request away.
pub const NOBODY: &str = "missing_credentials";
pub const MISSING: &str = "missing_api_key";
pub const UNKNOWN: &str = "unknown_api_key";
/// As older Envoys spell it.
pub const UNKNOWN_ONCE: &str = "unkonwn_api_key";

/// What a client is told that is turned away for a reason of Envoy's; a plugin that runs earlier has the word.
pub fn say(route: &mut Route, reason: &str, message: &str) {
    reply::set_body(route, reason, &json!({"message": message}).to_string());
}

/// An answer with a body of the route's, told apart by its reason, and with what the route says of `challenge`.
pub fn reply(reason: &str, challenge: &'static str) -> Reply {
    Reply {
        details: reason.to_owned(),
        status: None,
        body: reason.to_owned(),
        challenge: Some(challenge),
    }
}

/// What the metadata of a route calls that which `WWW-Authenticate` says, by whose filters turn a request away: names with
/// passwords, tokens, or what looks names up, which is of the first plugin that has such.
pub const BASIC_CHALLENGE: &str = "challenge/basic";
pub const JWT_CHALLENGE: &str = "challenge/jwt";
pub const KEY_CHALLENGE: &str = "challenge/key";

/// For whom a route asks credentials.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Realm(#[schemars(length(max = 256))] String);

impl Realm {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// What `WWW-Authenticate` says.
    pub fn challenge(&self, scheme: &str) -> String {
        format!("{scheme} realm=\"{}\"", self.0)
    }
}

impl TryFrom<String> for Realm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        if text.len() <= 256 && text.chars().all(fits) {
            Ok(Self(text))
        } else {
            Err(format!(
                "found {}, allowed: up to 256 characters of printable ASCII, without `\"` and `\\`",
                quoted(&text)
            ))
        }
    }
}
