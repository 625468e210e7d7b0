use serde_json::json;

use super::*;
use crate::model::Kind;

fn lookup(names: &[&str]) -> Result<Lookup, String> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let variables = [
        ("KEY", "an-unsaid-key"),
        ("SHOP_KEY", "pl4nted"),
        (
            "SHOP_ALL",
            r#"{"key":"within-json","port":80,"empty":"","a/b":"deeper"}"#,
        ),
        ("SHOP_EMPTY", ""),
        ("CHANCERY_CONSUL_TOKEN", "own"),
    ];
    Lookup::new(
        &names,
        variables.map(|(name, value)| (name.into(), value.into())),
    )
}

#[test]
fn references_stand_for_what_variables_hold() {
    let found = |text: &str| lookup(&["KEY", "SHOP_*"]).unwrap().find_variable(text);
    for (text, value) in [
        ("$env://KEY", "an-unsaid-key"),
        ("$ENV://SHOP_KEY", "pl4nted"),
        ("$env://SHOP_KEY/", "pl4nted"),
        ("$env://SHOP_ALL/key", "within-json"),
        // All behind the first slash is one name, as in APISIX.
        ("$env://SHOP_ALL/a/b", "deeper"),
    ] {
        assert_eq!(found(text), Some(Ok(value.to_owned())), "{text}");
    }
    for text in ["", "KEY", "$KEY", "a $env://KEY", "$env:/KEY", "€nv://KEY"] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn what_stands_for_nothing_is_told_without_a_value() {
    let of = lookup(&["KEY", "SHOP_*", "CHA*"]).unwrap();
    for (text, said) in [
        (
            "$env://PATH",
            "refers to the variable `PATH`, which documents may not name",
        ),
        (
            "$env://CHANCERY_CONSUL_TOKEN",
            "refers to the variable `CHANCERY_CONSUL_TOKEN`, which documents may not name",
        ),
        (
            "$env://",
            "refers to the variable ``, which documents may not name",
        ),
        (
            "$env://SHOP_NONE",
            "refers to the variable `SHOP_NONE`, which is not set where Chancery runs",
        ),
        (
            "$env://SHOP_EMPTY",
            "refers to the variable `SHOP_EMPTY`, which is empty",
        ),
        (
            "$env://SHOP_KEY/key",
            "asks for `key` in the variable `SHOP_KEY`, which holds no JSON object",
        ),
        (
            "$env://SHOP_ALL/none",
            "asks for `none` in the JSON of the variable `SHOP_ALL`, which has no such field",
        ),
        (
            "$env://SHOP_ALL/port",
            "asks for `port` in the JSON of the variable `SHOP_ALL`, which is no text there",
        ),
        (
            "$Secret://vault/1/a/b",
            "is no reference to a secret manager, allowed: `$secret://` in small letters",
        ),
        (
            "$secret://vault/1/a",
            "refers to `vault/1/a`, allowed: the manager",
        ),
        (
            "$secret://vault/1",
            "refers to `vault/1`, allowed: the manager",
        ),
        (
            "$secret://vault/1/a/",
            "refers to `vault/1/a/`, allowed: the manager",
        ),
        ("$secret://vault/1//b", "found `` in the path ``"),
        (
            "$secret://vault/1/a/../b/c",
            "found `..` in the path `a/../b`",
        ),
        ("$secret://vault/1 2/a/b", "found the id `1 2`"),
        (
            "$secret://aws/1/a/b",
            "found the secret manager `aws`, allowed: `vault`, as in `secrets/vault/1`; have the agent of another one fill",
        ),
    ] {
        let told = of.find(text).unwrap().err().unwrap();
        assert!(told.starts_with(said), "{text}: {told}");
    }
    let long = Lookup::new(
        &["A".to_owned()],
        [("A".to_owned(), "x".repeat(VARIABLE + 1))],
    );
    let told = long.unwrap().find("$env://A").unwrap().err().unwrap();
    assert!(told.contains("allowed: at most 65536"), "{told}");
}

#[test]
fn chancerys_own_variables_are_nobodys() {
    for name in ["CHANCERY_CONSUL_TOKEN", "CHANCERY_*", "OTEL_A"] {
        let said = lookup(&[name]).unwrap_err();
        assert!(said.contains("which are Chancery's own settings"), "{said}");
    }
    for name in ["*", "", "A B", "A*B", "A=b"] {
        let said = lookup(&[name]).unwrap_err();
        assert!(said.contains("allowed: names of variables"), "{said}");
    }
}

#[test]
fn what_is_secret_is_known_by_sight_and_never_written_out() {
    let of = lookup(&["KEY", "SHOP_*"]).unwrap();
    assert!(of.is_in("Bearer pl4nted") && of.is_in("a within-json b"));
    assert!(!of.is_in("plain") && !lookup(&[]).unwrap().is_in("pl4nted"));
    assert_eq!(format!("{of:?}"), "Lookup(4)");
}

#[test]
fn references_are_followed_where_apisix_follows_them() {
    let of = lookup(&["SHOP_*"]).unwrap();
    let resolved = |kind, document: Value| {
        let mut fields = document.as_object().unwrap().clone();
        let wrong = of.resolve_in(kind, &mut fields).wrong;
        (
            Value::Object(fields),
            wrong.map_or(Ok(()), |wrong| Err(wrong.said())),
        )
    };
    let reference = "$env://SHOP_KEY";
    let (told, done) = resolved(
        Kind::Route,
        json!({"desc": reference, "plugins": {"a": {"b": [{"c": reference}], "_meta": {"d": reference}}}}),
    );
    assert_eq!(done, Ok(()));
    assert_eq!(
        told,
        json!({"desc": reference, "plugins": {"a": {"b": [{"c": "pl4nted"}], "_meta": {"d": reference}}}})
    );
    let (told, done) = resolved(
        Kind::Ssl,
        json!({"sni": reference, "cert": reference, "keys": [reference]}),
    );
    assert_eq!(done, Ok(()));
    assert_eq!(
        told,
        json!({"sni": reference, "cert": "pl4nted", "keys": ["pl4nted"]})
    );
    // What a manager is shown is no answer of one.
    let token = |token: &str| resolved(Kind::Secret, json!({ "uri": reference, "token": token }));
    let (told, done) = token(reference);
    assert_eq!(done, Ok(()));
    assert_eq!(told, json!({ "uri": reference, "token": "pl4nted" }));
    let (_, done) = token("$secret://vault/1/a/b");
    assert!(
        done.unwrap_err()
            .starts_with("token: refers to a secret manager, where")
    );
    let (_, done) = resolved(
        Kind::Consumer,
        json!({"plugins": {"a": {"b": ["$env://SHOP_NONE"]}}}),
    );
    let said =
        "plugins.a.b[0]: refers to the variable `SHOP_NONE`, which is not set where Chancery runs";
    assert_eq!(done, Err(said.to_owned()));
    let many = vec![reference; 65];
    let (_, done) = resolved(Kind::Route, json!({"plugins": {"a": {"b": many}}}));
    let said =
        "plugins.a.b[64]: is one reference more than there may be in a document, allowed: 64";
    assert_eq!(done, Err(said.to_owned()));
}

fn name(field: &str) -> SecretName {
    SecretName::read(&format!("vault/1/shop/{field}")).unwrap()
}

#[test]
fn managers_answers_are_in_force_until_the_next_ones() {
    let of = Lookup::default();
    let answers = of.answers();
    let key = || Subject::Secret(name("key"));
    let found = || match of.find("$secret://vault/1/shop/key").unwrap() {
        Ok(Found::Text(text)) => text,
        Ok(Found::Waits(name)) => format!("waits for {name}"),
        Err(said) => said,
    };
    assert_eq!(found(), "waits for `key` of `shop` in `secrets/vault/1`");
    assert!(answers.is_empty() && of.is_empty());
    assert_eq!(answers.standing(&key()), Standing::Unanswered);
    answers.take(key(), Verdict::Denied("which is denied".to_owned()));
    assert_eq!(answers.standing(&key()), Standing::Denied);
    assert!(found().ends_with("which is denied") && answers.known().is_empty());
    assert!(answers.take(key(), Verdict::Value("pl4nted-1".to_owned())));
    assert!(!answers.take(key(), Verdict::Value("pl4nted-1".to_owned())));
    assert_eq!(found(), "pl4nted-1");
    assert!(answers.take(key(), Verdict::Value("pl4nted-2".to_owned())));
    assert_eq!(found(), "pl4nted-2");
    // Proxies may have what was there before.
    assert!(of.is_in("a pl4nted-1") && of.is_in("pl4nted-2 b") && !of.is_empty());
    assert_eq!(answers.known(), [name("key")].into());
    let denied = || Verdict::Denied("which is denied".to_owned());
    assert!(answers.take(key(), denied()) && !answers.take(key(), denied()));
    assert_eq!(
        found(),
        "refers to `key` of `shop` in `secrets/vault/1`, which is denied"
    );
    assert_eq!(answers.standing(&key()), Standing::Known);
    assert!(answers.take(key(), Verdict::Value("pl4nted-2".to_owned())));
    for (value, said) in [
        (String::new(), "is empty"),
        ("x".repeat(VARIABLE + 1), "allowed: at most 65536"),
    ] {
        answers.take(key(), Verdict::Value(value));
        assert!(found().contains(said), "{}", found());
    }
    answers.keep(&[Subject::Secret(name("other"))].into());
    assert_eq!(found(), "waits for `key` of `shop` in `secrets/vault/1`");
    assert!(of.is_in("pl4nted-2"));
}

#[test]
fn what_waits_is_told_with_its_fields() {
    let of = Lookup::default();
    let mut jack = json!({"plugins": {"jwt-auth": {"key": "jack", "secret": "$secret://vault/1/shop/a", "b": ["$secret://vault/1/shop/b"]}}});
    let fields = jack.as_object_mut().unwrap();
    let resolved = of.resolve_in(Kind::Consumer, fields);
    assert_eq!(
        resolved.names,
        ["a", "b"].map(|field| Subject::Secret(name(field))).into()
    );
    let said = resolved.waits().unwrap().said();
    assert!(
        said.ends_with("has not been answered yet, and 1 more references"),
        "{said}"
    );
    for (field, concerned) in [
        ("plugins.jwt-auth.secret", true),
        ("plugins.jwt-auth.b[0]", true),
        ("plugins.jwt-auth.b", true),
        ("plugins.jwt-auth", true),
        ("plugins.jwt-auth.key", false),
        ("plugins", false),
        ("", false),
        ("username", false),
    ] {
        assert_eq!(resolved.concerns(field), concerned, "{field}");
    }
}
