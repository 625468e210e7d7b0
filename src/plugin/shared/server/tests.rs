use super::Uri;

#[test]
fn uris_are_taken_apart() {
    let uri = Uri::read("https://auth.example.com?a").unwrap();
    assert!(uri.tls);
    assert_eq!(uri.node, "auth.example.com:443");
    assert_eq!(uri.authority, "auth.example.com");
    assert_eq!(uri.path, "/?a");
    assert_eq!(Uri::read("http://[::1]/a").unwrap().node, "[::1]:80");
    for wrong in [
        "auth",
        "ftp://a/",
        "http://a@b/",
        "http:///a",
        "http://a\"b/",
    ] {
        assert!(Uri::read(wrong).is_err(), "{wrong}");
    }
}
