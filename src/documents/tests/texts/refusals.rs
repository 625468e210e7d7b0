//! Texts, keys and fields that are refused. A table: the path, the text, and what is said after `/chancery/<path>: `.

use super::{problem_of, refused, yaml};

#[test]
fn a_text_that_is_no_document() {
    refused(&[
        (
            "routes/echo",
            "",
            "the document is empty, allowed: one object",
        ),
        (
            "routes/echo",
            "  \n",
            "the document is empty, allowed: one object",
        ),
        ("routes/echo", "[]", "found a list, allowed: one object"),
        ("routes/echo", r#""a""#, "found a text, allowed: one object"),
        (
            "routes/echo",
            r#"{"uri":"/a""#,
            "cannot be read as JSON: EOF while parsing an object at line 1 column 11",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a"} x"#,
            "cannot be read as JSON: trailing characters at line 1 column 14",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","uri":"/b"}"#,
            "cannot be read as JSON: `uri` is written twice at line 1 column 17",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"a:1":1,"a:1":2}}}"#,
            "cannot be read as JSON: `a:1` is written twice at line 1 column 46",
        ),
        (
            "routes/echo",
            "init_dir",
            "cannot be read as JSON: expected value at line 1 column 1",
        ),
    ]);
}

#[test]
fn a_key_that_names_no_document() {
    refused(&[
        (
            "plugins/jack",
            "{}",
            "this version does not serve `plugins`; it serves routes, upstreams, services, …",
        ),
        (
            "foo/1",
            "{}",
            "unknown kind `foo`, allowed: routes, upstreams, services, …",
        ),
        (
            "routes/a b",
            "{}",
            "found the id `a b`, allowed: 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            "routes",
            r#"{"uri":"/a"}"#,
            "found the id ``, allowed: 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            "routes/a/b",
            "{}",
            "found the id `a/b`, allowed: 1 to 64 letters, digits, `-`, `_` and `.`",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":"other"}"#,
            r#"id: found "other", allowed: "echo" as in the key, or no `id`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":7}"#,
            r#"id: found "7", allowed: "echo" as in the key, or no `id`"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"id":1.5}"#,
            "id: found 1.5, allowed: an id, which is a string or a number",
        ),
    ]);
}

#[test]
fn a_field_that_is_not_served_or_of_the_wrong_type() {
    refused(&[
        (
            "routes/echo",
            r#"{"urii":"/a"}"#,
            "urii: unknown field `urii`, did you mean `uri`? allowed: id, name, desc, labels, create_time, update_time, uri, uris, host, hosts, methods, remote_addr, remote_addrs, vars, …",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"nam":"x"}"#,
            "nam: unknown field `nam`, did you mean `name`? allowed: id, name, desc, labels, create_time, update_time, uri, uris, host, hosts, methods, remote_addr, remote_addrs, vars, …",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"plugin_config_id":"1"}"#,
            "plugin_config_id: refers to `plugin_configs/1`, which does not exist",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"filter_func":"function"}"#,
            "filter_func: `filter_func` is not served: Envoy does not run the Lua of a document",
        ),
        (
            "services/s",
            r#"{"script":"x"}"#,
            "script: `script` is not served: Envoy does not run the Lua of a document",
        ),
        (
            "services/s",
            r#"{"uri":"/a"}"#,
            "uri: unknown field `uri`, allowed: id, name, desc, labels, create_time, update_time, hosts, enable_websocket, plugins, upstream, upstream_id",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"subset":{}}"#,
            "subset: this version does not have `subset`",
        ),
        (
            "gateways/g",
            r#"{"listeners":[],"admission":{}}"#,
            "admission: `admission` is not served: which proxies may act as a gateway is the setting `xds-clients` of Chancery itself, beyond the reach of who writes documents",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"name":1}"#,
            "name: found 1, allowed: a string",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"labels":{"a":1}}"#,
            "labels.a: found 1, allowed: a string",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"create_time":"now"}"#,
            r#"create_time: found "now", allowed: seconds since 1970"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"status":2}"#,
            "status: found 2, allowed: 0, 1",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"status":"1"}"#,
            r#"status: found "1", allowed: 0, 1"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"priority":1.5}"#,
            "priority: found 1.5, allowed: -2147483648–2147483647",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"priority":99999999999}"#,
            "priority: found 99999999999, allowed: -2147483648–2147483647",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"enable_websocket":"yes"}"#,
            r#"enable_websocket: found "yes", allowed: true, false"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":{"10.0.0.1:80":1}},"desc":null}"#,
            "desc: found null, allowed: a string",
        ),
    ]);
}

#[test]
fn a_yaml_text_that_is_no_document() {
    let table = [
        ("", "the document is empty, allowed: one object"),
        ("uri", "found a text, allowed: one object"),
        (
            "uri: /a\nupstream: {nodes: [}",
            "cannot be read as YAML: mismatched bracket '[' closed by '}' at line 2, column 19",
        ),
        (
            "uri: /a\nuri: /b",
            "cannot be read as YAML: duplicate mapping key: uri not allowed here at line 2, column 1",
        ),
        (
            "uri: /a\n---\nuri: /b",
            "cannot be read as YAML: only single YAML document expected but multiple found at line 3, column 1",
        ),
        (
            "priority: .inf",
            "cannot be read as YAML: value `.inf` is not a finite number at line 1, column 11",
        ),
        (
            "uri: /a\nstatus: yes",
            "status: found \"yes\", allowed: 0, 1",
        ),
        (
            "uri: /a\nupstream:\n  nodes:\n    - host: 10.0.0.1\n      port: 0\n      weight: 1\n",
            "upstream.nodes[0].port: found 0, allowed: 1–65535",
        ),
    ];
    for (text, said) in table {
        let problem = problem_of(yaml("routes/echo", text)).unwrap_or_else(|| "nothing".into());
        assert_eq!(
            problem,
            format!("examples/routes/echo.yaml: {said}"),
            "of {text}"
        );
    }
}
