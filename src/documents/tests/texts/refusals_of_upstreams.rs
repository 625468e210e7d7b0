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
            "discovery_type: is missing beside `service_name`, allowed: consul, dns, file",
        ),
        (
            "upstreams/u",
            r#"{"service_name":"a","discovery_type":"eureka"}"#,
            r#"discovery_type: found "eureka", allowed: consul, dns, file"#,
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
            r#"nodes[0].weight: found "1", allowed: 0–2147483647"#,
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
            r#"{"nodes":[{"host":"a","port":80,"weight":1},{"host":"A","weight":1,"priority":1}]}"#,
            "nodes[1]: found a:80 a second time with another priority, allowed: once, or with the same",
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
            "nodes.a:80: found -1, allowed: 0–2147483647",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:80":1.5}}"#,
            "nodes.a:80: found 1.5, allowed: 0–2147483647",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a:80":3000000000}}"#,
            "nodes.a:80: found 3000000000, allowed: 0–2147483647",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"random"}"#,
            r#"type: found "random", allowed: roundrobin, least_conn, ewma, chash"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":3}"#,
            "type: found 3, allowed: roundrobin, least_conn, ewma, chash",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","key":"server_name"}"#,
            r#"key: found "server_name", allowed: remote_addr, uri, request_uri, query_string, host, http_NAME, cookie_NAME, arg_NAME"#,
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
            r#"{"nodes":{},"type":"chash","hash_on":"body"}"#,
            r#"hash_on: found "body", allowed: vars, header, cookie, consumer, vars_combinations"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"udp"}"#,
            r#"scheme: found "udp", allowed: http, https, grpc, grpcs, tcp, tls"#,
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
            "upstream: found a list, allowed: an object",
        ),
    ]);
}

#[test]
fn what_dns_and_schemes_cannot_be() {
    refused(&[
        (
            "upstreams/u",
            r#"{"service_name":"echo.local","discovery_type":"dns"}"#,
            r#"service_name: found "echo.local", whose port would stand in SRV records, which Envoy does not resolve, allowed: `name:port`"#,
        ),
        (
            "upstreams/u",
            r#"{"service_name":"a b:80","discovery_type":"dns"}"#,
            r#"service_name: found "a b:80", allowed: an IP address or a DNS name, and a port of 1–65535 after a colon"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"a":1},"scheme":"tcp"}"#,
            "nodes.a: has no port, and the scheme has none either, allowed: a port of 1–65535",
        ),
        (
            "routes/r",
            r#"{"uri":"/a","upstream":{"nodes":{"a:1":1},"scheme":"tcp"}}"#,
            r#"upstream.scheme: found "tcp", which is for stream routes, allowed: http, https, grpc, grpcs"#,
        ),
    ]);
}

#[test]
fn what_a_hash_and_a_slow_start_cannot_be() {
    refused(&[
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"vars_combinations","key":"remote_addr"}"#,
            r#"key: found "remote_addr", allowed: variables, as `$remote_addr$http_x_user`"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"vars_combinations","key":"$remote_addr$pid"}"#,
            r#"key: found "pid", allowed: remote_addr, uri, request_uri, query_string, host, http_NAME, cookie_NAME, arg_NAME"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_on":"vars_combinations"}"#,
            "key: is missing, allowed: variables, as `$remote_addr$http_x_user`",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","hash_algorithm":"random"}"#,
            r#"hash_algorithm: found "random", allowed: ring_hash, maglev"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"type":"chash","slow_start":{"window":5}}"#,
            "slow_start: found beside the `type` chash, allowed: with roundrobin, least_conn and ewma",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"slow_start":{"window":0}}"#,
            "slow_start.window: found 0, allowed: seconds, 0.001–31536000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"slow_start":{"window":5,"aggression":0}}"#,
            "slow_start.aggression: found 0, allowed: 0.001–1000",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"slow_start":{"window":5,"min_weight_percent":101}}"#,
            "slow_start.min_weight_percent: found 101, allowed: 0–100",
        ),
    ]);
}

#[test]
fn what_checks_cannot_be() {
    refused(&[
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{}}"#,
            "checks: holds no check, allowed: active, passive",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"type":"grpc"}}}"#,
            r#"checks.active.type: found "grpc", allowed: http, https, tcp"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"http_path":"health"}}}"#,
            r#"checks.active.http_path: found "health", allowed: a path that starts with `/`, in ASCII"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"healthy":{"interval":0}}}}"#,
            "checks.active.healthy.interval: found 0, allowed: 1–4294967295",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"healthy":{"successes":255}}}}"#,
            "checks.active.healthy.successes: found 255, allowed: 1–254",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"unhealthy":{"http_statuses":[199]}}}}"#,
            "checks.active.unhealthy.http_statuses[0]: found 199, allowed: 200–599",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"passive":{"unhealthy":{"http_statuses":[]}}}}"#,
            "checks.passive.unhealthy.http_statuses: found an empty list, allowed: at least one status",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"req_headers":["Secret"]}}}"#,
            "checks.active.req_headers[0]: cannot be read, allowed: `Name: value`, in ASCII",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"checks":{"active":{"req_headers":["A: b","Host: c"]}}}"#,
            "checks.active.req_headers[1]: found the header Host, allowed: `checks.active.host`",
        ),
    ]);
}

#[test]
fn what_tls_cannot_be() {
    refused(&[
        (
            "upstreams/u",
            r#"{"nodes":{"10.0.0.1":1},"scheme":"https","pass_host":"node","tls":{"verify":true}}"#,
            "tls.verify: has no name to verify, as nodes are known by their address: `tls.sni` is missing",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{"10.0.0.1:1":1,"a:1":1},"scheme":"tls","tls":{"verify":true}}"#,
            "tls.verify: has no name to verify, as nodes are known by their address: `tls.sni` is missing",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"https","tls":{"sni":"10.0.0.1"}}"#,
            r#"tls.sni: found "10.0.0.1", allowed: a DNS name"#,
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"https","tls":{"client_key":"s3cr3t"}}"#,
            "tls.client_key: cannot be read, allowed: a private key (RSA, ECDSA) as PEM; APISIX stores keys encrypted unless its `data_encryption` is off: give its keys as `data-encryption-keyring`",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"https","tls":{"ca":"nobody"}}"#,
            "tls.ca: found no certificate, allowed: X.509 certificates as PEM",
        ),
        (
            "upstreams/u",
            r#"{"nodes":{},"scheme":"https","tls":{"client_cert_id":"mine"}}"#,
            "tls.client_cert_id: refers to `ssls/mine`, which does not exist",
        ),
    ]);
}
