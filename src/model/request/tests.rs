use super::*;

fn request(authority: &str, query: &str, cookies: &[&str]) -> Request {
    let cookie = |cookie: &&str| ("cookie".to_owned(), (*cookie).to_owned());
    Request {
        method: "GET".into(),
        scheme: "http".into(),
        authority: authority.into(),
        path: "/".into(),
        query: query.into(),
        headers: cookies.iter().map(cookie).collect(),
        address: [127, 0, 0, 1].into(),
        port: 9080,
    }
}

#[test]
fn a_host_has_no_port_and_no_capitals() {
    for (authority, host) in [
        ("WWW.a.test", "www.a.test"),
        ("a.test:80", "a.test"),
        ("a.test.", "a.test"),
        ("a.test.:80", "a.test"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
    ] {
        assert_eq!(request(authority, "", &[]).host(), host);
    }
}

#[test]
fn an_argument_is_the_first_of_its_name_and_is_not_decoded() {
    for (query, value) in [
        ("a=1&a=2", Some("1")),
        ("b=1&a=x%20y", Some("x%20y")),
        ("a", Some("")),
        ("a=", Some("")),
        ("a=b=c", Some("b=c")),
        ("A=1", None),
        ("", None),
    ] {
        assert_eq!(request("a", query, &[]).argument("a"), value, "{query}");
    }
}

#[test]
fn a_cookie_is_the_first_of_its_name_and_has_no_quotes() {
    let table: [(&[&str], _); 6] = [
        (&["a=1; a=2"], Some("1")),
        (&["b=1;a=2"], Some("2")),
        (&["b=1", "a=2"], Some("2")),
        (&["a=\"1\""], Some("1")),
        (&["a"], None),
        (&["a = 1"], None),
    ];
    for (cookies, value) in table {
        assert_eq!(request("a", "", cookies).cookie("a"), value, "{cookies:?}");
    }
}
