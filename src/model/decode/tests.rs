use serde::Deserialize;
use serde_json::json;

use super::{Form, quoted, read};
use crate::model::problem::Remark;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "read for its errors")]
struct Outer {
    address: String,
    inner: Option<Vec<Inner>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[expect(dead_code, reason = "read for its errors")]
struct Inner {
    weight: u8,
}

impl Form for Outer {
    const NOT_SERVED: &'static [&'static str] = &["later"];
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[("never", "it cannot be")];
}

#[test]
fn what_is_wrong_is_said_at_its_field() {
    let table = [
        (
            json!({"adress": "a"}),
            "adress",
            "unknown field `adress`, did you mean `address`? allowed: address, inner",
        ),
        (
            json!({"elsewhere": "a"}),
            "elsewhere",
            "unknown field `elsewhere`, allowed: address, inner",
        ),
        (
            json!({"later": 1}),
            "later",
            "this version does not have `later`",
        ),
        (
            json!({"never": 1}),
            "never",
            "`never` is not served: it cannot be",
        ),
        (json!({}), "", "`address` is missing"),
        (
            json!({"address": null}),
            "address",
            "found null, allowed: a string",
        ),
        (
            json!({"address": "a", "inner": null}),
            "inner",
            "found null, allowed: a list",
        ),
        (
            json!({"address": "a", "inner": [{"weight": 1}, {}]}),
            "inner[1]",
            "`weight` is missing",
        ),
        (
            json!({"address": "a", "inner": [{"weight": "1"}]}),
            "inner[0].weight",
            "found \"1\", allowed: u8",
        ),
        (
            json!({"address": "a", "inner": [[1]]}),
            "inner[0]",
            "found a list, allowed: an object",
        ),
        (
            json!({"a\nb": 1}),
            "a\\nb",
            "unknown field `a\\nb`, allowed: address, inner",
        ),
    ];
    for (value, field, message) in table {
        let remark = read::<Outer>(&value).unwrap_err();
        assert_eq!(remark, Remark::new(field, message), "of {value}");
    }
}

#[test]
fn a_long_text_is_cut_for_the_reader() {
    assert_eq!(quoted("a\n\"b"), r#""a\n\"b""#);
    assert_eq!(quoted("http://user:pa@ss@host/a"), r#""http://…@host/a""#);
    assert_eq!(quoted("mailto:a@b"), r#""mailto:a@b""#);
    assert_eq!(quoted(&"ä".repeat(81)), format!("\"{}\"…", "ä".repeat(80)));
}
