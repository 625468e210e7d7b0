//! Plugins of one consumer that act on answers, or that Envoy runs before it knows who sends a request: they come, change and go, and
//! hold for nobody else.

use std::sync::Arc;
use std::sync::atomic::AtomicU16;

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Value, json};

use super::{consumer, send, stage_with};
use crate::support::envoy::{Envoy, Protocol};
use crate::support::eventually;
use crate::support::greeter::{Greeter, PROTO};
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::settled;

/// What a consumer has, what it sends beside its key, and what it gets: a status, and what stands in the body or in a header.
struct Case {
    plugins: Value,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    status: u16,
    said: &'static str,
}

fn case(plugins: Value, status: u16, said: &'static str) -> Case {
    Case {
        plugins,
        path: "/key?apikey=anne-key",
        headers: &[],
        status,
        said,
    }
}

/// A key that was made for tests, and the header with a token that it verifies and that does not end.
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAklSKuMbaJHlBR7Etuxc8\nWlMrPWr2pITiGJEj6t2sGsRR5YCKvKdVfrTzndS5vmMWgpSMJZkbaEOtCBTBVR1W\nypmhUv9/XovZKa4xZy8W49g/iBUb9VYejsXUN/RGwavMjphFoV5GGaMKYaKkQsAi\ns7ebI5rxwkf/Qvul+yWU6QYPDEHKBCKHyRI7agyWJh44Z7JXrN8HPZta3zpa/dWh\nVLOaIzkrmDPYHyXG5+QiHzfiWG7GjHj0MDrijv7fUoA3OXlcvdMWuh7T2IsvHVNJ\nsTQSfsnl6Ro63NX4N7NUSbJgIvTSNtBk9FD1rJQ+IXTgKJvuQn8rsbJw7fnlTzWr\nawIDAQAB\n-----END PUBLIC KEY-----\n";
const TOKEN: &[(&str, &str)] = &[(
    "authorization",
    "Bearer eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiAibWUiLCAic3ViIjogImFubiIsICJub3RlIjogIj8_Pj4ifQ.HrV1cd4yNUIDih51AbWAWYdJ3xAkVp1Rrxdz96LNJrXDSpSuNz21e9n154z5wEvO1UHuZK_wsp7yt7CySdOtP1ixzzEo3o1Cqdluparcr8VH4h8I6tX_PngGhR0KWwmmvnQPpPfDoAXv3XorUDeSvJLXVGKVlARESl_7Jn8rz83qZn1gWZ1OTHQhs1DyBixkg6rLoSfmT52TTYE66G13qIAxKik3CGFnJ26AMFur7BFZF953JL39t3Xq2a7ufSaBIi_JpDoLKGj3euBBKSImX_MKfNlUq1V1bNGSrU2G8yP55zvIBRv21KOPhEsmDyAuho92wilJ1judRAztMIWAqw",
)];

/// Of a header's value that is sent.
fn with(headers: &'static [(&'static str, &'static str)], case: Case) -> Case {
    Case { headers, ..case }
}

fn cases(denier: &Instance) -> Vec<Case> {
    let asked = json!({ "uri": format!("http://{}/check", denier.node()) });
    let vars = json!([[["http_x_try", "==", "it"]]]);
    let openid = json!({
        "client_id": "me", "client_secret": "s", "discovery": "http://127.0.0.1:9/.well-known/openid-configuration",
        "bearer_only": true, "public_key": KEY, "claim_validator": { "issuer": { "valid_issuers": ["me"] } },
    });
    let checked = json!({ "header_schema": { "type": "object", "required": ["x-needed"] } });
    vec![
        case(
            json!({ "response-rewrite": { "headers": { "set": { "x-for": "anne" } } } }),
            200,
            "x-for: anne",
        ),
        case(
            json!({ "response-rewrite": { "body": "world", "status_code": 201 } }),
            201,
            "world",
        ),
        case(
            json!({ "response-rewrite": { "vars": [["status", "==", 200]], "headers": { "set": { "x-for": "some" } } } }),
            200,
            "x-for: some",
        ),
        case(
            json!({ "ip-restriction": { "blacklist": ["0.0.0.0/0"] } }),
            403,
            "Your IP address is not allowed",
        ),
        with(
            &[("user-agent", "bad")],
            case(
                json!({ "ua-restriction": { "denylist": ["bad"] } }),
                403,
                "Not allowed",
            ),
        ),
        with(
            &[("referer", "http://bad.test/")],
            case(
                json!({ "referer-restriction": { "blacklist": ["bad.test"] } }),
                403,
                "referer",
            ),
        ),
        with(
            &[("origin", "http://a.test")],
            case(
                json!({ "cors": { "allow_origins": "http://a.test" } }),
                200,
                "access-control-allow-origin: http://a.test",
            ),
        ),
        case(
            json!({ "fault-injection": { "abort": { "http_status": 418, "headers": { "x-tea": "green" } } } }),
            418,
            "x-tea: green",
        ),
        with(
            &[("x-try", "it")],
            case(
                json!({ "fault-injection": { "abort": { "http_status": 419, "vars": vars } } }),
                419,
                "",
            ),
        ),
        case(
            json!({ "redirect": { "uri": "/elsewhere" } }),
            302,
            "location: /elsewhere",
        ),
        case(
            json!({ "mocking": { "response_example": "made up" } }),
            200,
            "made up",
        ),
        case(
            json!({ "uri-blocker": { "block_rules": ["anne-k"], "rejected_msg": "blocked" } }),
            403,
            "blocked",
        ),
        case(json!({ "request-validation": checked }), 400, ""),
        case(
            json!({ "request-id": { "header_name": "x-own-id", "algorithm": "nanoid" } }),
            200,
            "x-own-id: ",
        ),
        case(
            json!({ "request-id": { "header_name": "x-own-id" } }),
            200,
            "x-own-id: ",
        ),
        case(json!({ "forward-auth": asked }), 403, ""),
        case(
            json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [{ "upstream_id": "green" }] }] } }),
            200,
            "\"green\"",
        ),
        case(
            json!({ "openid-connect": openid }),
            401,
            "www-authenticate: Bearer realm",
        ),
        with(
            TOKEN,
            case(json!({ "openid-connect": openid }), 200, "x-userinfo"),
        ),
        case(json!({ "echo": { "body": "echoed" } }), 200, "echoed"),
        case(
            json!({ "degraphql": { "query": "query { persons { name } }" } }),
            200,
            "/key?query=query%20",
        ),
        case(
            json!({ "workflow": { "rules": [{ "actions": [["return", { "code": 403 }]] }] } }),
            403,
            "rejected by workflow",
        ),
        case(
            json!({ "workflow": { "rules": [{ "actions": [["limit-count", { "count": 1, "time_window": 600 }]] }] } }),
            503,
            "",
        ),
        case(
            json!({ "server-info": {}, "proxy-buffering": { "disable_proxy_buffering": true } }),
            200,
            "shop",
        ),
        case(
            json!({ "proxy-mirror": { "host": format!("http://{}", denier.node()) } }),
            200,
            "",
        ),
    ]
}

#[tokio::test]
async fn other_plugins_of_a_consumer_come_and_go() {
    come_and_go_with(None).await;
}

#[tokio::test]
async fn other_plugins_of_a_consumer_come_and_go_with_the_oldest_envoy() {
    come_and_go_with(Some("1.36")).await;
}

async fn come_and_go_with(release: Option<&str>) {
    let routes = [("key", json!({ "key-auth": {} }))];
    let mut stage = stage_with(Protocol::Delta, &routes).await;
    if let Some(release) = release {
        stage.envoy.process.stop().await;
        let (xds, listener) = (stage.chancery.xds(), stage.envoy.listener());
        stage.envoy = Envoy::start_release(release, xds, listener, stage.folder()).await;
    }
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let green = stage.instance("green").await;
    let status = Arc::new(AtomicU16::new(403));
    let denier = Instance::answering("denier", stage.address, status).await;
    let upstream = json!({ "nodes": { green.node(): 1 } });
    etcd.put("upstreams/green", &upstream).await;
    let with = |name: &str, plugins: &Value| {
        let mut all = json!({ "key-auth": { "key": format!("{name}-key") } });
        let fields = all.as_object_mut().unwrap();
        fields.extend(plugins.as_object().unwrap().clone());
        consumer(name, all)
    };
    for name in ["anne", "bert"] {
        etcd.put(&format!("consumers/{name}"), &with(name, &json!({})))
            .await;
        envoy
            .answers_with(&format!("/key?apikey={name}-key"), 200)
            .await;
    }
    let load = Load::on(&envoy.url("/key?apikey=bert-key"), 200);
    for Case {
        plugins,
        path,
        headers,
        status,
        said,
    } in cases(&denier)
    {
        // Older ones ask with another path.
        if release.is_some() && plugins.get("forward-auth").is_some() {
            continue;
        }
        etcd.put("consumers/anne", &with("anne", &plugins)).await;
        settled(etcd, &stage.chancery).await;
        eventually(async || {
            let answer = envoy.send(Method::GET, path, headers).await?;
            let lines = answer.headers.iter();
            let lines =
                lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("")));
            let whole = format!("{}\n{}", lines.collect::<Vec<_>>().join("\n"), answer.body);
            ensure!(
                answer.status == status && whole.contains(said),
                "{plugins}: {} {whole}",
                answer.status
            );
            Ok(())
        })
        .await;
        let forged = [headers, &[("x-consumer-username", "anne")]].concat();
        let other = send(envoy, "/key?apikey=bert-key", &forged).await;
        assert_eq!(other.status, 200, "{plugins}");
        assert_eq!(other.instance().unwrap(), "shop", "{plugins}");
        for name in ["x-for", "access-control-allow-origin", "x-own-id", "x-tea"] {
            assert!(other.headers.get(name).is_none(), "{plugins}: {name}");
        }
        let stranger = send(envoy, "/key", headers).await;
        assert_eq!(stranger.status, 401, "{plugins}");
    }
    let mirrored = "cluster.consumer/anne/proxy-mirror/0.upstream_rq_total";
    assert!(envoy.stat(mirrored).await > 0);

    // Without its upstream the consumer keeps what it had.
    let split = json!({ "traffic-split": { "rules": [{ "weighted_upstreams": [{ "upstream_id": "red" }] }] } });
    etcd.put("consumers/anne", &with("anne", &split)).await;
    let line = stage.chancery.logs(0, "document rejected").await;
    assert!(format!("{line:?}").contains("upstreams/red"), "{line:?}");
    envoy.answers_by("/key?apikey=anne-key", "shop").await;
    etcd.put("upstreams/red", &upstream).await;
    envoy.answers_by("/key?apikey=anne-key", "green").await;
    etcd.put("consumers/anne", &with("anne", &json!({}))).await;
    envoy.answers_by("/key?apikey=anne-key", "shop").await;
    load.stop().await.assert_flawless();
}

#[tokio::test]
async fn requests_of_one_consumer_become_calls_of_a_grpc_service() {
    let stage = stage_with(Protocol::Delta, &[]).await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let greeter = Greeter::start(stage.address).await;
    etcd.put("protos/hello", &json!({ "content": PROTO })).await;
    let route = json!({
        "uri": "/hello", "plugins": { "key-auth": {} },
        "upstream": { "scheme": "grpc", "nodes": { greeter.node(): 1 } },
    });
    etcd.put("routes/hello", &route).await;
    let transcode =
        json!({ "proto_id": "hello", "service": "helloworld.Greeter", "method": "SayHello" });
    for (name, plugins) in [
        (
            "anne",
            json!({ "key-auth": { "key": "anne-key" }, "grpc-transcode": transcode }),
        ),
        ("bert", json!({ "key-auth": { "key": "bert-key" } })),
    ] {
        let path = format!("consumers/{name}");
        etcd.put(&path, &consumer(name, plugins)).await;
    }
    settled(etcd, &stage.chancery).await;
    eventually(async || {
        let answer = envoy
            .send(Method::GET, "/hello?name=world&apikey=anne-key", &[])
            .await?;
        let said = answer.body.contains(r#""message":"Hello world""#);
        ensure!(answer.status == 200 && said, "{answer:?}");
        Ok(())
    })
    .await;
    let other = send(envoy, "/hello?name=world&apikey=bert-key", &[]).await;
    assert!(!other.body.contains("Hello"), "{other:?}");
    assert_eq!(send(envoy, "/hello?name=world", &[]).await.status, 401);
    // Without the definition it keeps what it had.
    etcd.delete("protos/hello").await;
    let answer = send(envoy, "/hello?name=world&apikey=anne-key", &[]).await;
    assert!(answer.body.contains("Hello world"), "{answer:?}");
}
