//! Documents that have people log in.

use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::o_auth2_config::AuthType;
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::{OAuth2Config, OAuth2PerRoute};
use envoy_types::pb::envoy::r#type::matcher::v3::PathMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::path_matcher::Rule;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::{Value, json};

use super::VERIFIES;
use crate::cohort::{Ability, Envoy};
use crate::model::upstream::Target;
use crate::plugin::shared::asked::TELLS;
use crate::plugin::tests::{applied, read, refusal, warned};
use crate::translate;

const FILTER: &str = "chancery.openid-connect.login";

/// A configuration whose provider has answered, with these fields beside or instead.
fn with(fields: &Value) -> Value {
    let said = json!({"issuer": "https://a", "keys": [], "login": {
        "authorization": "https://a/in?p=q", "token": "https://b:8443/token?r=s", "end_session": "https://a/out",
        "methods": ["client_secret_post"],
    }});
    let mut whole = json!({
        "client_id": "me", "client_secret": "pl4nted", "discovery": said.to_string(),
        "session": {"secret": "another pl4nted one"},
    });
    let own = whole.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    own.retain(|_, value| !value.is_null());
    whole
}

fn config(fields: &Value) -> OAuth2Config {
    let route = applied(json!({ "openid-connect": with(fields) }));
    let config = &route.typed_per_filter_config[FILTER].value;
    let config = OAuth2PerRoute::decode(config.as_slice()).unwrap();
    config.config.unwrap()
}

fn pattern(path: &Option<PathMatcher>) -> String {
    let Some(Rule::Path(text)) = &path.as_ref().unwrap().rule else {
        panic!("no path");
    };
    match text.match_pattern.as_ref().unwrap() {
        MatchPattern::Exact(text) => format!("={text}"),
        MatchPattern::Suffix(text) => format!("*{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_filter_is_told_what_the_document_and_the_provider_say() {
    let plain = config(&json!({}));
    assert_eq!(plain.authorization_endpoint, "https://a/in?p=q");
    assert_eq!(plain.end_session_endpoint, "https://a/out");
    assert_eq!(plain.auth_scopes, ["openid"]);
    assert_eq!(
        plain.redirect_uri,
        "%REQ(:scheme)%://%REQ(:authority)%%REQ(x-chancery-callback)%"
    );
    assert_eq!(pattern(&plain.redirect_path_matcher), "*/.apisix/redirect");
    assert_eq!(pattern(&plain.signout_path), "=/logout");
    assert_eq!(plain.auth_type(), AuthType::UrlEncodedBody);
    assert!(plain.use_refresh_token.unwrap().value && plain.forward_bearer_token);
    assert_eq!(plain.default_expires_in.unwrap().seconds, 3600);
    for all in [
        &plain.pass_through_matcher,
        &plain.deny_redirect_matcher,
        &plain.allow_failed_matcher,
    ] {
        assert!(all.is_empty());
    }
    let own = config(&json!({
        "scope": "openid  email", "redirect_uri": "/100%/back", "logout_path": "/out", "unauth_action": "deny",
        "authorization_params": {"prompt": "a b&c"}, "token_endpoint_auth_method": "client_secret_basic",
        "renew_access_token_on_expiry": false, "access_token_expires_in": 60, "use_jwks": true,
    }));
    assert_eq!(
        own.authorization_endpoint,
        "https://a/in?p=q&prompt=a%20b%26c"
    );
    assert_eq!(own.auth_scopes, ["openid", "email"]);
    assert_eq!(
        own.redirect_uri,
        "%REQ(:scheme)%://%REQ(:authority)%/100%%/back"
    );
    assert_eq!(pattern(&own.redirect_path_matcher), "=/100%/back");
    assert_eq!(pattern(&own.signout_path), "=/out");
    assert_eq!(own.auth_type(), AuthType::BasicAuth);
    assert_eq!(own.default_expires_in.unwrap().seconds, 60);
    assert!(!own.use_refresh_token.unwrap().value);
    assert_eq!(own.deny_redirect_matcher[0].name, ":path");
    assert_eq!(
        own.pass_through_matcher[0].name,
        "x-chancery-token-verified"
    );
    let whole =
        config(&json!({"redirect_uri": "https://shop.example.com/back", "unauth_action": "pass"}));
    assert_eq!(whole.redirect_uri, "https://shop.example.com/back");
    assert_eq!(pattern(&whole.redirect_path_matcher), "=/back");
    assert_eq!(whole.allow_failed_matcher.len(), 1);
}

#[test]
fn neither_secret_stands_in_a_route_or_a_cluster_and_another_client_has_other_cookies() {
    let plugins = read(json!({ "openid-connect": with(&json!({})) })).unwrap();
    let lacking =
        |envoy| -> Vec<String> { plugins.lacking(envoy).map(|one| one.message).collect() };
    assert_eq!(lacking(Envoy::V1_37), [Ability::Logins.needed()]);
    assert!(lacking(Envoy::V1_38).is_empty());
    let Some(Target::Inline(cluster)) = plugins.targets().next() else {
        panic!("no cluster");
    };
    let secrets = translate::client_secrets(cluster);
    let names: Vec<&str> = secrets.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "credential/route/r/openid-connect/0",
            "session/route/r/openid-connect/0"
        ]
    );
    assert!(format!("{:?}", secrets[0].1).contains("pl4nted"));
    // Bound to the client and its provider.
    assert!(format!("{:?}", secrets[1].1).contains("another pl4nted one\\nme\\nhttps://a"));
    let route = applied(json!({ "openid-connect": with(&json!({})) }));
    let all = format!(
        "{route:?} {:?}",
        translate::cluster(cluster, &Default::default())
    );
    assert!(!all.contains("pl4nted"));
    for config in route.typed_per_filter_config.values() {
        let has = config.value.windows(7).any(|part| part == b"pl4nted");
        assert!(!has);
    }
    let cookies = |fields: &Value| {
        let names = config(fields).credentials.unwrap().cookie_names.unwrap();
        names.oauth_hmac
    };
    assert_eq!(
        cookies(&json!({})),
        cookies(&json!({"client_secret": "other"}))
    );
    assert_ne!(cookies(&json!({})), cookies(&json!({"client_id": "you"})));
}

/// What a filter's script is told.
fn told(fields: &Value, filter: &str, name: &str) -> Option<Kind> {
    let route = applied(json!({ "openid-connect": with(fields) }));
    let config = &route.typed_per_filter_config[filter].value;
    let context = LuaPerRoute::decode(config.as_slice()).unwrap();
    let fields = context.filter_context.unwrap().fields;
    fields.get(name)?.kind.clone()
}

#[test]
fn the_scripts_are_told_what_upstreams_are_and_where_people_go() {
    let (yes, no) = (Some(Kind::BoolValue(true)), Some(Kind::BoolValue(false)));
    let plain = json!({});
    for (filter, name, value) in [
        (VERIFIES, "login", &yes),
        (VERIFIES, "verifies", &no),
        (VERIFIES, "closed", &no),
        (TELLS, "token_header", &yes),
        (TELLS, "authorization", &no),
        (TELLS, "userinfo", &yes),
        (TELLS, "id_token", &yes),
        (TELLS, "is_provider", &yes),
        (TELLS, "after", &None),
    ] {
        assert_eq!(told(&plain, filter, name), *value, "{name}");
    }
    let text = |text: &str| Some(Kind::StringValue(text.to_owned()));
    let after = json!({"post_logout_redirect_uri": "https://c/?d", "access_token_in_authorization_header": true});
    assert_eq!(told(&after, TELLS, "ends"), text("https://a/out"));
    assert_eq!(told(&after, TELLS, "after"), text("https%3A%2F%2Fc%2F%3Fd"));
    assert_eq!(told(&after, TELLS, "authorization"), yes);
    assert_eq!(told(&after, TELLS, "token_header"), no);
    // A provider at which nobody logs out.
    let said = json!({"issuer": "a", "keys": [], "login": {"authorization": "http://a/", "token": "http://a/"}});
    let alone = json!({"post_logout_redirect_uri": "/bye", "discovery": said.to_string()});
    assert_eq!(told(&alone, TELLS, "ends"), text("/bye"));
    assert_eq!(told(&alone, TELLS, "is_provider"), no);
    let keyed = json!({"use_jwks": true});
    assert_eq!(told(&keyed, VERIFIES, "verifies"), yes);
}

#[test]
fn nobody_passes_before_the_provider_has_said_where_people_log_in() {
    let route = applied(json!({ "openid-connect": with(&json!({"discovery": "http://a"})) }));
    let filters: Vec<_> = route.typed_per_filter_config.keys().collect();
    assert_eq!(filters, [VERIFIES]);
    let closed = told(&json!({"discovery": "http://a"}), VERIFIES, "closed");
    assert_eq!(closed, Some(Kind::BoolValue(true)));
}

#[test]
fn what_is_refused_of_logins() {
    let long = "x".repeat(4096);
    let table = [
        (
            json!({"session": null}),
            "session: is missing, allowed: an object with `secret`, of at least 16 characters, where",
        ),
        (
            json!({"session": {"secret": "only fifteen ch"}}),
            "session.secret: found 15 characters, allowed: at least 16",
        ),
        (json!({"session": {}}), "session: `secret` is missing"),
        (
            json!({"session": {"secret": "0123456789abcdef", "storage": "redis"}}),
            "session.storage: found \"redis\", allowed: cookie",
        ),
        (
            json!({"session": {"secret": "0123456789abcdef", "cookie": {"lifetime": 5}}}),
            "session.cookie: `cookie` is not served: of `session`: its",
        ),
        (
            json!({"session": {"secret": "0123456789abcdef", "redis": {}}}),
            "session.redis: `redis` is not served: of `session`: Envoy keeps",
        ),
        (
            json!({"client_id": "a b"}),
            "client_id: found \"a b\", allowed in a login: letters, digits and `-._~:/@`",
        ),
        (
            json!({"client_id": ""}),
            "client_id: found \"\", allowed in a login",
        ),
        (
            json!({"scope": "email"}),
            "scope: found \"email\", allowed: scopes with spaces between them, `openid` one of them",
        ),
        (
            json!({"redirect_uri": "back"}),
            "redirect_uri: found \"back\", allowed: an address without a query, such as",
        ),
        (
            json!({"redirect_uri": "https://a/b?c"}),
            "redirect_uri: found",
        ),
        (
            json!({"logout_path": "out"}),
            "logout_path: found \"out\", allowed: a path, such as /logout",
        ),
        (
            json!({"post_logout_redirect_uri": "a b"}),
            "post_logout_redirect_uri: found \"a b\", allowed: an address such as",
        ),
        (
            json!({"authorization_params": {"state": "a"}}),
            "authorization_params: found \"state\", allowed: other parameters",
        ),
        (
            json!({"authorization_params": {"a": long}}),
            "authorization_params: found 4099 characters of parameters, allowed: at most 4096",
        ),
        (
            json!({"unauth_action": "ask"}),
            "unauth_action: found \"ask\", allowed: auth, deny, pass",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            "token_endpoint_auth_method: found \"private_key_jwt\", allowed in a login: client_secret_basic, client_secret_post",
        ),
        (
            json!({"use_nonce": true}),
            "use_nonce: found true, allowed in a login: false; a code is bound to its login by PKCE",
        ),
        (
            json!({"force_reauthorize": true}),
            "force_reauthorize: found true, allowed in a login: false",
        ),
        (
            json!({"set_refresh_token_header": true}),
            "set_refresh_token_header: found true, allowed in a login: false; Envoy takes",
        ),
        (
            json!({"revoke_tokens_on_logout": true}),
            "revoke_tokens_on_logout: found true, allowed in a login: false",
        ),
        (
            json!({"access_token_expires_leeway": 5}),
            "access_token_expires_leeway: found 5, allowed in a login: 0",
        ),
        (
            json!({"access_token_expires_in": 0}),
            "access_token_expires_in: found a number, allowed: 1–4294967295",
        ),
        (json!({"timeout": 61}), "timeout: found 61, allowed: 1–60"),
        (
            json!({"client_rsa_private_key": "k"}),
            "client_rsa_private_key: `client_rsa_private_key` is not served: Envoy shows",
        ),
    ];
    for (fields, said) in table {
        let told = refusal("openid-connect", &with(&fields).to_string());
        assert!(told.starts_with(said), "{fields}: {told}");
        // Where nobody logs in, none of it has an effect.
        let is_login = said.contains("in a login") || said.starts_with("session: is missing");
        if is_login {
            let mut alone = with(&fields);
            alone["bearer_only"] = true.into();
            alone["use_jwks"] = true.into();
            assert!(read(json!({ "openid-connect": alone })).is_ok(), "{fields}");
        }
    }
    let warnings = warned("openid-connect", with(&json!({})));
    assert!(
        warnings
            .iter()
            .any(|one| one.contains("can log in as anybody")),
        "{warnings:?}"
    );
    assert!(warned("openid-connect", with(&json!({"ssl_verify": true}))).is_empty());
}
