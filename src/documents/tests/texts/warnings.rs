//! What is accepted although Envoy does not do it exactly: each is said once, and again when it changes.

use super::{json, no_documents, put, settled};

fn warnings_of(path: &str, text: &str) -> Vec<String> {
    let changes = settled(json(path, text));
    assert_eq!(changes.problems, []);
    let warnings = changes.warnings.iter();
    warnings.map(|warning| warning.to_string()).collect()
}

#[test]
fn what_envoy_does_not_do_exactly_is_said() {
    let table = [
        (
            r#"{"nodes":{},"keepalive_pool":{"size":320,"idle_timeout":60,"requests":1000}}"#,
            vec![
                "/chancery/upstreams/u: keepalive_pool.size: has no effect: Envoy bounds a pool by time and requests, not by size",
            ],
        ),
        (
            r#"{"nodes":{},"scheme":"https"}"#,
            vec!["/chancery/upstreams/u: scheme: the certificates of the nodes are not verified"],
        ),
        (
            r#"{"nodes":{},"upstream_host":"a"}"#,
            vec![
                "/chancery/upstreams/u: upstream_host: has no effect: `pass_host` is not `rewrite`",
            ],
        ),
        (
            r#"{"nodes":{},"retry_timeout":1.5}"#,
            vec![
                "/chancery/upstreams/u: retry_timeout: bounds how many attempts there are, by the longest that each may take: Envoy has no bound on all of them",
            ],
        ),
        (r#"{"nodes":{},"keepalive_pool":{"requests":1000}}"#, vec![]),
        (
            r#"{"nodes":{},"type":"ewma"}"#,
            vec![
                "/chancery/upstreams/u: type: Envoy does not measure how fast nodes are: `ewma` is served as `least_conn`, which slow nodes get less of too",
            ],
        ),
        (
            r#"{"nodes":{},"hash_on":"header","key":"a","hash_algorithm":"maglev"}"#,
            vec![
                "/chancery/upstreams/u: hash_on: has no effect: `type` is not `chash`",
                "/chancery/upstreams/u: key: has no effect: `type` is not `chash`",
                "/chancery/upstreams/u: hash_algorithm: has no effect: `type` is not `chash`",
            ],
        ),
        (
            r#"{"nodes":{},"tls":{}}"#,
            vec!["/chancery/upstreams/u: tls: has no effect: `scheme` is http"],
        ),
        (
            r#"{"nodes":{},"scheme":"https","tls":{"verify":true}}"#,
            vec![],
        ),
    ];
    for (text, said) in table {
        assert_eq!(warnings_of("upstreams/u", text), said, "of {text}");
    }
}

#[test]
fn what_envoy_counts_in_another_way_is_said() {
    let other = "has no effect: Envoy counts all failures as `http_failures`";
    let timeouts = "has no effect: Envoy counts time-outs as `tcp_failures`";
    let listed = "a status that neither list names counts as healthy: Envoy ignores no answer";
    let table = [
        (r#"{"active":{},"passive":{}}"#, vec![]),
        (
            r#"{"active":{"unhealthy":{"http_failures":3,"tcp_failures":3,"timeouts":4}}}"#,
            vec![("active.unhealthy.timeouts", other)],
        ),
        (
            r#"{"active":{"type":"tcp","unhealthy":{"tcp_failures":3,"timeouts":4,"http_failures":9}}}"#,
            vec![("active.unhealthy.timeouts", timeouts)],
        ),
        (
            r#"{"active":{"concurrency":5,"healthy":{"http_statuses":[200]}}}"#,
            vec![
                (
                    "active.concurrency",
                    "has no effect: Envoy asks each node by its own clock",
                ),
                ("active.healthy.http_statuses", listed),
            ],
        ),
        (
            r#"{"active":{"type":"https","https_verify_certificate":true}}"#,
            vec![(
                "active.https_verify_certificate",
                "has no effect: `tls.verify` of the upstream is not true",
            )],
        ),
        (
            r#"{"passive":{"healthy":{"successes":3},"unhealthy":{"timeouts":7}}}"#,
            vec![
                (
                    "passive.healthy",
                    "has no effect: a node that is taken out gets no requests that could succeed, and is back after a time",
                ),
                ("passive.unhealthy.timeouts", timeouts),
            ],
        ),
    ];
    for (checks, said) in table {
        let expected: Vec<String> = said
            .iter()
            .map(|(field, said)| format!("/chancery/upstreams/u: checks.{field}: {said}"))
            .collect();
        let text = format!(r#"{{"nodes":{{}},"checks":{checks}}}"#);
        assert_eq!(warnings_of("upstreams/u", &text), expected, "of {text}");
    }
}

#[test]
fn the_field_is_named_from_the_top_of_the_document() {
    assert_eq!(
        warnings_of(
            "routes/r",
            r#"{"uri":"/a","upstream":{"nodes":{},"scheme":"https"}}"#
        ),
        ["/chancery/routes/r: upstream.scheme: the certificates of the nodes are not verified"]
    );
    assert_eq!(
        warnings_of(
            "routes/r",
            r#"{"uri":"/a","plugins":{"redirect":{"uri":"https://$host/b"}}}"#
        ),
        [
            "/chancery/routes/r: plugins.redirect.uri: `$host` holds the port as well where the client names one"
        ]
    );
    assert_eq!(
        warnings_of(
            "routes/r",
            r#"{"uri":"/a","upstream":{"nodes":{}},"plugins":{"proxy-rewrite":{"headers":{"set":{"X-Host":"$host"}}}}}"#
        ),
        [
            "/chancery/routes/r: plugins.proxy-rewrite.headers.set.X-Host: `$host` holds the port as well where the client names one"
        ]
    );
}

#[test]
fn a_warning_is_said_once() {
    let mut documents = no_documents();
    let https = r#"{"nodes":{},"scheme":"https"}"#;
    documents.apply(put("upstreams/u", https));
    assert_eq!(documents.settle().warnings.len(), 1);
    documents.apply(put("upstreams/u", &format!("{https} ")));
    assert_eq!(documents.settle().warnings.len(), 0);
    documents.apply(put("upstreams/u", r#"{"nodes":{}}"#));
    documents.settle();
    documents.apply(put("upstreams/u", https));
    assert_eq!(documents.settle().warnings.len(), 1);
}
