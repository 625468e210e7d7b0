use http::StatusCode;
use serde_json::json;

use super::*;

fn provider(address: &str, keys: bool) -> Provider {
    Provider {
        address: address.into(),
        verify: false,
        keys,
    }
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        body: body.to_string().into_bytes(),
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
        let told = keys(&answer(status, &body), "a".to_owned());
        assert!(told.is_err_and(|told| told.starts_with("answers ")));
    }
    let told = wrong(
        keys(&answer(404, &json!({})), "a".to_owned()).unwrap_or_else(|said| panic!("{said}")),
    );
    assert!(
        told.starts_with("whose key set is not there (404)"),
        "{told}"
    );
    let many = json!({"keys": vec![json!({}); KEYS + 1]});
    let told =
        wrong(keys(&answer(200, &many), "a".to_owned()).unwrap_or_else(|said| panic!("{said}")));
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
        let verdict = keys(&answer(200, &json!({ "keys": all })), "me".to_owned());
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
