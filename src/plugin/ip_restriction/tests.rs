use serde_json::json;

use crate::plugin::tests::{applied, body, denied, refusal};

#[test]
fn a_blacklist_denies_the_networks_in_it() {
    let route = applied(json!({"ip-restriction": {"blacklist": ["10.1.2.3/8", "2001:db8::1"]}}));
    assert_eq!(
        denied(&route, "ip-restriction"),
        json!({"ip-restriction": {"any": [{"remote": "10.0.0.0/8"}, {"remote": "2001:db8::1/128"}]}})
    );
    assert_eq!(
        body(&route, "ip-restriction"),
        r#"{"message":"Your IP address is not allowed"}"#
    );
}

#[test]
fn a_whitelist_denies_all_others() {
    let route = applied(json!({"ip-restriction": {
        "whitelist": ["0.0.0.0/0"],
        "message": "\"no\" at 100%",
        "response_code": 404,
    }}));
    assert_eq!(
        denied(&route, "ip-restriction"),
        json!({"ip-restriction/404": {"not": {"any": [{"remote": "0.0.0.0/0"}]}}})
    );
    assert_eq!(
        body(&route, "ip-restriction"),
        r#"{"message":"\"no\" at 100%"}"#
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{}"#,
            "needs one of `whitelist` and `blacklist`, and only one",
        ),
        (
            r#"{"whitelist":["10.0.0.1"],"blacklist":["10.0.0.2"]}"#,
            "needs one of `whitelist` and `blacklist`, and only one",
        ),
        (
            r#"{"whitelist":[]}"#,
            "whitelist: is empty, allowed: at least one address",
        ),
        (
            r#"{"whitelist":["10.0.0.1/33"]}"#,
            r#"whitelist[0]: found "10.0.0.1/33", allowed: an IP address or a network such as 10.0.0.0/8"#,
        ),
        (
            r#"{"whitelist":["10.0.0.1"],"message":""}"#,
            "message: found 0 characters, allowed: 1–1024",
        ),
        (
            r#"{"whitelist":["10.0.0.1"],"response_code":401}"#,
            "response_code: found 401, allowed: 403, 404",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("ip-restriction", configuration),
            said,
            "of {configuration}"
        );
    }
}
