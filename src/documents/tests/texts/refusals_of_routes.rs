//! Routes that are refused for what they say. A table: the path, the text, and what is said after `/chancery/<path>: `.

use super::refused;

#[test]
fn what_a_route_cannot_match() {
    refused(&[
        (
            "routes/echo",
            r#"{"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "uri: is missing, and `uris` is as well",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","uris":["/b"],"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "uris: found beside `uri`, allowed: one of the two",
        ),
        (
            "routes/echo",
            r#"{"uris":[],"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "uris: found an empty list, allowed: at least one",
        ),
        (
            "routes/echo",
            r#"{"uris":["/a","/b","/a"],"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "uris[2]: found a second time, allowed: once",
        ),
        (
            "routes/echo",
            r#"{"uri":1,"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "uri: found 1, allowed: a string",
        ),
        (
            "routes/echo",
            r#"{"uri":"a","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "a", allowed: a path that starts with `/`, or `*`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a*b","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/a*b", allowed: `*` at the end only"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/user/:","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/user/:", allowed: parameters with names of letters, digits, `_`, `-` and `.`, such as `:id`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/user/:id*","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/user/:id*", allowed: `*` as a segment of its own behind parameters, such as `/user/:id/*`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","remote_addr":"10.0.0","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"remote_addr: found "10.0.0", allowed: an IP address or a range such as "10.0.0.0/8""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","vars":[["arg_a","==","1"],["args","==","1"]],"upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"vars[1][0]: found the variable "args", allowed: arg_NAME, http_NAME, cookie_NAME, request_method, uri, host, scheme, remote_addr, server_port"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a?b=1","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/a?b=1", allowed: a path without `?` and `#`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a b","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/a b", allowed: a path in ASCII without spaces; write other characters as %XX"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/ä","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "/ä", allowed: a path in ASCII without spaces; write other characters as %XX"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            r#"uri: found "", allowed: a path that starts with `/`, or `*`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a:80"}"#,
            r#"host: found "a:80", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"*"}"#,
            r#"host: found "*", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"*example.com"}"#,
            r#"host: found "*example.com", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a..b"}"#,
            r#"host: found "a..b", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a/b"}"#,
            r#"host: found "a/b", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":""}"#,
            r#"host: found "", allowed: a host without a port, such as "www.example.com" or "*.example.com""#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"host":"a","hosts":["b"]}"#,
            "hosts: found beside `host`, allowed: one of the two",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"hosts":["a","b","A"]}"#,
            "hosts[2]: found a second time, allowed: once",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":["get"]}"#,
            r#"methods[0]: found "get", allowed: GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS, CONNECT, TRACE, PURGE"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":["GET","GET"]}"#,
            "methods[1]: found a second time, allowed: once",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"methods":"GET"}"#,
            r#"methods: found "GET", allowed: a list"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"gateways":["a b"]}"#,
            "gateways[0]: found the id `a b`, allowed: 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"gateways":["edge","edge"]}"#,
            "gateways[1]: found a second time, allowed: once",
        ),
    ]);
}

#[test]
fn where_requests_cannot_go() {
    refused(&[
        (
            "routes/echo",
            r#"{"uri":"/a"}"#,
            "has nowhere to send requests: `upstream`, `upstream_id` or `service_id` is missing",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"upstream_id":"u"}"#,
            "upstream_id: found beside `upstream`, allowed: one of the two",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream_id":"u"}"#,
            "upstream_id: refers to `upstreams/u`, which does not exist",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream_id":5}"#,
            "upstream_id: refers to `upstreams/5`, which does not exist",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","service_id":"s"}"#,
            "service_id: refers to `services/s`, which does not exist",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream_id":null}"#,
            "upstream_id: found null, allowed: an id, which is a string or a number",
        ),
        (
            "services/s",
            r#"{"upstream_id":"u"}"#,
            "upstream_id: refers to `upstreams/u`, which does not exist",
        ),
        (
            "services/s",
            r#"{"upstream_id":"u","upstream":{"nodes":{"10.0.0.1:80":1}}}"#,
            "upstream_id: found beside `upstream`, allowed: one of the two",
        ),
    ]);
}
