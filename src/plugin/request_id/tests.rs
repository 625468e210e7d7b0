use crate::plugin::tests::refusal;

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"algorithm":"nanoid"}"#,
            "algorithm: allowed: \"uuid\", as Envoy's ids are UUIDs",
        ),
        (
            r#"{"range_id":{}}"#,
            "range_id: `range_id` is not served: Envoy's ids are UUIDs",
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
