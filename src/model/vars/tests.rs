use regex::bytes::RegexBuilder;
use serde_json::{Value, json};

use super::number::{Range, whole};
use super::*;

fn read(vars: &Value) -> Result<(Option<Vars>, Vec<String>), String> {
    let mut warnings = Vec::new();
    let read = Vars::read(vars, &mut warnings);
    let said = warnings
        .into_iter()
        .map(|one| format!("{}: {}", one.field, one.message));
    read.map(|vars| (vars, said.collect()))
        .map_err(|one| format!("{}: {}", one.field, one.message))
}

fn request() -> Request {
    Request {
        method: "GET".into(),
        scheme: "http".into(),
        authority: "WWW.test:9080".into(),
        path: "/a/b".into(),
        query: "v=12&e=&w=x%20y&v=3".into(),
        headers: [("x-a", "one"), ("x-a", "two"), ("cookie", "sid=\"7\"; n=5")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        address: [10, 1, 2, 3].into(),
        port: 9080,
    }
}

/// Of which whole texts a pattern is, as RE2 has it.
fn whole_texts(pattern: &str) -> impl Fn(&str) -> bool + use<> {
    let whole = format!("^(?:{})$", pattern.replace(r"\C", "(?s:.)"));
    let regex = RegexBuilder::new(&whole).unicode(false).build().unwrap();
    move |text| regex.is_match(text.as_bytes())
}

#[test]
fn conditions_mean_what_apisix_means() {
    for (condition, holds) in [
        (json!(["arg_v", "==", "12"]), true),
        (json!(["arg_v", "==", 12]), true),
        (json!(["arg_v", "==", "3"]), false),
        (json!(["arg_v", "~=", "3"]), true),
        (json!(["arg_none", "==", ""]), false),
        (json!(["arg_none", "~=", ""]), true),
        (json!(["arg_none", "==", null]), true),
        (json!(["arg_e", "==", null]), false),
        (json!(["arg_e", "==", ""]), true),
        (json!(["arg_w", "==", "x y"]), false),
        (json!(["arg_v", ">", 11]), true),
        (json!(["arg_v", ">", "12"]), false),
        (json!(["arg_v", ">=", 12]), true),
        (json!(["arg_v", "<", 12]), false),
        (json!(["arg_none", "<", 12]), false),
        (json!(["arg_none", "!", "<", 12]), true),
        (json!(["arg_w", "<=", 12]), false),
        (json!(["http_x_a", "==", "two"]), true),
        (json!(["http_X_A", "in", ["two", "three"]]), true),
        (json!(["http_x_a", "~=", "two"]), false),
        (json!(["http_host", "==", "WWW.test:9080"]), true),
        (json!(["host", "==", "www.test"]), true),
        (json!(["cookie_sid", "==", "7"]), true),
        (json!(["cookie_n", ">", 4]), true),
        (json!(["request_method", "in", ["GET", "HEAD"]]), true),
        (json!(["uri", "~~", "^/a/"]), true),
        (json!(["uri", "~~", "^/A/"]), false),
        (json!(["uri", "~*", "^/A/"]), true),
        (json!(["scheme", "==", "https"]), false),
        (
            json!(["remote_addr", "ipmatch", ["10.0.0.0/8", "::1"]]),
            true,
        ),
        (
            json!(["remote_addr", "!", "ipmatch", ["10.1.0.0/16"]]),
            false,
        ),
        (json!(["remote_addr", "==", "10.1.2.3"]), true),
        (json!(["server_port", "==", "9080"]), true),
        (json!(["server_port", "<", 1024]), false),
        (json!(["http_x_a", "has", "one"]), false),
        (json!(["http_x_a", "!", "has", "one"]), true),
        (
            json!(["OR", ["arg_v", "==", "0"], ["arg_e", "==", ""]]),
            true,
        ),
        (
            json!(["!OR", ["arg_v", "==", "0"], ["arg_e", "==", ""]]),
            false,
        ),
        (
            json!(["!and", ["arg_v", "==", "0"], ["arg_e", "==", ""]]),
            true,
        ),
        (
            json!([
                "AND",
                ["arg_v", "==", "12"],
                ["!AND", ["arg_e", "==", "1"], ["arg_e", "==", ""]]
            ]),
            true,
        ),
    ] {
        let vars = read(&json!([condition])).unwrap().0.unwrap();
        assert_eq!(vars.holds(&request()), holds, "{condition}");
        assert_eq!(vars.failing(&request()).is_none(), holds, "{condition}");
    }
}

#[test]
fn what_is_no_condition_is_refused() {
    for (vars, said) in [
        (json!("a"), ": found \"a\", allowed: a list"),
        (
            json!(["arg_a", "==", "1"]),
            ": found one condition, allowed: a list of conditions",
        ),
        (
            json!([["arg_a"]]),
            "[0]: found 1 elements, allowed: [variable, operator, value]",
        ),
        (json!([["arg_a", "not", "in", []]]), "[0]: found 4 elements"),
        (
            json!([["OR", ["arg_a", "==", "1"]]]),
            "[0]: found 1 condition after \"OR\", allowed: at least two",
        ),
        (
            json!([["arg_a", "=", "1"]]),
            "[0][1]: found \"=\", allowed: ==, ~=",
        ),
        (
            json!([["args", "==", "1"]]),
            "[0][0]: found the variable \"args\", allowed: arg_NAME",
        ),
        (
            json!([["arg_a", "==", true]]),
            "[0][2]: found true, allowed: a string",
        ),
        (
            json!([["arg_a", "!", "in", [1]]]),
            "[0][3]: found 1, allowed: strings, such as \"1\"",
        ),
        (
            json!([["arg_a", ">", "x"]]),
            "[0][2]: found \"x\", allowed: a whole number",
        ),
        (
            json!([["arg_a", ">", 1.5]]),
            "[0][2]: found 1.5, allowed: a whole number",
        ),
        (
            json!([["uri", ">", 1]]),
            "[0][2]: found 1, allowed: a string; `uri` is no number",
        ),
        (json!([["arg_a", "~~", "(?=a)"]]), "[0][2]: found \"(?=a)\""),
        (
            json!([["host", "~~", "a"]]),
            "[0][1]: found a pattern of `host`, allowed: `==` and `in`",
        ),
        (
            json!([["host", "==", "A"]]),
            "[0][2]: found \"A\", allowed: a host in lower case",
        ),
        (
            json!([["arg_a", "ipmatch", ["10.0.0.1"]]]),
            "[0][1]: found \"ipmatch\", allowed here: another operator",
        ),
        (
            json!([["remote_addr", "ipmatch", ["10.0.0"]]]),
            "[0][2]: found \"10.0.0\", allowed: an IP address or a range",
        ),
        (
            json!([["remote_addr", "==", "10.0.0.0/8"]]),
            "[0][2]: found \"10.0.0.0/8\", allowed: an address; ranges with `ipmatch`",
        ),
        (
            json!([["arg_a", "!", "~~", "a"]]),
            ": a pattern of `arg_a` cannot be reversed: Envoy has no inverse of it",
        ),
        (
            json!([["uri", "!", "~~", "a"]]),
            ": a pattern of `uri` cannot be reversed",
        ),
        (
            json!([["uri", "~~", "a"], ["uri", "~~", "b"]]),
            ": asks two patterns of `uri` at once",
        ),
        (
            json!([["arg_a", "~=", "a".repeat(60)]]),
            ": is more than Envoy takes as one pattern",
        ),
    ] {
        let error = read(&vars).unwrap_err();
        assert!(error.starts_with(said), "{vars}: {error}");
    }
    let either = |at: usize| {
        json!([
            "OR",
            [format!("arg_a{at}"), "==", "1"],
            [format!("arg_b{at}"), "==", "1"]
        ])
    };
    let many: Vec<Value> = (0..6).map(either).collect();
    let error = read(&json!(many)).unwrap_err();
    assert!(
        error.contains("become 64 or more alternatives, allowed: 32"),
        "{error}"
    );
}

#[test]
fn what_envoy_does_not_do_exactly_is_told() {
    for (condition, said) in [
        (
            json!(["arg_a", ">", 1]),
            Some("is compared as a whole number"),
        ),
        (
            json!(["arg_a", "==", "x y"]),
            Some("is compared as it stands in the URL"),
        ),
        (json!(["arg_a", "has", "x"]), Some("never holds")),
        (json!(["http_x_a", "==", "x y"]), None),
    ] {
        let warnings = read(&json!([condition])).unwrap().1;
        assert_eq!(
            warnings.len(),
            usize::from(said.is_some()),
            "{condition}: {warnings:?}"
        );
        if let Some(said) = said {
            assert!(
                warnings[0].starts_with("[0]: ") && warnings[0].contains(said),
                "{warnings:?}"
            );
        }
    }
}

#[test]
fn ranges_of_numbers_are_patterns_of_their_texts() {
    let whole_numbers = (-1100..1100).map(|number: i64| number.to_string());
    let more = [
        "",
        "-",
        "007",
        "-0",
        "00",
        "-012",
        "1a",
        "1.5",
        "--1",
        "+1",
        " 1",
        "-1x",
        "99999999999999999999",
    ];
    let texts: Vec<String> = whole_numbers.chain(more.map(str::to_owned)).collect();
    for bound in [
        -1000, -999, -100, -10, -9, -1, 0, 1, 7, 9, 10, 11, 99, 100, 105, 190, 999, 1000,
    ] {
        for range in [Range::Is(bound), Range::From(bound), Range::To(bound)] {
            let inside = whole_texts(&range.patterns().join("|"));
            let outside = whole_texts(&range.other_patterns().join("|"));
            for text in &texts {
                let holds = whole(text).is_some_and(|number| range.contains(number));
                assert_eq!(inside(text), holds, "{text} in {range}");
                assert_eq!(outside(text), !holds, "{text} not in {range}");
            }
        }
    }
}

#[test]
fn numbers_of_any_length_are_compared() {
    for number in [99, 123_456, 1_700_000_000, i64::MAX, i64::MIN] {
        for operator in ["==", "~=", ">", ">=", "<", "<="] {
            for variable in ["arg_a", "http_a", "cookie_a"] {
                let vars = read(&json!([[variable, operator, number]]));
                vars.unwrap_or_else(|error| panic!("{variable} {operator} {number}: {error}"));
            }
        }
    }
}

#[test]
fn everything_but_some_texts_is_a_pattern() {
    let sets: [&[&str]; 5] = [
        &["a"],
        &["", "ab"],
        &["ab", "ac", "abc"],
        &["-", "]", "^"],
        &["a.b"],
    ];
    let texts = [
        "", "a", "b", "ab", "ac", "abc", "abcd", "ad", "-", "]", "^", "a.b", "axb", "^^",
    ];
    for set in sets {
        let owned: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
        let all_but = whole_texts(&complement::of(&owned));
        for text in texts {
            let other = !set.contains(&text);
            assert_eq!(all_but(text), other, "{text:?} but {set:?}");
        }
    }
}

#[test]
fn a_variable_and_a_value_are_equal() {
    let read = |vars: Value| Vars::read(&vars, &mut Vec::new()).unwrap();
    assert_eq!(
        read(json!([["arg_a", "1"]])),
        read(json!([["arg_a", "==", "1"]]))
    );
}
