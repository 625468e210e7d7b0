use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_action::HostRewriteSpecifier;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use prost::Message;
use serde_json::{Value, json};

use super::{HEADERS, LINE};
use crate::plugin::tests::{applied, branched, forwarded, refusal, shown};

/// The pattern and the substitution of a path's rewrite.
fn rewrite(configuration: Value) -> (String, String) {
    let action = forwarded(applied(json!({"proxy-rewrite": configuration})));
    let rewrite = action.regex_rewrite.unwrap();
    (rewrite.pattern.unwrap().regex, rewrite.substitution)
}

#[test]
fn uri_takes_the_place_of_the_path_escaped_as_nginx_does() {
    assert_eq!(
        rewrite(json!({"uri": "/a b\\1", "regex_uri": ["^/a", "/c"]})),
        ("^.*$".into(), "/a%20b\\\\1".into())
    );
}

#[test]
fn regex_uri_is_the_pattern_of_the_third_setup() {
    assert_eq!(
        rewrite(
            json!({"regex_uri": ["^/testecho/(.*)", "/$1"], "use_real_request_uri_unsafe": false})
        ),
        ("^/testecho/(.*)".into(), "/\\1".into())
    );
}

#[test]
fn of_several_patterns_the_first_that_matches_is_meant() {
    let substitutions = |pairs: Value| -> Vec<String> {
        let routes = branched(json!({"proxy-rewrite": {"regex_uri": pairs}}));
        let rewrite = |route| forwarded(route).regex_rewrite.unwrap();
        let substitution = |route| rewrite(route).substitution;
        routes.into_iter().map(substitution).collect()
    };
    let pairs = json!([
        "^/b/(1.*)",
        "/one/$1",
        "^/b/(2.*)",
        "/two/$1",
        "^/b/(.*)",
        "/$1"
    ]);
    assert_eq!(substitutions(pairs), ["/one/\\1", "/two/\\1", "/\\1"]);
    let sure = json!(["^/b/(.*)", "/$1", "^/b/(2.*)", "/two/$1"]);
    assert_eq!(substitutions(sure)[0], "/\\1");
}

/// The headers of a request that a filter changes, in order; nothing as a value takes one away.
fn changed(route: &Route) -> Vec<(String, Option<String>)> {
    let config = &route.typed_per_filter_config[HEADERS];
    let config = HeaderMutationPerRoute::decode(config.value.as_slice()).unwrap();
    let mutations = config.mutations.unwrap().request_mutations;
    let read = |mutation: Mutation| match mutation.action.unwrap() {
        Action::Append(option) => {
            let header = option.header.unwrap();
            (header.key, Some(header.value))
        }
        Action::Remove(name) => (name, None),
        other => panic!("{other:?}"),
    };
    mutations.into_iter().map(read).collect()
}

#[test]
fn a_path_with_a_query_is_written_by_a_script() {
    let route = applied(json!({"proxy-rewrite": {"uri": "/a b?c=$arg_d"}}));
    let path = r"/a%%20b?c=%CEL(re.extract(request.query, '(?:^|&)(?i:d)=([^&]*)', '\\1'))%";
    assert_eq!(
        changed(&route),
        [("x-chancery-path".to_owned(), Some(path.to_owned()))]
    );
    assert!(route.typed_per_filter_config.contains_key(LINE));
    let action = forwarded(route);
    assert!(action.regex_rewrite.is_none() && action.path_rewrite.is_empty());

    let route = applied(json!({"proxy-rewrite": {"regex_uri": ["/b/(.*)'%", "/c?d=$1"]}}));
    let path = r"%CEL(re.extract(request.url_path, '(?:^(.*?)(?:/b/(.*)\'\x25))(.*)$', '\\1/c?d=\\2\\3'))%";
    assert_eq!(changed(&route)[0].1.as_deref(), Some(path));
}

#[test]
fn a_header_with_a_group_is_of_the_pattern_that_matches() {
    let routes = branched(json!({"proxy-rewrite": {
        "regex_uri": ["^/b/1(.*)", "/$1", "^/b/2(.*)", "/$1"],
        "headers": {"set": {"x-a": "$1", "x-b": "b"}, "add": {"x-c": "c"}, "remove": ["x-d"]},
    }}));
    let group = |pattern: &str| {
        Some(format!(
            r"%CEL(re.extract(request.url_path, '{pattern}', '\\1'))%"
        ))
    };
    for (route, pattern) in routes.iter().zip(["^/b/1(.*)", "^/b/2(.*)"]) {
        let expected = [
            ("x-d", None),
            ("x-a", None),
            ("x-c", Some("c".to_owned())),
            ("x-a", group(pattern)),
            ("x-b", Some("b".to_owned())),
        ];
        assert_eq!(
            changed(route),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }
}

#[test]
fn host_wins_over_the_upstreams() {
    let action = forwarded(applied(
        json!({"proxy-rewrite": {"host": "www.example.com:8080"}}),
    ));
    assert_eq!(
        action.host_rewrite_specifier,
        Some(HostRewriteSpecifier::HostRewriteLiteral(
            "www.example.com:8080".into()
        ))
    );
}

#[test]
fn headers_are_added_set_and_removed() {
    let route = applied(json!({"proxy-rewrite": {"headers": {
        "add": {"X-Both": "a", "X-Gone": "a", "X-Added": "1"},
        "set": {"X-Both": "b", "X-Client": "${remote_addr}:$remote_port", "X-Rate": "5%"},
        "remove": ["X-Gone", "X-Old"],
    }}}));
    assert_eq!(
        shown(&route.request_headers_to_add),
        [
            "x-added: 1",
            "x-both= b",
            "x-client= %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:%DOWNSTREAM_REMOTE_PORT%",
            "x-rate= 5%%",
        ]
    );
    assert_eq!(route.request_headers_to_remove, ["x-gone", "x-old"]);
}

#[test]
fn headers_in_the_older_form_are_set() {
    let route =
        applied(json!({"proxy-rewrite": {"headers": {"X-Api-Version": 2, "set": "as a name"}}}));
    assert_eq!(
        shown(&route.request_headers_to_add),
        ["set= as a name", "x-api-version= 2"]
    );
}

#[test]
fn a_path_with_variables_is_one_of_envoys_formats() {
    let action = forwarded(applied(json!({"proxy-rewrite": {"uri": "/a b/$uri%"}})));
    assert_eq!(action.path_rewrite, "/a%%20b/%PATH(NQ)%%%25");
    assert_eq!(action.regex_rewrite, None);
}

#[test]
fn a_header_that_is_set_to_nothing_is_removed() {
    let route = applied(json!({"proxy-rewrite": {"headers": {"set": {"X-A": "", "X-B": "b"}}}}));
    assert_eq!(route.request_headers_to_remove, ["x-a"]);
    assert_eq!(shown(&route.request_headers_to_add), ["x-b= b"]);
}

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"url":"/b"}"#,
            "url: unknown field `url`, did you mean `uri`? allowed: uri, regex_uri, host, method, headers, set_ngx_uri, use_real_request_uri_unsafe",
        ),
        (
            r#"{"method":"CONNECT"}"#,
            "method: found \"CONNECT\", allowed: GET, POST, PUT, HEAD, DELETE, OPTIONS, MKCOL, COPY, MOVE, PROPFIND, LOCK, UNLOCK, PATCH, TRACE",
        ),
        (
            r#"{"scheme":"https"}"#,
            "scheme: `scheme` is not served: write `scheme` of the upstream, as for APISIX 3",
        ),
        (
            r#"{"use_real_request_uri_unsafe":true}"#,
            "use_real_request_uri_unsafe: found true, allowed: false",
        ),
        (
            r#"{"uri":"b"}"#,
            r#"uri: found "b", allowed: a path that starts with `/`, and perhaps a query in ASCII without spaces; the client's query is kept"#,
        ),
        (
            r#"{"uri":"/b?c= 1"}"#,
            r#"uri: found "/b?c= 1", allowed: a path that starts with `/`, and perhaps a query in ASCII without spaces; the client's query is kept"#,
        ),
        (
            r#"{"host":"a b"}"#,
            r#"host: found "a b", allowed: a host name or an IP address, and `:port` where needed"#,
        ),
        (
            r#"{"regex_uri":"^/a"}"#,
            r#"regex_uri: found "^/a", allowed: a list"#,
        ),
        (
            r#"{"regex_uri":["^/a"]}"#,
            "regex_uri: found 1 strings, allowed: patterns, each followed by its template",
        ),
        (
            r#"{"regex_uri":["^/a","/b","^/(c","/d"]}"#,
            r#"regex_uri[2]: found "^/(c": unclosed group"#,
        ),
        (
            r#"{"regex_uri":["^/(?=a)","/b"]}"#,
            r#"regex_uri[0]: found "^/(?=a)": look-around, including look-ahead and look-behind, is not supported"#,
        ),
        (
            r#"{"regex_uri":["^/(a)\\1","/b"]}"#,
            r#"regex_uri[0]: found "^/(a)\\1": backreferences are not supported"#,
        ),
        (
            r#"{"regex_uri":["^/(a","/b"]}"#,
            r#"regex_uri[0]: found "^/(a": unclosed group"#,
        ),
        (
            r#"{"regex_uri":["a++","/b"]}"#,
            r#"regex_uri[0]: found a repetition of a repetition in "a++", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["a{1001}","/b"]}"#,
            r#"regex_uri[0]: found a repetition of more than 1000 times in "a{1001}", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["^/[a-z0-9]{1,40}","/b"]}"#,
            r#"regex_uri[0]: found "^/[a-z0-9]{1,40}", which is too large for Envoy: allowed: fewer or shorter repetitions such as `{1,30}`"#,
        ),
        (
            r#"{"regex_uri":["(?x)a","/b"]}"#,
            r#"regex_uri[0]: found a flag other than `i`, `s` and `m` in "(?x)a", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["[a[b]]","/b"]}"#,
            r#"regex_uri[0]: found a class within a class (write `\[` for the letter) in "[a[b]]", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["[a&&b]","/b"]}"#,
            r#"regex_uri[0]: found an operation of classes (`&&`, `--`, `~~`) in "[a&&b]", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["\\pL","/b"]}"#,
            r#"regex_uri[0]: found a Unicode class in "\\pL", which Envoy does not have"#,
        ),
        (
            r#"{"regex_uri":["ä","/b"]}"#,
            "regex_uri[0]: found something else, allowed: printable ASCII, as in a path on the wire",
        ),
        (
            r#"{"regex_uri":["","/b"]}"#,
            "regex_uri[0]: found 0 bytes, allowed: a pattern of 1–1024 bytes",
        ),
        (
            r#"{"regex_uri":["^/(a)","/$2"]}"#,
            "regex_uri[1]: found `$2`, allowed: groups of the pattern, which has 1",
        ),
        (
            r#"{"regex_uri":["^/(a)","/$x"]}"#,
            r#"regex_uri[1]: found `$` before "x", allowed: a group such as `$1`"#,
        ),
        (
            r#"{"regex_uri":["^/(a)","/${1"]}"#,
            "regex_uri[1]: found `${` without `}`",
        ),
        (
            r#"{"regex_uri":["^/(a)","/$1?b=$2"]}"#,
            "regex_uri[1]: found `$2`, allowed: groups of the pattern, which has 1",
        ),
        (
            r#"{"regex_uri":["^/(a)","/$1?b= "]}"#,
            "regex_uri[1]: found something else in the query, allowed: ASCII without spaces",
        ),
        (
            r#"{"regex_uri":["(.)(.)(.)(.)(.)(.)(.)(.)","/$1?b"]}"#,
            "regex_uri[1]: found a query behind 8 groups, allowed: 7",
        ),
        (
            r#"{"uri":"/a$arg_x","headers":{"x-a":"$1"}}"#,
            "headers.x-a: found the variable \"$1\", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri, $ssl_cipher, $ssl_client_escaped_cert, $ssl_client_fingerprint, $ssl_client_i_dn, $ssl_client_s_dn, $ssl_client_serial, $ssl_protocol, $ssl_server_name",
        ),
        (
            r#"{"regex_uri":["^/(a)","b"]}"#,
            r#"regex_uri[1]: found "b", allowed: a template that starts with `/`"#,
        ),
        (
            r#"{"regex_uri":["/(1)(2)(3)(4)(5)(6)(7)(8)(9)","/$9"]}"#,
            "regex_uri[1]: found `$9`, allowed: `$1` to `$8`",
        ),
        (
            r#"{"headers":[]}"#,
            "headers: found a list, allowed: an object",
        ),
        (
            r#"{"headers":{"X-A":"$foo"}}"#,
            r#"headers.X-A: found the variable "$foo", allowed: $arg_NAME, $consumer_name, $cookie_NAME, $host, $http_NAME, $remote_addr, $remote_port, $request_method, $request_uri, $route_id, $scheme, $server_addr, $server_port, $uri, $ssl_cipher, $ssl_client_escaped_cert, $ssl_client_fingerprint, $ssl_client_i_dn, $ssl_client_s_dn, $ssl_client_serial, $ssl_protocol, $ssl_server_name"#,
        ),
        (
            r#"{"headers":{"X-A":["a"]}}"#,
            "headers.X-A: found a list, allowed: a string or a number",
        ),
        (
            r#"{"headers":{"set":{"X:A":"1"}}}"#,
            r#"headers.set.X:A: found the name "X:A", allowed: letters, digits and `-`"#,
        ),
        (
            r#"{"headers":{"set":{"X-A":"1","x-a":"2"}}}"#,
            "headers.set.x-a: found a second time in other letters, allowed: once",
        ),
        (
            r#"{"headers":{"set":{"Authorization":"secret\u0001"}}}"#,
            "headers.set.Authorization: found something else at character 7, allowed: printable ASCII",
        ),
        (
            r#"{"headers":{"set":{"Host":"a"}}}"#,
            r#"headers: found the name "host", which the field `host` is for"#,
        ),
        (
            r#"{"headers":{"Content-Length":"0"}}"#,
            r#"headers.Content-Length: found the name "content-length", which says where a message ends: leave it out, as Envoy writes it itself"#,
        ),
        (
            r#"{"headers":{"add":{"Transfer-Encoding":"chunked"}}}"#,
            r#"headers.add.Transfer-Encoding: found the name "transfer-encoding", which says where a message ends: leave it out, as Envoy writes it itself"#,
        ),
        (
            r#"{"headers":{"set":{"Upgrade":"websocket"}}}"#,
            r#"headers.set.Upgrade: found the name "upgrade", which is about a connection: leave it out, as Envoy writes it itself; for WebSockets there is `enable_websocket` of routes"#,
        ),
        (
            r#"{"headers":{"remove":["Connection"]}}"#,
            r#"headers.remove[0]: found the name "connection", which is about a connection: leave it out, as Envoy writes it itself; for WebSockets there is `enable_websocket` of routes"#,
        ),
        (
            r#"{"headers":{"remove":["a b"]}}"#,
            r#"headers.remove[0]: found the name "a b", allowed: letters, digits and `-`"#,
        ),
        (
            r#"{"headers":{"add":{"X-A":"1"},"replace":{}}}"#,
            "headers.replace: unknown field `replace`, allowed: add, set, remove",
        ),
        (
            r#"{"headers":{"X-A":"\\$host"}}"#,
            r#"headers.X-A: found `\$host`, allowed: variables without a backslash before them"#,
        ),
    ];
    for (configuration, said) in table {
        assert_eq!(
            refusal("proxy-rewrite", configuration),
            said,
            "of {configuration}"
        );
    }
}

/// A client that sends the header itself must not get it through.
#[test]
fn a_header_is_set_in_any_case_where_its_variable_may_not_be_there() {
    let headers = json!({"set": {"x-a": "$arg_a", "x-b": "b", "x-c": "$ssl_client_s_dn"}});
    let route = applied(json!({"proxy-rewrite": {"headers": headers}}));
    let kept = route.request_headers_to_add.into_iter().map(|option| {
        let header = option.header.unwrap();
        (header.key, option.keep_empty_value)
    });
    let kept: Vec<_> = kept.collect();
    let expected = [("x-a", true), ("x-b", false), ("x-c", true)];
    assert_eq!(kept, expected.map(|(name, kept)| (name.to_owned(), kept)));
}
