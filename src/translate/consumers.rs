//! Consumers as the configuration of the filters that know them: one small resource each, in the place of every listener.

use envoy_types::pb::envoy::config::core::v3::{
    DataSource, TypedExtensionConfig, data_source::Specifier,
};
use envoy_types::pb::envoy::extensions::filters::http::api_key_auth::v3::{
    ApiKeyAuth, Credential, Forwarding, KeySource,
};
use envoy_types::pb::envoy::extensions::filters::http::basic_auth::v3::BasicAuth;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_provider::JwksSourceSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::jwt_requirement::RequiresType;
use envoy_types::pb::envoy::extensions::filters::http::jwt_authn::v3::{
    FilterStateRule, JwtAuthentication, JwtClaimToHeader, JwtHeader, JwtProvider, JwtRequirement,
    JwtRequirementOrList,
};
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;

use crate::envoy::any;
use crate::envoy::proto::boolean;
use crate::model::Consumers;
use crate::model::consumer::Jwt;
use crate::plugin::shared::identity::{
    BASIC, CLAIM_PREFIX, CLAIMED, CLAIMS, CONSUMER, Extension, GROUP, KEY, MAY_BE_WRONG, NO_GROUP,
    OR_ELSE, SELECTED, TOKEN, payload,
};

/// A line for somebody without a password: Envoy takes no empty list, and no text is known to have this hash.
const NOBODY: &str = "nobody:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// The configuration of each [`Extension`], and of each that global rules have, under its name; there is always one.
pub fn consumers(consumers: &Consumers) -> Vec<TypedExtensionConfig> {
    let each = Extension::ALL
        .into_iter()
        .flat_map(|one| [(one, false), (one, true)]);
    each.map(|(one, of_rules)| extension(one, of_rules, consumers))
        .collect()
}

/// The configuration of one, under its name. While no global rule asks for consumers, what rules have is a filter that lets
/// everybody pass: one that knew nobody would turn requests away between its coming and that of the routes without it.
pub fn extension(
    extension: Extension,
    of_rules: bool,
    consumers: &Consumers,
) -> TypedExtensionConfig {
    #[cfg(test)]
    TRANSLATED.set(TRANSLATED.get() + 1);
    TypedExtensionConfig {
        name: extension.name(of_rules),
        typed_config: Some(match extension {
            _ if of_rules && !consumers.asked_by_rules => any(&HeaderMutation::default()),
            Extension::Basics => any(&basics(consumers)),
            Extension::BasicConsumers => any(&basic_consumers(consumers)),
            Extension::Jwts => any(&jwts(consumers, of_rules)),
            Extension::JwtConsumers => any(&jwt_consumers(consumers)),
            Extension::Keys => any(&keys(consumers)),
            Extension::Groups => any(&groups(consumers)),
            Extension::BasicsOrElse | Extension::JwtsOrElse | Extension::KeysOrElse => {
                any(&or_else(extension, of_rules, consumers))
            }
        }),
    }
}

/// Whether an extension has the same configuration with these consumers as with those.
pub fn is_same_for(
    extension: Extension,
    of_rules: bool,
    these: &Consumers,
    those: &Consumers,
) -> bool {
    if of_rules && these.asked_by_rules != those.asked_by_rules {
        return false;
    }
    let welcome = |consumers: &Consumers| are_welcome(of_rules, consumers);
    let same_welcome = welcome(these) == welcome(those);
    match extension {
        _ if of_rules && !these.asked_by_rules => true,
        Extension::Basics | Extension::BasicConsumers => these.basics == those.basics,
        Extension::JwtConsumers => these.jwts == those.jwts,
        Extension::Jwts => same_welcome && these.jwts == those.jwts,
        Extension::Keys => these.keys == those.keys,
        Extension::Groups => these.groups == those.groups,
        _ if !same_welcome => false,
        _ if !welcome(these) => true,
        _ if these.strangers != those.strangers => false,
        Extension::BasicsOrElse => these.basics == those.basics,
        Extension::JwtsOrElse => these.jwts == those.jwts,
        Extension::KeysOrElse => these.keys == those.keys,
    }
}

/// Whether strangers are somebody by what routes, or global rules, say.
fn are_welcome(of_rules: bool, consumers: &Consumers) -> bool {
    let welcome = consumers.welcome;
    if of_rules {
        welcome.by_rules
    } else {
        welcome.by_routes
    }
}

/// Finds consumers, or else whom strangers are. While nobody asks, everybody is a stranger: that holds between the coming of a
/// route that asks, or its going, and that of the lists.
fn or_else(extension: Extension, of_rules: bool, consumers: &Consumers) -> Lua {
    let script = |lists: &str| Lua {
        default_source_code: Some(inline(format!("{lists}{OR_ELSE}"))),
        clear_route_cache: Some(boolean(false)),
        ..Lua::default()
    };
    if !are_welcome(of_rules, consumers) {
        return script("local KNOWN, CONSUMERS\n");
    }
    let known: String = match extension {
        Extension::BasicsOrElse => {
            let each = consumers.basics.values();
            each.map(|(basic, found)| {
                format!("{}:{}\t{found}\n", basic.username, basic.hash.reveal())
            })
            .collect()
        }
        Extension::JwtsOrElse => {
            let each = consumers.jwts.values();
            each.map(|(jwt, found)| format!("{0} {0}\t{found}\n", jwt.key))
                .collect()
        }
        _ => {
            let each = consumers.keys.iter();
            each.map(|(key, found)| format!("{}\t{found}\n", key.hash()))
                .collect()
        }
    };
    let strangers = consumers.strangers.iter();
    let strangers: String = strangers
        .map(|(name, found)| format!("{name}\t{found}\n"))
        .collect();
    let (known, strangers) = (lua_text(&known), lua_text(&strangers));
    script(&format!(
        "local KNOWN = {known}\nlocal CONSUMERS = {strangers}\n"
    ))
}

/// A text as Lua reads it: between brackets that it does not have itself.
fn lua_text(text: &str) -> String {
    let mut bars = "=".to_owned();
    while text.contains(&format!("]{bars}]")) {
        bars.push('=');
    }
    format!("[{bars}[\n{text}]{bars}]")
}

fn basics(consumers: &Consumers) -> BasicAuth {
    let basics = consumers.basics.values();
    let each = basics.map(|(basic, _)| {
        let hash = basic.hash.reveal();
        format!("{}:{{SHA}}{hash}\n", basic.username)
    });
    let lines: String = each.collect();
    let lines = if lines.is_empty() {
        NOBODY.to_owned()
    } else {
        lines
    };
    BasicAuth {
        users: Some(inline(lines)),
        forward_username_header: BASIC.to_owned(),
        ..BasicAuth::default()
    }
}

fn basic_consumers(consumers: &Consumers) -> ApiKeyAuth {
    let basics = consumers.basics.values();
    let names = basics.map(|(basic, consumer)| (basic.username.to_string(), consumer.to_string()));
    lookup(BASIC, names, CONSUMER)
}

/// Which key verifies a token hangs on the claim that was read from it before; a token whose claim is nobody's passes
/// unverified, and is found to be nobody's by the next filter.
fn jwts(consumers: &Consumers, of_rules: bool) -> JwtAuthentication {
    let jwts = consumers.jwts.values().map(|(jwt, _)| jwt);
    let provider = |jwt: &Jwt| (jwt.key.to_string(), provider(jwt, of_rules));
    let of = |requires_type| JwtRequirement {
        requires_type: Some(requires_type),
    };
    let verified = |jwt: &Jwt| of(RequiresType::ProviderName(jwt.key.to_string()));
    let requirement = |jwt: &Jwt| (jwt.key.to_string(), verified(jwt));
    let may_be_wrong = |jwt: &Jwt| {
        let wrong = of(RequiresType::AllowMissingOrFailed(Default::default()));
        let either = JwtRequirementOrList {
            requirements: vec![verified(jwt), wrong],
        };
        let name = format!("{MAY_BE_WRONG}{}", jwt.key);
        (name, of(RequiresType::RequiresAny(either)))
    };
    let strangers = are_welcome(of_rules, consumers);
    let others = jwts.clone().filter(|_| strangers).map(may_be_wrong);
    JwtAuthentication {
        providers: jwts.clone().map(provider).collect(),
        filter_state_rules: Some(FilterStateRule {
            name: SELECTED.to_owned(),
            requires: jwts.map(requirement).chain(others).collect(),
        }),
        ..JwtAuthentication::default()
    }
}

fn provider(jwt: &Jwt, of_rules: bool) -> JwtProvider {
    let claim = |claim: &str| JwtClaimToHeader {
        header_name: format!("{CLAIM_PREFIX}{claim}"),
        claim_name: claim.to_owned(),
        ..JwtClaimToHeader::default()
    };
    let key_set = inline(jwt.key_set.reveal().to_owned());
    JwtProvider {
        jwks_source_specifier: Some(JwksSourceSpecifier::LocalJwks(key_set)),
        from_headers: vec![JwtHeader {
            name: TOKEN.to_owned(),
            ..JwtHeader::default()
        }],
        payload_in_metadata: payload(of_rules).to_owned(),
        claim_to_headers: CLAIMS.map(claim).into(),
        clock_skew_seconds: jwt.grace_seconds,
        ..JwtProvider::default()
    }
}

fn jwt_consumers(consumers: &Consumers) -> ApiKeyAuth {
    let jwts = consumers.jwts.values();
    let names = jwts.map(|(jwt, consumer)| (format!("{0} {0}", jwt.key), consumer.to_string()));
    lookup(CLAIMED, names, CONSUMER)
}

/// Routes say which header and argument the key comes in, and it goes no further.
fn keys(consumers: &Consumers) -> ApiKeyAuth {
    let keys = consumers.keys.iter();
    let names = keys.map(|(key, consumer)| (key.reveal().to_owned(), consumer.to_string()));
    ApiKeyAuth {
        forwarding: Some(Forwarding {
            header: CONSUMER.to_owned(),
            hide_credentials: true,
        }),
        ..lookup(KEY, names, CONSUMER)
    }
}

fn groups(consumers: &Consumers) -> ApiKeyAuth {
    let groups = consumers.groups.iter();
    let names = groups.map(|(consumer, group)| {
        let name = group.as_ref().map_or(NO_GROUP, |group| group.as_str());
        (consumer.to_string(), name.to_owned())
    });
    lookup(CONSUMER, names, GROUP)
}

/// Looks the value of one header up, and tells what it finds in another.
fn lookup(header: &str, names: impl Iterator<Item = (String, String)>, found: &str) -> ApiKeyAuth {
    ApiKeyAuth {
        credentials: names
            .map(|(key, client)| Credential { key, client })
            .collect(),
        key_sources: vec![KeySource {
            header: header.to_owned(),
            ..KeySource::default()
        }],
        forwarding: Some(Forwarding {
            header: found.to_owned(),
            hide_credentials: false,
        }),
    }
}

fn inline(text: String) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineString(text)),
        ..DataSource::default()
    }
}

#[cfg(test)]
thread_local! {
    /// How many extensions this thread has translated: tests count work, not time.
    pub static TRANSLATED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
