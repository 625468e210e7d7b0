//! Plugins that turn requests away by who sends them, and by what they ask for.

use reqwest::Method;
use serde_json::json;

use crate::support::stage::{Stage, route_to};

#[tokio::test]
async fn who_may_not_send_a_request_is_told_so() {
    let stage = Stage::set().await;
    let blue = stage.instance("blue").await;
    for (id, plugins) in [
        (
            "here",
            json!({ "ip-restriction": { "blacklist": ["127.0.0.0/8"] } }),
        ),
        (
            "elsewhere",
            json!({ "ip-restriction": {
                "whitelist": ["10.0.0.0/8"], "message": "nothing \"here\"", "response_code": 404,
            } }),
        ),
        (
            "welcome",
            json!({ "ip-restriction": { "whitelist": ["127.0.0.0/8"] } }),
        ),
        (
            "agents",
            json!({ "ua-restriction": { "denylist": ["curl", "(?i)spider/\\d"] } }),
        ),
        (
            "pages",
            json!({ "referer-restriction": {
                "whitelist": ["*.example.com"], "message": "elsewhere",
            } }),
        ),
        (
            "uris",
            json!({ "uri-blocker": {
                "block_rules": ["root\\.exe", "Select.+from"], "case_insensitive": true,
                "rejected_code": 400, "rejected_msg": "not that",
            } }),
        ),
        (
            "both",
            json!({
                "ua-restriction": { "denylist": ["curl"], "message": "agent" },
                "referer-restriction": { "blacklist": ["evil.net"], "message": "page", "bypass_missing": true },
            }),
        ),
        ("marker", json!({})),
    ] {
        let mut route = route_to(&format!("/{id}*"), &[&blue]);
        route["plugins"] = plugins;
        stage.etcd.put(&format!("routes/{id}"), &route).await;
    }
    stage.envoy.answers_by("/marker", "blue").await;

    let page = "https://www.example.com/a";
    for (path, header, status, body) in [
        (
            "/here",
            ("x-forwarded-for", "10.0.0.1"),
            403,
            r#"{"message":"Your IP address is not allowed"}"#,
        ),
        (
            "/elsewhere",
            ("x-forwarded-for", "10.0.0.1"),
            404,
            r#"{"message":"nothing \"here\""}"#,
        ),
        ("/welcome", ("a", "b"), 200, ""),
        ("/agents", ("user-agent", "Mozilla/5.0"), 200, ""),
        (
            "/agents",
            ("user-agent", "like curl/8"),
            403,
            r#"{"message":"Not allowed"}"#,
        ),
        (
            "/agents",
            ("user-agent", "a SPIDER/1"),
            403,
            r#"{"message":"Not allowed"}"#,
        ),
        ("/agents", ("a", "b"), 403, r#"{"message":"Not allowed"}"#),
        ("/pages", ("referer", page), 200, ""),
        (
            "/pages",
            ("referer", "https://example.com.evil.net/"),
            403,
            r#"{"message":"elsewhere"}"#,
        ),
        ("/pages", ("a", "b"), 403, r#"{"message":"elsewhere"}"#),
        ("/uris/a?b=c", ("a", "b"), 200, ""),
        (
            "/uris/ROOT.exe",
            ("a", "b"),
            400,
            r#"{"error_msg":"not that"}"#,
        ),
        (
            "/uris?q=select%20a%20FROM%20b",
            ("a", "b"),
            400,
            r#"{"error_msg":"not that"}"#,
        ),
        (
            "/both",
            ("user-agent", "curl"),
            403,
            r#"{"message":"agent"}"#,
        ),
        ("/both", ("user-agent", "other"), 200, ""),
    ] {
        let answer = stage
            .envoy
            .send(Method::GET, path, &[header])
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{path} with {header:?}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.body, body, "{path} with {header:?}");
            assert_eq!(answer.headers["content-type"], "application/json");
        }
    }
    let evil = [("user-agent", "other"), ("referer", "http://evil.net:80/")];
    let answer = stage.envoy.send(Method::GET, "/both", &evil).await.unwrap();
    assert_eq!(
        (answer.status, &*answer.body),
        (403, r#"{"message":"page"}"#)
    );
}
