use serde_json::json;

use super::*;

fn of(document: Value) -> Result<(Manager, Vec<String>), String> {
    let mut warnings = Vec::new();
    let read = read(
        &"secrets/vault/1".parse().unwrap(),
        &document,
        &mut warnings,
    );
    let said = warnings.into_iter().map(Remark::said).collect();
    read.map(|manager| (manager, said)).map_err(Remark::said)
}

fn with(field: &str, value: Value) -> Value {
    let mut document =
        json!({"uri": "http://127.0.0.1:8200", "prefix": "kv/apisix", "token": "pl4nted"});
    document[field] = value;
    document
}

#[test]
fn a_manager_is_asked_below_its_prefix() {
    for (uri, prefix, base) in [
        (
            "http://127.0.0.1:8200",
            "kv/apisix",
            "http://127.0.0.1:8200/v1/kv/apisix",
        ),
        ("http://localhost/", "/kv/", "http://localhost/v1/kv"),
        (
            "https://vault.example.com/below",
            "secret/data",
            "https://vault.example.com/below/v1/secret/data",
        ),
        ("http://[::1]:8200", "a b", "http://[::1]:8200/v1/a%20b"),
    ] {
        let mut document = with("uri", uri.into());
        document["prefix"] = prefix.into();
        let (manager, warnings) = of(document).unwrap();
        assert_eq!((&*manager.base, warnings.len()), (base, 0));
    }
    let (manager, warnings) = of(with("uri", "http://vault:8200".into())).unwrap();
    assert!(
        warnings[0].starts_with("uri: sends the token"),
        "{warnings:?}"
    );
    assert!(!format!("{manager:?}").contains("pl4nted"));
}

#[test]
fn what_is_wrong_is_named_and_no_token_is_shown() {
    for (field, value, said) in [
        (
            "id",
            json!("vault/2"),
            "id: found \"vault/2\", allowed: \"vault/1\" as in the key",
        ),
        (
            "uri",
            json!("vault:8200"),
            "which is neither http nor https",
        ),
        ("uri", json!("127.0.0.1:8200"), "uri: found "),
        ("uri", json!("http://a:pl4nted@b"), "uri: holds a user"),
        ("uri", json!("http://a/?b=c"), "which has a `?`"),
        ("prefix", json!(""), "prefix: found `` in the path ``"),
        (
            "prefix",
            json!("kv/../sys"),
            "prefix: found `..` in the path `kv/../sys`",
        ),
        ("token", json!("pl4nted token"), "token: is no token"),
        ("token", json!(["pl4nted"]), "token: found no string"),
        ("namespace", json!("a b"), "namespace: found \"a b\""),
        ("region", json!("pl4nted"), "region: "),
        ("prefix", json!(null), "prefix: "),
    ] {
        let told = of(with(field, value)).unwrap_err();
        assert!(told.contains(said) && !told.contains("pl4nted"), "{told}");
    }
    let all = json!({"uri": "http://a", "prefix": "b"});
    assert!(of(all).unwrap_err().contains("token"));
}
