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
    ];
    for (text, said) in table {
        assert_eq!(warnings_of("upstreams/u", text), said, "of {text}");
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
