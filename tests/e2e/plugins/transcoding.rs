//! Requests over HTTP that become calls of a real gRPC service, by the oldest Envoy that is served and the newest.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::greeter::{Greeter, PROTO};
use crate::support::http;
use crate::support::stage::{Stage, settled};

fn route(uri: &str, node: &str, method: &str, more: Value) -> Value {
    let mut plugin =
        json!({ "proto_id": "hello", "service": "helloworld.Greeter", "method": method });
    let fields = plugin.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    json!({
        "uri": uri,
        "plugins": { "grpc-transcode": plugin },
        "upstream": { "scheme": "grpc", "nodes": { node: 1 } },
    })
}

struct Asked<'a> {
    send: &'a str,
    kind: &'a str,
    data: &'a str,
    status: u16,
    answer: Value,
}

fn of<'a>(send: &'a str, kind: &'a str, data: &'a str, status: u16, answer: Value) -> Asked<'a> {
    Asked {
        send,
        kind,
        data,
        status,
        answer,
    }
}

async fn asked(envoy: &Envoy, one: &Asked<'_>) {
    let (method, path) = one.send.split_once(' ').unwrap();
    let mut request = http::client().request(method.parse().unwrap(), envoy.url(path));
    if !one.kind.is_empty() {
        request = request.header("content-type", one.kind);
    }
    let response = request.body(one.data.to_owned()).send().await.unwrap();
    let said = format!("{} {:?} {:?}", one.send, one.data, response.headers());
    assert_eq!(response.status().as_u16(), one.status, "{said}");
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.text().await.unwrap();
    match &one.answer {
        Value::Null => assert!(one.status == 400 || body.is_empty(), "{said}: {body}"),
        answer => {
            assert_eq!(
                &serde_json::from_str::<Value>(&body).unwrap(),
                answer,
                "{said}: {body}"
            );
            assert_eq!(kind, "application/json", "{said}");
        }
    }
}

fn hello(name: &str, more: Value) -> Value {
    let mut reply = json!({ "message": format!("Hello {name}"), "items": [], "gender": "GENDER_UNKNOWN", "deadline": "" });
    let fields = reply.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    reply
}

const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// What becomes of requests, and of what the service says.
async fn each_is_a_call(envoy: &Envoy) {
    let many = json!({ "items": ["a b", "+"], "gender": "GENDER_MALE" });
    let nested = json!({ "person": { "name": "Ann", "age": 7 } });
    let error = json!({ "error": { "code": 5, "message": "it \"fails\"", "details": [] } });
    let details = json!({ "error": { "code": 9, "message": "it \"fails\"", "details": [
        { "@type": "type.googleapis.com/helloworld.Reason", "why": "as asked" },
    ] } });
    for one in [
        of(
            "GET /hello?name=world",
            "",
            "",
            200,
            hello("world", json!({})),
        ),
        of(
            "GET /hello/a/b:c?name=a+b%2B",
            "",
            "",
            200,
            hello("a b+", json!({})),
        ),
        of(
            "GET /hello/?items=a+b&items=%2B&gender=1&zzz=1",
            "",
            "",
            200,
            hello("", many.clone()),
        ),
        of("GET /users/7?name=u", "", "", 200, hello("u", json!({}))),
        of(
            "DELETE /hello?name=d",
            JSON,
            "{\"name\":\"x\"}",
            200,
            hello("d", json!({})),
        ),
        of(
            "POST /hello",
            JSON,
            r#"{"name":"p","person":{"name":"Ann","age":7},"zzz":[1]}"#,
            200,
            hello("p", nested),
        ),
        of("POST /hello?name=q", JSON, "{}", 200, hello("", json!({}))),
        of(
            "POST /hello",
            FORM,
            "items=a%20b&items=%2b&gender=GENDER_MALE",
            200,
            hello("", many),
        ),
        of(
            "POST /hello?name=q",
            "text/plain",
            "name=%22%5C%0a",
            200,
            hello("\"\\\n", json!({})),
        ),
        of("POST /hello?name=q", "", "", 200, hello("", json!({}))),
        of(
            "PUT /hello?name=q",
            FORM,
            "name=x",
            200,
            hello("q", json!({})),
        ),
        of(
            "PATCH /hello?name=q",
            JSON,
            r#"{"name":"x"}"#,
            200,
            hello("x", json!({})),
        ),
        of("PROPFIND /hello?name=q", "", "", 200, hello("q", json!({}))),
        of("POST /hello", JSON, "{oops", 400, Value::Null),
        of("POST /hello", JSON, r#"{"person":"x"}"#, 400, Value::Null),
        of("GET /hello?gender=x", "", "", 400, Value::Null),
        of(
            "GET /bare?name=a&gender=2",
            "",
            "",
            200,
            json!({ "message": "Hello a", "gender": 2, "deadline": "750m" }),
        ),
        of(
            "GET /plus?a=9007199254740992&b=1",
            "",
            "",
            200,
            json!({ "result": "9007199254740993" }),
        ),
        of("GET /shown?code=5", "", "", 404, error),
        of("GET /shown?code=9&with_details=true", "", "", 400, details),
        of("GET /moved?name=m", "", "", 200, hello("m", json!({}))),
        of(
            "GET /rewritten?name=m",
            "",
            "",
            200,
            hello("m", json!({ "message": "Bye m" })),
        ),
    ] {
        asked(envoy, &one).await;
    }
    for (code, status) in [
        499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ]
    .into_iter()
    .enumerate()
    {
        let send = format!("GET /fail?code={}", code + 1);
        asked(envoy, &of(&send, "", "", status, Value::Null)).await;
    }
}

#[tokio::test]
async fn requests_become_calls_of_a_grpc_service() {
    let mut stage = Stage::set().await;
    let greeter = Greeter::start(stage.address).await;
    let node = greeter.node();
    let admin = Admin::new(&stage.chancery.url());
    let etcd = &stage.etcd;
    etcd.put("protos/hello", &json!({ "content": PROTO })).await;
    let mut moved = route("/moved", &node, "SayHello", json!({}));
    moved["plugins"]["proxy-rewrite"] = json!({ "uri": "/elsewhere" });
    let mut rewritten = route("/rewritten", &node, "SayHello", json!({}));
    rewritten["plugins"]["response-rewrite"] = json!({ "filters": [
        { "regex": "Hello", "replace": "Bye" },
    ] });
    let mut named = route("/users/:name", &node, "SayHello", json!({}));
    named["methods"] = json!(["GET"]);
    for (name, route) in [
        ("hello", route("/hello*", &node, "SayHello", json!({}))),
        ("named", named),
        (
            "bare",
            route(
                "/bare",
                &node,
                "SayHello",
                json!({
                    "deadline": 750, "pb_option": ["enum_as_value", "no_default_values"],
                }),
            ),
        ),
        (
            "plus",
            route(
                "/plus",
                &node,
                "Plus",
                json!({ "pb_option": ["int64_as_string"] }),
            ),
        ),
        ("fail", route("/fail", &node, "Fail", json!({}))),
        (
            "shown",
            route(
                "/shown",
                &node,
                "Fail",
                json!({
                    "show_status_in_body": true, "status_detail_type": "helloworld.Reason",
                }),
            ),
        ),
        ("moved", moved),
        ("rewritten", rewritten),
    ] {
        etcd.put(&format!("routes/{name}"), &route).await;
    }
    settled(etcd, &stage.chancery).await;
    each_is_a_call(&stage.envoy).await;

    // What nobody could call is refused by name, and what is used stays.
    for (more, said) in [
        (
            json!({ "proto_id": "other" }),
            "failed to fetch proto info by proto id [other]",
        ),
        (
            json!({ "service": "Greeter" }),
            "which the document does not have, allowed: helloworld.Greeter",
        ),
        (
            json!({ "method": "Say" }),
            "allowed: SayHello, Plus, Fail, Watch",
        ),
        (json!({ "method": "Watch" }), "is a stream of messages"),
        (
            json!({ "method": "Plus" }),
            "`helloworld.PlusReply.result` is an integer of 64 bits",
        ),
    ] {
        let wrong = route("/wrong", &node, "SayHello", more);
        let refused = admin.put("/routes/wrong", &wrong).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.error().contains(said), "{refused:?}");
    }
    let mut wrong = route("/wrong", &node, "SayHello", json!({}));
    wrong["upstream"]["scheme"] = json!("http");
    let refused = admin.put("/routes/wrong", &wrong).await;
    assert!(
        refused.error().contains("has the scheme \"http\""),
        "{refused:?}"
    );
    let refused = admin.delete("/protos/hello").await;
    assert_eq!(refused.status, 400);
    let said = "can not delete this proto, route [bare] is still using it now";
    assert_eq!(refused.error(), said);

    // A change of the document reaches the routes.
    let renamed = PROTO.replace("string message = 1", "string greeting = 1");
    let put = admin
        .put("/protos/hello?wait=60s", &json!({ "content": renamed }))
        .await;
    assert_eq!(put.status, 200, "{put:?}");
    let answer = stage.envoy.get("/hello?name=a").await;
    assert!(
        answer.body.contains("\"greeting\":\"Hello a\""),
        "{}",
        answer.body
    );
    // One that takes a method away is refused, as routes would be wrong.
    let lacking = PROTO.replace("rpc Fail", "rpc Failed");
    let refused = admin
        .put("/protos/hello", &json!({ "content": lacking }))
        .await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.error().contains("routes/fail"), "{refused:?}");
    let put = admin
        .put("/protos/hello?wait=60s", &json!({ "content": PROTO }))
        .await;
    assert_eq!(put.status, 200, "{put:?}");

    // The oldest does the same.
    let listener = stage.envoy.listener();
    let old = Envoy::start_release("1.36", stage.chancery.xds(), listener, stage.folder()).await;
    stage.envoy = old;
    eventually(async || {
        let answer = stage.envoy.try_get("/hello?name=a").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await;
    settled(&stage.etcd, &stage.chancery).await;
    each_is_a_call(&stage.envoy).await;
}
