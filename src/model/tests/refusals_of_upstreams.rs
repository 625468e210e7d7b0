//! Upstreams that are refused for what they say. A table: the path, the text, and what is said after
//! `/chancery/<path>: `.

use super::refused;

#[test]
fn what_an_upstream_cannot_be() {
    refused(&[
        (
            "upstreams/u",
            "{}",
            "names no instances: `nodes`, or `service_name` with `discovery_type`, is missing",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"service_name":"a","discovery_type":"consul"}"#,
            "service_name: found beside `nodes`, allowed: one of the two",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"discovery_type":"consul"}"#,
            "discovery_type: found beside `nodes`, allowed: only with `service_name`",
        ),
        (
            "upstreams/u",
            r#"{"service_name":"a"}"#,
            "discovery_type: is missing beside `service_name`, allowed: consul, file",
        ),
        (
            "upstreams/u",
            r#"{"service_name":"a","discovery_type":"dns"}"#,
            r#"discovery_type: found "dns", allowed: consul, file"#,
        ),
        (
            "upstreams/u",
            r#"{"service_name":"../a","discovery_type":"file"}"#,
            r#"service_name: found "../a", allowed: 1 to 256 bytes without `/`, `\` and spaces, not starting with `.`"#,
        ),
        (
            "upstreams/u",
            r#"{"service_name":"","discovery_type":"file"}"#,
            r#"service_name: found "", allowed: 1 to 256 bytes without `/`, `\` and spaces, not starting with `.`"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":7}"#,
            r#"nodes: found 7, allowed: an object {"host:port": weight} or a list of {host, port, weight}"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"a","port":0,"weight":1}]}"#,
            "nodes[0].port: found 0, allowed: 1–65535",
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"a","port":80}]}"#,
            "nodes[0]: `weight` is missing",
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"a","port":80,"weight":"1"}]}"#,
            r#"nodes[0].weight: found "1", allowed: 0–1000000"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"hos":"a"}]}"#,
            "nodes[0].hos: unknown field `hos`, did you mean `host`? allowed: host, port, weight, priority, metadata",
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"a b","port":80,"weight":1}]}"#,
            r#"nodes[0].host: found "a b", allowed: an IP address or a DNS name"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"1.2.3","port":80,"weight":1}]}"#,
            r#"nodes[0].host: found "1.2.3", allowed: an IP address or a DNS name"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":[{"host":"a","port":80,"weight":1},{"host":"A","weight":1}]}"#,
            "nodes[1]: found a:80 a second time, allowed: once",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:0":1}}"#,
            r#"nodes.a:0: found "a:0", allowed: an IP address or a DNS name, and a port of 1–65535 after a colon"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:http":1}}"#,
            r#"nodes.a:http: found "a:http", allowed: an IP address or a DNS name, and a port of 1–65535 after a colon"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:80":-1}}"#,
            "nodes.a:80: found -1, allowed: 0–1000000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:80":1.5}}"#,
            "nodes.a:80: found 1.5, allowed: 0–1000000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:80":2000000}}"#,
            "nodes.a:80: found 2000000, allowed: 0–1000000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"ewma"}"#,
            r#"type: found "ewma", allowed: roundrobin, least_conn, chash"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":3}"#,
            "type: found 3, allowed: roundrobin, least_conn, chash",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","key":"uri"}"#,
            r#"key: found "uri", allowed: remote_addr, http_NAME, cookie_NAME, arg_NAME"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"header"}"#,
            "key: is missing, allowed: the name of a header",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"cookie","key":"a b"}"#,
            r#"key: found the name "a b", allowed: letters, digits, `-`, `_` and `.`"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"consumer"}"#,
            r#"hash_on: found "consumer", allowed: vars, header, cookie"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"grpcs"}"#,
            r#"scheme: found "grpcs", allowed: http, https, grpc"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"pass_host":"rewrite"}"#,
            "upstream_host: is missing: `pass_host` is `rewrite`",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"pass_host":"keep"}"#,
            r#"pass_host: found "keep", allowed: pass, node, rewrite"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"pass_host":"rewrite","upstream_host":"a b"}"#,
            r#"upstream_host: found "a b", allowed: a host name or an IP address, and `:port` where needed"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"retries":-1}"#,
            "retries: found -1, allowed: 0–4294967295",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"retry_timeout":-1}"#,
            "retry_timeout: found -1, allowed: seconds, 0 (no bound) or 0.001–31536000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"retry_timeout":"1"}"#,
            r#"retry_timeout: found "1", allowed: a number"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"timeout":{"connect":0,"send":1,"read":1}}"#,
            "timeout.connect: found 0, allowed: seconds, 0.001–31536000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"timeout":{"connect":1,"send":1e9,"read":1}}"#,
            "timeout.send: found 1000000000.0, allowed: seconds, 0.001–31536000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"timeout":{"connect":6}}"#,
            "timeout: `send` is missing",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"timeout":6}"#,
            "timeout: found 6, allowed: an object",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"keepalive_pool":{"size":0}}"#,
            "keepalive_pool.size: found 0, allowed: 1–4294967295",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"keepalive_pool":{"idle_timeout":0}}"#,
            "keepalive_pool.idle_timeout: found 0, allowed: seconds, 0.001–31536000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"keepalive_pool":{"requests":"many"}}"#,
            r#"keepalive_pool.requests: found "many", allowed: 1–4294967295"#,
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":{"nodes":[{"host":"a","port":0,"weight":1}]}}"#,
            "upstream.nodes[0].port: found 0, allowed: 1–65535",
        ),
        (
            "routes/echo",
            r#"{"uri":"/a","upstream":[]}"#,
            "upstream: invalid length 0, expected an object",
        ),
    ]);
}
