use crate::plugin::tests::refusal;

#[test]
fn it_is_refused_with_the_place_where_it_can_be_said() {
    let said = refusal("real-ip", r#"{"source":"http_x_forwarded_for"}"#);
    assert!(
        said.ends_with("write `real_ip` of the gateway instead"),
        "{said}"
    );
}
