use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FIELDS, Kept, read, schema};
use crate::model::decode;
use crate::model::problem::Remark;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    hosts: Vec<String>,
}

impl decode::Form for Form {
    const NOT_SERVED: &'static [&'static str] = &["later"];
}

impl Kept for Form {}

/// A kind that has another word for its name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "read for its errors")]
struct NamedForm {
    username: String,
}

impl decode::Form for NamedForm {}

impl Kept for NamedForm {
    const BOOKKEEPING: &'static [&'static str] = &["id", "desc"];
}

#[test]
fn a_form_has_the_fields_that_stand_beside_it_in_its_schema_and_in_no_other_way() {
    let key = "routes/a".parse().expect("a key");
    let written = json!({
        "create_time": 1, "desc": "d", "hosts": ["a"], "id": "a", "labels": {"a": "b"}, "name": "n", "update_time": 2,
    });
    let (form, beside) = read::<Form>(&key, &written).expect("a form");
    assert_eq!(form.hosts, ["a"]);
    assert_eq!(beside.name.as_deref(), Some("n"));

    let schema = Value::from(schema::<Form>(&mut schemars::SchemaGenerator::default()));
    let mut fields = [FIELDS, &["hosts"]].concat();
    fields.sort_unstable();
    let described = schema["properties"].as_object().expect("fields").keys();
    assert!(described.eq(fields), "{schema}");
}

#[test]
fn the_first_field_that_is_wrong_is_told_whosever_it_is() {
    let table = [
        (
            json!({"desc": null, "hosts": 1}),
            "desc: found null, allowed: a string",
        ),
        (
            json!({"hosts": 1, "name": 1}),
            "hosts: found 1, allowed: a list",
        ),
        (
            json!({"hosts": [], "labels": {"a": 1}}),
            "labels.a: found 1, allowed: a string",
        ),
        (
            json!({"id": "b", "hostss": []}),
            "hostss: unknown field `hostss`, did you mean `hosts`? allowed: id, name, desc, labels, create_time, \
             update_time, hosts",
        ),
        (
            json!({"hosts": [], "nam": "a"}),
            "nam: unknown field `nam`, did you mean `name`? allowed: id, name, desc, labels, create_time, update_time, hosts",
        ),
        (
            json!({"later": 1}),
            "later: this version does not have `later`",
        ),
        (json!({"id": "b"}), "`hosts` is missing"),
        (
            json!({"id": "b", "hosts": []}),
            "id: found \"b\", allowed: \"a\" as in the key, or no `id`",
        ),
        (json!([]), "found a list, allowed: an object"),
    ];
    let key = "routes/a".parse().expect("a key");
    for (written, said) in table {
        let remark = read::<Form>(&key, &written).expect_err(said);
        assert_eq!(told(remark), said, "of {written}");
    }
    let named = json!({"name": "a", "username": "a"});
    let remark = read::<NamedForm>(&key, &named).expect_err("a name");
    assert_eq!(
        told(remark),
        "name: unknown field `name`, allowed: id, desc, username"
    );
}

fn told(remark: Remark) -> String {
    remark.of(&"routes/a".into()).said()
}
