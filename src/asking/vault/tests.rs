use serde_json::json;

use super::*;

fn names() -> BTreeSet<SecretName> {
    let name = |field: &str| SecretName {
        manager: "secrets/vault/1".into(),
        key: "jack".into(),
        field: field.into(),
    };
    ["key", "port"].map(name).into()
}

fn told(status: u16, body: &Value) -> Result<Vec<String>, String> {
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        body: body.to_string().into_bytes(),
    };
    let told = verdicts(&answer, &names())?.into_iter();
    let said = told.map(|(name, verdict)| match verdict {
        Verdict::Value(text) => format!("{} is {text}", name.field),
        Verdict::Nothing(why) | Verdict::Denied(why) => format!("{} {why}", name.field),
    });
    Ok(said.collect())
}

#[test]
fn fields_of_both_versions_of_kv_are_found() {
    let first = json!({ "data": { "key": "k", "port": "1" } });
    assert_eq!(told(200, &first).unwrap(), ["key is k", "port is 1"]);
    let second =
        json!({ "data": { "data": { "key": "k", "port": 1 }, "metadata": { "version": 1 } } });
    let said = told(200, &second).unwrap();
    assert_eq!(said[0], "key is k");
    assert!(said[1].contains("no text"), "{said:?}");
    // A field of the first may be called so as well.
    let own = json!({ "data": { "key": "k", "data": { "port": "1" } } });
    let said = told(200, &own).unwrap();
    assert!(said[1].contains("no such field"), "{said:?}");
}

#[test]
fn what_is_not_there_is_told_and_what_is_not_known_is_not() {
    for (status, body, said) in [
        (404, json!({ "errors": [] }), "(404)"),
        (
            403,
            json!({ "errors": ["permission denied"] }),
            "denies (403)",
        ),
        (401, json!({}), "denies (403)"),
        (400, json!({}), "(400): see `uri`"),
        (200, json!({ "data": null }), "has nothing of"),
        (
            200,
            json!({ "data": { "created_time": "t" } }),
            "as `secret/data`",
        ),
        (200, json!({ "data": {} }), "no such field"),
    ] {
        let told = told(status, &body).unwrap();
        assert!(
            told.iter().all(|one| one.contains(said)),
            "{status}: {told:?}"
        );
    }
    for (status, body) in [
        (503, json!({ "errors": ["Vault is sealed"] })),
        (307, json!({})),
        (429, json!({})),
        (473, json!({})),
        (200, json!("a page of somebody else")),
        (200, json!({ "data": "a text" })),
    ] {
        let told = told(status, &body).unwrap_err();
        assert!(told.starts_with("answers "), "{told}");
    }
}
