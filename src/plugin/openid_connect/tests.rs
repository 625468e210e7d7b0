use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::LuaPerRoute;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use serde_json::{Value, json};

use super::VERIFIES;
use crate::model::drain::TakenNodes;
use crate::model::upstream::Target;
use crate::plugin::tests::{applied, read, refusal, warned};

mod logins;
use crate::translate;

/// A configuration with a key on the curve P-256, and with these fields beside or instead.
fn with(fields: &Value) -> Value {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut whole = json!({
        "client_id": "me", "client_secret": "S", "discovery": "http://a/.well-known/openid-configuration",
        "bearer_only": true, "public_key": key.public_key_pem(),
        "claim_validator": {"issuer": {"valid_issuers": ["http://a"]}},
    });
    let own = whole.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    own.retain(|_, value| !value.is_null());
    whole
}

#[test]
fn the_script_is_told_the_key_and_no_secret() {
    let value = with(&json!({
        "required_scopes": ["a", "b"], "realm": "here", "set_userinfo_header": false,
    }));
    let route = applied(json!({ "openid-connect": value }));
    let config = &route.typed_per_filter_config[VERIFIES].value;
    assert!(!config.windows(3).any(|part| part == b"\x01S\x12"));
    let told = LuaPerRoute::decode(config.as_slice())
        .unwrap()
        .filter_context;
    let told = told.unwrap().fields;
    let text = |name: &str| match &told[name].kind {
        Some(Kind::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(text("challenge"), "Bearer realm=\"here\"");
    let keys = format!("{:?}", told["keys"]);
    // What the key of every curve begins with, and this curve.
    assert!(keys.contains("3059301306072a8648ce3d020106082a8648ce3d030107"));
    assert_eq!(told["named"].kind, Some(Kind::BoolValue(false)));
    assert_eq!(
        text("no_scopes"),
        r#"{"error":"required scopes a, b not present"}"#
    );
    assert_eq!(told["userinfo"].kind, Some(Kind::BoolValue(false)));
    assert!(!told.contains_key("client"));
    let all = format!("{told:?}");
    assert!(all.contains("ES256") && !all.contains("RS256"), "{all}");
}

#[test]
fn what_is_refused() {
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let table = [
        (json!({"client_secret": null}), "`client_secret` is missing"),
        (
            json!({"client_secret": 5}),
            "client_secret: found no string, allowed: a string",
        ),
        (
            json!({"public_key": null, "use_jwks": true, "token_signing_alg_values_expected": "HS256"}),
            "token_signing_alg_values_expected: found \"HS256\", allowed: RS256, RS384, RS512, ES256, ES384, ES512",
        ),
        (
            json!({"accept_none_alg": true}),
            "accept_none_alg: found true, allowed: false; a token that nobody signed would pass",
        ),
        (
            json!({"public_key": null}),
            "public_key: is missing, allowed: a public key as PEM, or `use_jwks` as `true` for those of the provider, or \
             `introspection_endpoint`",
        ),
        (
            json!({"public_key": "s3cret"}),
            "public_key: cannot be read, allowed: a public key as PEM (BEGIN PUBLIC KEY)",
        ),
        (
            json!({"public_key": edwards.public_key_pem()}),
            "public_key: found another kind of key, allowed: of RSA, or on the curve P-256, P-384 or P-521",
        ),
        (
            json!({"token_signing_alg_values_expected": "RS256"}),
            "token_signing_alg_values_expected: found \"RS256\", allowed with this key: ES256",
        ),
        (
            json!({"public_key": null, "introspection_endpoint": "login.example.com"}),
            "introspection_endpoint: found \"login.example.com\", allowed: a URI such as http://auth.example.com:8080/check",
        ),
        (
            json!({"introspection_endpoint_auth_method": "client_secret_post"}),
            "introspection_endpoint_auth_method: found \"client_secret_post\", allowed: client_secret_basic; in a body the secret would \
             be shown by Envoy",
        ),
        (
            json!({"public_key": null, "introspection_endpoint": "http://a", "timeout": 61}),
            "timeout: found 61, allowed: 1–60",
        ),
        (
            json!({"refresh_session_interval": 5}),
            "refresh_session_interval: `refresh_session_interval` is not served: a session lasts as long as its token, and the provider is \
             asked when that has expired",
        ),
    ];
    for (fields, said) in table {
        let configuration = with(&fields).to_string();
        assert_eq!(refusal("openid-connect", &configuration), said, "{fields}");
    }
    assert!(read(json!({ "openid-connect": with(&json!({})) })).is_ok());
}

/// What a route tells the script, by names.
fn told(plugin: &Value) -> String {
    let route = applied(json!({ "openid-connect": plugin }));
    let config = &route.typed_per_filter_config[VERIFIES].value;
    let context = LuaPerRoute::decode(config.as_slice()).unwrap();
    let fields = context.filter_context.unwrap().fields;
    format!(
        "{:?} {:?} {:?}",
        fields["issuers"], fields["keys"], fields["named"]
    )
}

#[test]
fn what_the_provider_says_verifies_and_nothing_does_before_it_has() {
    let said = json!({"issuer": "http://provider", "keys": [
        {"kid": "one", "key": "00aa", "algorithms": ["RS256", "RS384"]},
        {"kid": "two", "key": "00bb", "algorithms": ["ES256"]},
    ]});
    let of = |fields: Value| {
        let mut plugin = with(&fields);
        plugin["use_jwks"] = true.into();
        plugin
    };
    let none = json!({"public_key": null, "claim_validator": null});
    let unsaid = told(&of(none.clone()));
    assert!(
        !unsaid.contains("StringValue") && unsaid.contains("BoolValue(true)"),
        "{unsaid}"
    );
    let mut answered = of(none);
    answered["discovery"] = said.to_string().into();
    let all = told(&answered);
    for part in [
        "http://provider",
        "one",
        "00aa",
        "RS384",
        "two",
        "00bb",
        "ES256",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    answered["token_signing_alg_values_expected"] = "RS256".into();
    let one = told(&answered);
    assert!(
        one.contains("RS256") && !one.contains("RS384") && !one.contains("ES256"),
        "{one}"
    );
    // What the document says itself goes before.
    let mut own = of(json!({}));
    own["discovery"] = said.to_string().into();
    let own = told(&own);
    assert!(
        own.contains("http://a") && !own.contains("00aa") && own.contains("BoolValue(false)"),
        "{own}"
    );
    let mut keyless = of(json!({"public_key": null, "ssl_verify": true}));
    keyless["discovery"] = json!({"issuer": "a", "keys": []}).to_string().into();
    let warnings = warned("openid-connect", keyless.clone());
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("discovery: names no key that verifies"),
        "{warnings:?}"
    );
    keyless["ssl_verify"] = false.into();
    let warnings = warned("openid-connect", keyless);
    assert!(
        warnings
            .iter()
            .any(|one| one.starts_with("ssl_verify: is not `true`")),
        "{warnings:?}"
    );
}

#[test]
fn a_provider_is_asked_with_a_credential_that_no_route_has() {
    let plugin = with(&json!({
        "public_key": null, "claim_validator": null, "introspection_endpoint": "https://login.example.com/in?a=b",
        "client_id": "a b", "client_secret": "pl4nted:ü", "timeout": 5, "ssl_verify": true,
    }));
    let plugins = read(json!({ "openid-connect": plugin })).unwrap();
    let target = plugins.targets().next().unwrap();
    let Target::Inline(cluster) = target else {
        panic!("{target:?}");
    };
    assert_eq!(&*cluster.name, "route/r/openid-connect/0");
    let shown = format!("Basic {}", STANDARD.encode("a%20b:pl4nted%3A%C3%BC"));
    assert_eq!(cluster.credential.as_ref().unwrap().reveal(), shown);
    assert!(!format!("{cluster:?}").contains(&shown[6..]));
    let message = translate::cluster(cluster, &TakenNodes::default());
    let (name, secret) = translate::client_secrets(cluster).remove(0);
    assert_eq!(&*name, "credential/route/r/openid-connect/0");
    assert!(format!("{secret:?}").contains(&shown));
    let bytes = message.encode_to_vec();
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(has(&name) && has("credential_injector") && !has("pl4nted") && !has(&shown[6..]));
    let own = told(&plugin);
    assert!(
        !own.contains("pl4nted") && !own.contains(&shown[6..]),
        "{own}"
    );
    // Keys go before: then nobody is asked.
    for keys in [
        json!({"introspection_endpoint": "http://a"}),
        json!({"public_key": null, "use_jwks": true}),
    ] {
        let mut plugin = with(&keys);
        plugin["introspection_endpoint"] = "http://a".into();
        let plugins = read(json!({ "openid-connect": plugin })).unwrap();
        assert!(plugins.targets().next().is_none(), "{keys}");
    }
}
