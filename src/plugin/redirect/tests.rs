use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{RedirectAction, Route, RouteAction};
use serde_json::{Value, json};

use crate::model::Path;
use crate::plugin::tests::{applied, branched, read, refusal, shown, warned};

fn redirected(configuration: Value) -> RedirectAction {
    match applied(json!({"redirect": configuration})).action {
        Some(Action::Redirect(action)) => action,
        other => panic!("not redirected: {other:?}"),
    }
}

/// The status and the `Location` of an answer that says both itself.
fn located(configuration: Value) -> (u32, String) {
    let route = applied(json!({"redirect": configuration}));
    match route.action {
        Some(Action::DirectResponse(answer)) => (
            answer.status,
            shown(&route.response_headers_to_add).concat(),
        ),
        other => panic!("not answered: {other:?}"),
    }
}

#[test]
fn http_to_https_sends_what_came_over_http_to_the_port_of_https() {
    let routes = branched(json!({"redirect": {"http_to_https": true}}));
    let [sent @ .., passed] = routes.as_slice() else {
        panic!("none: {routes:?}");
    };
    let (moved, permanent) = (
        RedirectResponseCode::MovedPermanently,
        RedirectResponseCode::PermanentRedirect,
    );
    let proto = "x-forwarded-proto";
    let table: [(&[&str], _, _); 4] = [
        (&[proto, ":method", ":authority"], moved, 443),
        (&[proto, ":method"], moved, 0),
        (&[proto, ":authority"], permanent, 443),
        (&[proto], permanent, 0),
    ];
    assert_eq!(sent.len(), table.len());
    for (route, (asked, code, port)) in sent.iter().zip(table) {
        let headers = &route.r#match.as_ref().unwrap().headers;
        let names: Vec<_> = headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, asked);
        let Some(Action::Redirect(action)) = &route.action else {
            panic!("not redirected: {route:?}");
        };
        let scheme = Some(SchemeRewriteSpecifier::HttpsRedirect(true));
        assert_eq!(action.scheme_rewrite_specifier, scheme);
        assert_eq!((action.port_redirect, action.response_code()), (port, code));
        assert!(!action.strip_query);
    }
    assert!(matches!(passed.action, Some(Action::Route(_))));
}

#[test]
fn what_came_over_https_finds_nothing_where_there_is_no_upstream() {
    let plugins = read(json!({"redirect": {"http_to_https": true}})).unwrap();
    let routes = plugins.apply(Route::default(), |_| RouteAction::default());
    let Some(Action::DirectResponse(answer)) = &routes[4].action else {
        panic!("not answered: {routes:?}");
    };
    assert_eq!(answer.status, 503);
}

#[test]
fn a_status_beside_http_to_https_has_no_effect_and_that_is_said() {
    let said = warned("redirect", json!({"http_to_https": true, "ret_code": 308}));
    let expected = "ret_code: has no effect beside `http_to_https`, which answers 301 or 308";
    assert_eq!(said, [expected]);
    for unsaid in [301, 302] {
        let said = warned(
            "redirect",
            json!({"http_to_https": true, "ret_code": unsaid}),
        );
        assert_eq!(said, [""; 0]);
    }
}

#[test]
fn the_location_is_sent_as_it_is_written() {
    let table = [
        (json!({"uri": "/b"}), 302, "/b"),
        (json!({"uri": "/b", "http_to_https": false}), 302, "/b"),
        (
            json!({"uri": "https://www.example.com/b?c=1#d", "ret_code": 308}),
            308,
            "https://www.example.com/b?c=1#d",
        ),
        (
            json!({"uri": "https://$http_host$request_uri", "ret_code": 301}),
            301,
            "https://%REQ(:AUTHORITY)%%REQ(:PATH)%",
        ),
        (json!({"uri": "${uri}/b%20c"}), 302, "%PATH(NQ)%/b%%20c"),
        (
            json!({"uri": "/ä b?c=d e", "encode_uri": true}),
            302,
            "/%%C3%%A4%%20b?c=d e",
        ),
        (json!({"uri": "/price$"}), 302, "/price$"),
    ];
    for (configuration, status, location) in table {
        assert_eq!(
            located(configuration.clone()),
            (status, format!("location= {location}")),
            "of {configuration}"
        );
    }
}

#[test]
fn the_clients_query_is_appended_on_demand() {
    for (uri, expected) in [
        ("/b", r"/b%CEL(re.extract(request.query, '(.+)', '?\\1'))%"),
        (
            "/b?c=d",
            r"/b?c=d%CEL(re.extract(request.query, '(.+)', '&\\1'))%",
        ),
    ] {
        let configuration = json!({"uri": uri, "append_query_string": true, "ret_code": 307});
        assert_eq!(
            located(configuration),
            (307, format!("location= {expected}"))
        );
    }
}

#[test]
fn regex_uri_may_lead_to_another_host() {
    for (template, scheme, port, substitution) in [
        ("http://example.com/c/$1", "http", 0, "/c/\\1"),
        ("https://example.com:8443/$1", "https", 8443, "/\\1"),
        ("https://example.com:443", "https", 0, "/"),
    ] {
        let action = redirected(json!({"regex_uri": ["^/b/(.*)", template]}));
        assert_eq!(action.host_redirect, "example.com", "{template}");
        assert_eq!(action.port_redirect, port, "{template}");
        assert_eq!(
            action.scheme_rewrite_specifier,
            Some(SchemeRewriteSpecifier::SchemeRedirect(scheme.to_owned()))
        );
        let Some(PathRewriteSpecifier::RegexRewrite(rewrite)) = action.path_rewrite_specifier
        else {
            panic!("no rewrite");
        };
        assert_eq!(rewrite.substitution, substitution, "{template}");
    }
}

#[test]
fn regex_uri_leads_to_another_path_and_drops_the_query() {
    let path = r"%CEL(re.extract(request.url_path, '(?:^/b/(.*))(.*)$', '/c/\\1\\2'))%";
    let pair = json!(["^/b/(.*)", "/c/$1"]);
    assert_eq!(
        located(json!({"regex_uri": pair, "ret_code": 308})),
        (308, format!("location= {path}"))
    );
    let kept = located(json!({"regex_uri": pair, "append_query_string": true})).1;
    assert_eq!(
        kept,
        format!(r"location= {path}%CEL(re.extract(request.query, '(.+)', '?\\1'))%")
    );
    let both =
        located(json!({"regex_uri": ["^/b/(.*)", "/c?d=$1"], "append_query_string": true})).1;
    assert!(
        both.contains(r"'/c?d=\\1\\2'") && both.contains(r"'&\\1'"),
        "{both}"
    );
    // One group more than a substitution knows.
    let pair = json!(["^/b/(.)(.)(.)(.)(.)(.)(.)(.)(.)", "/c/$9"]);
    let many = branched(json!({"redirect": {"regex_uri": pair}})).remove(0);
    assert!(matches!(many.action, Some(Action::Redirect(action)) if action.strip_query));
}

#[test]
fn regex_uri_answers_all_of_a_routes_paths_or_some() {
    let table = [
        ("^/b/(.*)", Path::Prefix("/b/".into()), true),
        ("^/b/(.*)$", Path::Prefix("/b/c".into()), true),
        ("^/b", Path::Prefix("/b/".into()), true),
        ("/b/.*", Path::Prefix("/b/".into()), true),
        ("^/b/(.*)", Path::Prefix("/b".into()), false),
        ("^/b/$", Path::Prefix("/b/".into()), false),
        ("^/b/([a-z]+)", Path::Prefix("/b/".into()), false),
        ("^/b/([a-z]+)", Path::Exact("/b/c".into()), true),
        ("^/b/([a-z]+)", Path::Exact("/b/1".into()), false),
    ];
    for (pattern, path, covered) in table {
        let plugins = read(json!({"redirect": {"regex_uri": [pattern, "/c"]}})).unwrap();
        let answers = plugins.answers(&[Path::Exact("/b/c".into()), path.clone()]);
        assert_eq!(answers, covered, "{pattern} and {path}");
    }
}

#[test]
fn a_request_that_regex_uri_does_not_match_passes() {
    let routes = branched(json!({"redirect": {"regex_uri": ["^/b/([a-z]+)$", "/c/$1"]}}));
    let [redirected, passed] = routes.as_slice() else {
        panic!("not two: {routes:?}");
    };
    let specifier = redirected.r#match.clone().unwrap().path_specifier.unwrap();
    let PathSpecifier::SafeRegex(asked) = specifier else {
        panic!("no pattern: {specifier:?}");
    };
    assert_eq!(asked.regex, "(?:^/b/([a-z]+)$).*");
    assert!(matches!(redirected.action, Some(Action::DirectResponse(_))));
    assert!(matches!(passed.action, Some(Action::Route(_))));
}

#[test]
fn what_is_refused() {
    let table = [
        (
            "{}",
            "needs one of `http_to_https`, `uri` and `regex_uri`, and only one",
        ),
        (
            r#"{"http_to_https":true,"uri":"/b"}"#,
            "needs one of `http_to_https`, `uri` and `regex_uri`, and only one",
        ),
        (
            r#"{"http_to_https":true,"append_query_string":true}"#,
            "append_query_string: found beside `http_to_https`, which keeps the query already",
        ),
        (
            r#"{"uri":"/b","ret_code":304}"#,
            "ret_code: found 304, allowed: 301, 302, 303, 307, 308",
        ),
        (
            r#"{"uri":"/b","ret_code":"302"}"#,
            r#"ret_code: found "302", allowed: a whole number"#,
        ),
        (
            r#"{"uri":""}"#,
            r#"uri: found "", allowed: a URI in ASCII without spaces, or `encode_uri`"#,
        ),
        (
            r#"{"uri":"/a b"}"#,
            r#"uri: found "/a b", allowed: a URI in ASCII without spaces, or `encode_uri`"#,
        ),
        (
            r#"{"uri":"/b/$nothing"}"#,
            r#"uri: found the variable "$nothing", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri"#,
        ),
        (
            r#"{"regex_uri":["^/b/(.*)","https://$1.example.com/"]}"#,
            r#"regex_uri[1]: found the host "$1.example.com", allowed: a name without groups, and a port; only the path may have groups"#,
        ),
        (
            r#"{"regex_uri":["^/b/(.*)","http://example.com:x/"]}"#,
            r#"regex_uri[1]: found the host "example.com:x", allowed: a name without groups, and a port; only the path may have groups"#,
        ),
        (
            r#"{"regex_uri":["^/b/(.*)"]}"#,
            "regex_uri: found 1 strings, allowed: one pattern and its template, as two strings",
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("redirect", configuration),
            said,
            "of {configuration}"
        );
    }
}
