use http::StatusCode;
use serde_json::json;

use super::*;

fn provider(address: &str, keys: bool) -> Provider {
    Provider {
        address: address.into(),
        verify: false,
        keys,
        login: false,
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        body: body.to_string().into_bytes(),
    }
}

fn of_issuer(name: &str) -> Document {
    Document {
        issuer: name.to_owned(),
        keys: None,
        login: None,
    }
}

fn wrong(verdict: Verdict) -> String {
    match verdict {
        Verdict::Value(said) => panic!("{said}"),
        Verdict::Nothing(why) | Verdict::Denied(why) => why,
    }
}

#[test]
fn a_provider_says_who_it_is_and_where_its_keys_are() {
    let body = json!({"issuer": "https://a", "jwks_uri": "https://a/keys", "other": [1]});
    let read = document(&answer(200, &body), &provider("https://a/d", true));
    let read = read
        .unwrap()
        .unwrap_or_else(|verdict| panic!("{}", wrong(verdict)));
    assert_eq!(
        (&*read.issuer, read.keys.unwrap().as_str()),
        ("https://a", "https://a/keys")
    );
    let read = document(
        &answer(200, &json!({"issuer": "a"})),
        &provider("http://a", false),
    );
    let read = read
        .unwrap()
        .unwrap_or_else(|verdict| panic!("{}", wrong(verdict)));
    assert!(read.keys.is_none());
}

#[test]
fn what_is_of_no_use_is_told_and_what_is_not_known_is_not() {
    let of = provider("https://a/d", true);
    for (status, body, said) in [
        (404, json!({}), "which is not there (404)"),
        (301, json!({}), "which is elsewhere (301)"),
        (200, json!({}), "names no `issuer`"),
        (200, json!({"issuer": ""}), "names no `issuer`"),
        (200, json!({"issuer": "a"}), "names no `jwks_uri`"),
        (
            200,
            json!({"issuer": "a", "jwks_uri": "/keys"}),
            "`jwks_uri` is of no use: found \"/keys\"",
        ),
        (
            200,
            json!({"issuer": "a", "jwks_uri": "file:///etc/passwd"}),
            "neither http nor https",
        ),
        (
            200,
            json!({"issuer": "a", "jwks_uri": "http://a/keys"}),
            "is not https",
        ),
    ] {
        let told = document(&answer(status, &body), &of).unwrap();
        let told = wrong(told.unwrap_err());
        assert!(told.contains(said), "{told}");
    }
    for (status, body) in [
        (503, json!({})),
        (429, json!({})),
        (200, json!("a page")),
        (200, json!({"issuer": 5})),
    ] {
        let told = document(&answer(status, &body), &of).err().unwrap();
        assert!(told.starts_with("answers "), "{told}");
        let told = keys(&answer(status, &body), of_issuer("a"));
        assert!(told.is_err_and(|told| told.starts_with("answers ")));
    }
    let told = wrong(
        keys(&answer(404, &json!({})), of_issuer("a")).unwrap_or_else(|said| panic!("{said}")),
    );
    assert!(
        told.starts_with("whose key set is not there (404)"),
        "{told}"
    );
    let many = json!({"keys": vec![json!({}); KEYS + 1]});
    let told =
        wrong(keys(&answer(200, &many), of_issuer("a")).unwrap_or_else(|said| panic!("{said}")));
    assert_eq!(told, "which has 33 keys, allowed: at most 32");
}

#[test]
fn the_keys_that_verify_are_kept_in_order() {
    let curve = |kid: &str, alg: &str| {
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": alg, "use": "sig",
            "x": "ebXWRgpo0Q0BdpxnzoH5CYcdN0w-3yXTXzhdXaOYsUI", "y": "AdW0hgD9-aQ7aVGORgnyi_75IcpVqJJMSaizbPSfFek"})
    };
    let mut nameless = curve("", "ES256");
    nameless.as_object_mut().unwrap().remove("kid");
    let mut encrypting = curve("e", "ES256");
    encrypting["use"] = "enc".into();
    let found = |all: &[Value]| {
        let verdict = keys(&answer(200, &json!({ "keys": all })), of_issuer("me"));
        match verdict {
            Ok(Verdict::Value(said)) => said,
            _ => panic!("nothing"),
        }
    };
    let oct = json!({"kty": "oct", "k": "AA", "kid": "s"});
    let first = found(&[
        curve("b", "ES256"),
        oct,
        encrypting,
        curve("f", "RS256"),
        curve("a", "ES256"),
        nameless.clone(),
    ]);
    assert_eq!(
        first,
        found(&[nameless, curve("a", "ES256"), curve("b", "ES256")])
    );
    let read: ProviderSaid = serde_json::from_str(&first).unwrap();
    let names: Vec<_> = read.keys.iter().map(|key| key.kid.as_deref()).collect();
    assert_eq!(
        (&*read.issuer, names),
        ("me", vec![None, Some("a"), Some("b")])
    );
    assert_eq!(read.keys[0].algorithms, ["ES256"]);
    assert!(read.keys[0].key.starts_with("3059301306072a8648ce3d0201"));
    // That there are none is said as well: tokens of keys that were taken away verify no longer.
    assert_eq!(found(&[]), r#"{"issuer":"me","keys":[]}"#);
}

#[test]
fn where_people_log_in_is_told_where_they_are_to() {
    let of = Provider {
        login: true,
        ..provider("https://a/d", false)
    };
    let whole = json!({
        "issuer": "https://a", "authorization_endpoint": "https://a/in?p=q", "token_endpoint": "https://b/token",
        "end_session_endpoint": "https://a/out",
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post", "client_secret_basic"],
    });
    let read = document(&answer(200, &whole), &of).unwrap();
    let read = read.unwrap_or_else(|verdict| panic!("{}", wrong(verdict)));
    let Verdict::Value(text) = said(read, Vec::new()) else {
        panic!("nothing");
    };
    let kept: ProviderSaid = serde_json::from_str(&text).unwrap();
    let login = kept.login.unwrap();
    assert_eq!(
        (&*login.authorization, &*login.token),
        ("https://a/in?p=q", "https://b/token")
    );
    assert_eq!(login.end_session.as_deref(), Some("https://a/out"));
    assert_eq!(login.methods, ["client_secret_post", "client_secret_basic"]);
    for (name, value, told) in [
        (
            "authorization_endpoint",
            json!(null),
            "names no `authorization_endpoint`: nobody can log in there",
        ),
        ("token_endpoint", json!(null), "names no `token_endpoint`"),
        (
            "token_endpoint",
            json!("http://b/token"),
            "whose `token_endpoint` is not https",
        ),
        (
            "authorization_endpoint",
            json!("/in"),
            "whose `authorization_endpoint` is of no use: found \"/in\"",
        ),
        (
            "end_session_endpoint",
            json!("ftp://a"),
            "whose `end_session_endpoint` is of no use",
        ),
    ] {
        let mut body = whole.clone();
        body[name] = value;
        let said = wrong(document(&answer(200, &body), &of).unwrap().unwrap_err());
        assert!(said.contains(told), "{said}");
    }
}
