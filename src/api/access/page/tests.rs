//! What a browser sends for a page, and what programs send.

use axum::http::Request;

use super::*;

const LOOPBACK: Call = Call {
    port: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9180),
    any_name: false,
    writes: true,
};

fn checked(call: Call, headers: &[(&str, &str)]) -> Result<(), String> {
    let mut request = Request::post("/v1/drains");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    check(call, &parts.uri, &parts.headers).map_err(|status| status.message().to_owned())
}

fn elsewhere() -> Call {
    Call {
        port: "0.0.0.0:9180".parse().unwrap(),
        ..LOOPBACK
    }
}

#[test]
fn a_name_that_is_not_loopbacks_own_is_refused_without_keys() {
    for host in [
        "localhost",
        "LOCALHOST:9180",
        "localhost.:9180",
        "chancery.localhost:80",
        "127.0.0.1:9180",
        "127.9.9.9",
        "[::1]:9180",
        "[::ffff:127.0.0.1]:9180",
        "127.0.0.1:",
    ] {
        for call in [LOOPBACK, elsewhere()] {
            assert_eq!(checked(call, &[("host", host)]), Ok(()), "{host}");
        }
    }
    for host in [
        "evil.example",
        "evil.example:9180",
        "localhost.evil.example",
        "evillocalhost",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost:http",
        "[::1",
        "[::1]x",
        "2130706433",
        "",
        "evil.example\tlocalhost",
    ] {
        for call in [LOOPBACK, elsewhere()] {
            let said = checked(call, &[("host", host)]).unwrap_err();
            assert!(said.contains("localhost, names below"), "{host}: {said}");
            assert!(said.contains("set api-keys"), "{host}: {said}");
        }
        let keys = Call {
            any_name: true,
            ..LOOPBACK
        };
        assert_eq!(checked(keys, &[("host", host)]), Ok(()), "{host}");
    }
    let two = [("host", "localhost"), ("host", "evil.example")];
    assert!(checked(LOOPBACK, &two).is_err());
    assert_eq!(checked(LOOPBACK, &[]), Ok(()));
}

#[test]
fn addresses_are_names_where_the_port_is_not_on_loopback() {
    for host in ["10.0.0.7:9180", "[fd00::7]:9180"] {
        assert_eq!(checked(elsewhere(), &[("host", host)]), Ok(()), "{host}");
        let said = checked(LOOPBACK, &[("host", host)]).unwrap_err();
        assert!(said.contains("127.0.0.1 and [::1]"), "{said}");
    }
}

#[test]
fn the_authority_of_http_2_is_a_name_too() {
    let check = |authority: &str| {
        let uri: Uri = format!("http://{authority}/chancery.v1.Control/Drain")
            .parse()
            .unwrap();
        super::check(LOOPBACK, &uri, &HeaderMap::new())
    };
    assert!(check("127.0.0.1:9180").is_ok());
    assert!(check("evil.example:9180").is_err());
}

#[test]
fn a_page_of_another_origin_is_refused_with_keys_too() {
    for keys in [false, true] {
        let call = Call {
            any_name: keys,
            writes: false,
            ..LOOPBACK
        };
        let from = |host, origin| checked(call, &[("host", host), ("origin", origin)]);
        for (host, origin) in [
            ("localhost:9180", "http://localhost:9180"),
            ("localhost", "http://localhost"),
            ("localhost:80", "http://localhost"),
            ("localhost", "https://localhost"),
            ("[::1]:9180", "http://[::1]:9180"),
        ] {
            assert_eq!(from(host, origin), Ok(()), "{host} {origin}");
        }
        for origin in [
            "https://evil.example",
            "http://localhost:3000",
            "http://localhost",
            "http://127.0.0.1:9180",
            "null",
            "",
            "file://localhost:9180",
        ] {
            let said = from("localhost:9180", origin).unwrap_err();
            assert!(said.contains("(`localhost:9180`)"), "{origin}: {said}");
        }
        assert!(checked(call, &[("origin", "http://localhost:9180")]).is_err());
    }
}

#[test]
fn what_another_site_has_a_browser_send_changes_nothing() {
    let host = ("host", "localhost:9180");
    let reads = Call {
        writes: false,
        ..LOOPBACK
    };
    for site in ["cross-site", "same-site"] {
        let headers = [host, ("sec-fetch-site", site)];
        let said = checked(LOOPBACK, &headers).unwrap_err();
        assert!(said.contains(site), "{said}");
        // A link that somebody followed; the page that has it reads nothing.
        assert_eq!(checked(reads, &headers), Ok(()), "{site}");
    }
    for site in ["same-origin", "none"] {
        let headers = [host, ("sec-fetch-site", site)];
        assert_eq!(checked(LOOPBACK, &headers), Ok(()), "{site}");
    }
}

#[test]
fn what_was_found_is_cut_and_escaped() {
    let long = format!("http://evil.example/\u{e9}{}", "x".repeat(5000));
    let said = checked(LOOPBACK, &[("origin", &long)]).unwrap_err();
    assert!(said.len() < 1000, "{}", said.len());
}
