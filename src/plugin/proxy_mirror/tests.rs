use serde_json::json;

use super::address;
use crate::plugin::tests::{refusal, warned};

#[test]
fn a_host_has_a_port_of_its_schemes_own() {
    let table = [
        ("http://a", Some(("http", "a:80"))),
        ("https://a:8443", Some(("https", "a:8443"))),
        ("http://[::1]", Some(("http", "[::1]:80"))),
        ("http://[::1]:81", Some(("http", "[::1]:81"))),
        ("ftp://a", None),
        ("a:80", None),
        ("http://a/b", None),
        ("http://", None),
    ];
    for (host, expected) in table {
        let owned = expected.map(|(scheme, address)| (scheme, address.to_owned()));
        assert_eq!(address(host), owned, "{host}");
    }
}

#[test]
fn what_its_upstream_has_to_say_is_about_the_host() {
    let said = warned("proxy-mirror", json!({"host": "https://10.0.0.1"}));
    assert!(
        said.iter().all(|said| said.starts_with("host: ")),
        "{said:?}"
    );
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"host":"10.0.0.1"}"#,
            r#"host: found "10.0.0.1", allowed: a scheme, a host and a port, such as "http://10.0.0.1:8080""#,
        ),
        (
            r#"{"host":"http://a","path":"/b"}"#,
            "path: `path` is not served: Envoy's copies have the path of the request",
        ),
        (
            r#"{"host":"http://a","sample_ratio":0}"#,
            "sample_ratio: found 0, allowed: 0.00001–1",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("proxy-mirror", configuration),
            said,
            "of {configuration}"
        );
    }
}
