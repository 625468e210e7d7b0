use crate::plugin::tests::refusal;

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"algorithm":"range_id","range_id":{"length":5}}"#,
            "range_id.length: found 5, allowed: 6–256",
        ),
        (
            r#"{"algorithm":"range_id","range_id":{"char_set":"abcde"}}"#,
            "range_id.char_set: found something else, allowed: 6 to 256 letters, digits and signs of ASCII",
        ),
        (
            r#"{"header_name":"a b"}"#,
            r#"header_name: found the name "a b", allowed: letters, digits and `-`"#,
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("request-id", configuration),
            said,
            "of {configuration}"
        );
    }
}
