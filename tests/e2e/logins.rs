//! Documents of `openid-connect` that have people log in: the provider is a real OpenBao, and the scene plays the browser.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::envoy::Envoy;
use crate::support::eventually;
use crate::support::http::Answer;
use crate::support::instance::Instance;
use crate::support::issuer::Issuer;
use crate::support::openbao::OpenBao;
use crate::support::stage::{Stage, gateway, route_to};

/// What all documents of the scenes keep sessions with.
const SESSION: &str = "pl4nted-for-sessions";
/// What somebody sends who would be another.
const FORGED: [(&str, &str); 7] = [
    ("authorization", "Bearer forged"),
    ("x-access-token", "forged"),
    ("x-id-token", "forged"),
    ("x-refresh-token", "forged"),
    ("x-userinfo", "forged"),
    ("x-chancery-token-verified", "forged"),
    ("x-envoy-oauth-status", "forged"),
];

/// Keeps cookies, and follows nothing by itself.
struct Browser<'a> {
    envoy: &'a Envoy,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(envoy: &'a Envoy) -> Self {
        Self {
            envoy,
            cookies: BTreeMap::from([("mine".to_owned(), "1".to_owned())]),
        }
    }

    async fn ask(&mut self, path: &str) -> Answer {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies.map(|(name, of)| format!("{name}={of}")).collect();
        let cookies = cookies.join("; ");
        let headers: Vec<_> = FORGED.into_iter().chain([("cookie", &*cookies)]).collect();
        let answer = self.envoy.send(Method::GET, path, &headers).await.unwrap();
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let (value, rest) = rest.split_once(';').unwrap();
            if value == "deleted" {
                self.cookies.remove(name);
            } else {
                for attribute in ["secure", "HttpOnly", "SameSite=Lax"] {
                    assert!(rest.contains(attribute), "{cookie:?}");
                }
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Asks until somebody is sent to the provider: the address.
    async fn is_sent(&mut self, path: &str) -> Url {
        let envoy = self.envoy;
        eventually(async || {
            let answer = envoy.try_get(path).await?;
            ensure!(answer.status == 302, "{path}: {answer:?}");
            Ok(())
        })
        .await;
        let answer = self.ask(path).await;
        assert_eq!(answer.status, 302, "{path}: {answer:?}");
        let location = answer.headers["location"].to_str().unwrap();
        Url::parse(location).unwrap()
    }

    /// Logs in for a path, and is back there.
    async fn logs_in(&mut self, bao: &OpenBao, path: &str) -> Value {
        let sent = self.is_sent(path).await;
        let query = bao.authorize(sent.query().unwrap()).await;
        let callback = Url::parse(&parameters(&sent)["redirect_uri"]).unwrap();
        let answer = self.ask(&format!("{}?{query}", callback.path())).await;
        assert_eq!(answer.status, 302, "{path}: {answer:?}");
        assert_eq!(answer.headers["location"], self.envoy.url(path));
        self.passes(path).await
    }

    /// What the instance sees of somebody who has logged in.
    async fn passes(&mut self, path: &str) -> Value {
        let answer = self.ask(path).await;
        let mut seen = answer.seen().unwrap();
        let headers = seen["headers"].take();
        assert_eq!(headers["cookie"], "mine=1", "{headers}");
        let left = |name: &&String| name.starts_with("x-chancery") || name.contains("oauth");
        let left: Vec<_> = headers.as_object().unwrap().keys().filter(left).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!headers.to_string().contains("forged"), "{headers}");
        headers
    }
}

fn parameters(url: &Url) -> BTreeMap<String, String> {
    let pairs = url.query_pairs();
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// What a header says in base64.
fn claims(header: &Value) -> Value {
    let bytes = STANDARD.decode(header.as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A client of the provider, and what a document says of it.
struct Client {
    id: String,
    secret: String,
    discovery: String,
}

impl Client {
    /// One with tokens that are good for a time, for whoever comes back to these paths.
    async fn new(bao: &OpenBao, envoy: &Envoy, name: &str, ttl: &str, paths: &[&str]) -> Self {
        let redirects: Vec<_> = paths.iter().map(|path| envoy.url(path)).collect();
        let (id, secret) = bao.client(name, ttl, &redirects).await;
        let discovery = format!(
            "{}/v1/identity/oidc/provider/default/.well-known/openid-configuration",
            bao.url()
        );
        Self {
            id,
            secret,
            discovery,
        }
    }

    /// A route where people log in, with these fields beside.
    fn route(&self, uri: &str, shop: &Instance, fields: &Value) -> Value {
        let mut plugin = json!({
            "client_id": self.id, "client_secret": self.secret, "discovery": self.discovery, "session": { "secret": SESSION },
        });
        let own = plugin.as_object_mut().unwrap();
        own.extend(fields.as_object().unwrap().clone());
        let mut route = route_to(uri, &[shop]);
        route["plugins"] = json!({ "openid-connect": plugin });
        route
    }
}

async fn put(stage: &Stage, id: &str, route: &Value) {
    let admin = Admin::new(&stage.chancery.url());
    let put = admin.put(&format!("/routes/{id}?wait=60s"), route).await;
    assert_eq!(put.status, 201, "{put:?}");
}

#[tokio::test]
async fn people_log_in_at_a_provider_and_upstreams_are_told_who_they_are() {
    let stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    let (envoy, shop) = (&stage.envoy, stage.instance("shop").await);
    let back = "/shop/a/.apisix/redirect";
    let client = Client::new(&bao, envoy, "shop", "1h", &[back]).await;
    let fields = json!({ "logout_path": "/shop/out", "authorization_params": { "prompt": "a b" } });
    put(&stage, "shop", &client.route("/shop/*", &shop, &fields)).await;

    // To the provider, with what it has to know.
    let mut browser = Browser::new(envoy);
    let sent = browser.is_sent("/shop/a?b=c").await;
    let told = parameters(&sent);
    assert!(
        sent.path().ends_with("/oidc/provider/default/authorize"),
        "{sent}"
    );
    for (name, value) in [
        ("client_id", &*client.id),
        ("redirect_uri", &envoy.url(back)),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge_method", "S256"),
        ("prompt", "a b"),
    ] {
        assert_eq!(told[name], value, "{sent}");
    }

    // Back with another state, in another browser, or with a code of nobody's: none has logged in.
    let query = bao.authorize(sent.query().unwrap()).await;
    let (code, state) = query.split_once("&state=").unwrap();
    for (own, query) in [
        (true, format!("{code}&state=e30")),
        (true, format!("{code}&state={}", &state[..state.len() - 4])),
        (true, format!("state={state}")),
        (false, query.clone()),
    ] {
        let mut other = Browser::new(envoy);
        if own {
            other.cookies = browser.cookies.clone();
        }
        let answer = other.ask(&format!("{back}?{query}")).await;
        assert_eq!(answer.status, 401, "{query}: {answer:?}");
        assert_eq!(other.ask("/shop/a").await.status, 302);
    }

    let headers = browser.logs_in(&bao, "/shop/a?b=c").await;
    assert!(headers["x-access-token"].as_str().unwrap().len() > 20);
    for name in ["x-userinfo", "x-id-token"] {
        let said = claims(&headers[name]);
        assert_eq!(said["aud"], *client.id, "{name}: {said}");
    }
    for name in ["authorization", "x-refresh-token"] {
        assert!(headers[name].is_null(), "{headers}");
    }
    // The same for what else is there, for who has the cookies as they are.
    browser.passes("/shop/else").await;
    let session = |name: &&String| {
        let kinds = ["access", "expires", "hmac", "id"];
        kinds
            .iter()
            .any(|of| name.starts_with(&format!("chancery_{of}_")))
    };
    assert_eq!(browser.cookies.keys().filter(session).count(), 4);
    for name in browser.cookies.keys().filter(session) {
        let mut other = Browser::new(envoy);
        other.cookies = browser.cookies.clone();
        let changed = other.cookies.get_mut(name).unwrap();
        let first = if changed.starts_with('A') { "B" } else { "A" };
        changed.replace_range(..1, first);
        assert_eq!(other.ask("/shop/a").await.status, 302, "{name}");
    }

    // Who logs out has no cookies any more.
    let answer = browser.ask("/shop/out").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(answer.headers["location"], envoy.url("/"));
    assert_eq!(browser.cookies.keys().filter(session).count(), 0);
    assert_eq!(browser.ask("/shop/a").await.status, 302);

    let mut shown = stage.chancery.process.output() + &envoy.dump().await.unwrap();
    for path in ["v1/snapshots/default", "v1/problems?resources=true"] {
        shown += &stage.chancery.admin(path).await.unwrap().body;
    }
    assert!(shown.contains(&client.id) && shown.contains("x-chancery-callback"));
    for secret in [&*client.secret, SESSION] {
        assert!(!shown.contains(secret), "shown: {secret}");
    }
}

#[tokio::test]
async fn a_session_is_of_one_client_and_ends_with_its_token() {
    let stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    let (envoy, shop) = (&stage.envoy, stage.instance("shop").await);
    let one = Client::new(&bao, envoy, "one", "1h", &["/one/back"]).await;
    let other = Client::new(&bao, envoy, "other", "8s", &["/other/back"]).await;
    let fields = json!({
        "redirect_uri": "/one/back", "access_token_in_authorization_header": true, "set_userinfo_header": false,
        "token_endpoint_auth_method": "client_secret_post",
    });
    put(&stage, "one", &one.route("/one/*", &shop, &fields)).await;
    let fields =
        json!({ "redirect_uri": envoy.url("/other/back"), "set_access_token_header": false });
    put(&stage, "other", &other.route("/other/*", &shop, &fields)).await;

    let mut browser = Browser::new(envoy);
    let headers = browser.logs_in(&bao, "/one/a").await;
    let token = headers["authorization"].as_str().unwrap();
    assert!(
        token.starts_with("Bearer ") && token.len() > 30,
        "{headers}"
    );
    assert!(headers["x-access-token"].is_null() && headers["x-userinfo"].is_null());
    assert!(headers["x-id-token"].is_string(), "{headers}");

    // Neither the session nor its cookies by the other's names are any good there.
    let mut thief = Browser::new(envoy);
    let theirs = parameters(&thief.is_sent("/other/a").await);
    assert_eq!(theirs["client_id"], other.id);
    assert_eq!(browser.ask("/other/a").await.status, 302);
    let suffix = |browser: &Browser<'_>, of: &str| {
        let mut names = browser.cookies.keys();
        let name = names.find_map(|name| name.strip_prefix(of)).unwrap();
        name.split('.').next().unwrap().to_owned()
    };
    let (own, theirs) = (
        suffix(&browser, "chancery_hmac_"),
        suffix(&thief, "chancery_nonce_"),
    );
    assert_ne!(own, theirs);
    let stolen = browser.cookies.iter();
    let stolen: Vec<_> = stolen
        .filter(|(name, _)| name.ends_with(&own))
        .map(|(name, value)| (name.replace(&own, &theirs), value.clone()))
        .collect();
    thief.cookies.extend(stolen);
    assert_eq!(thief.ask("/other/a").await.status, 302);

    // Both at once, each with its own.
    let headers = browser.logs_in(&bao, "/other/a").await;
    assert!(headers["x-access-token"].is_null() && headers["authorization"].is_null());
    assert_eq!(claims(&headers["x-userinfo"])["aud"], *other.id);
    browser.passes("/one/a").await;
    // The one whose token is over is sent to the provider, with all cookies.
    let cookies = browser.cookies.clone();
    let cookies: Vec<_> = cookies
        .iter()
        .map(|(name, of)| format!("{name}={of}"))
        .collect();
    let cookies = cookies.join("; ");
    eventually(async || {
        let headers = [("cookie", &*cookies)];
        let answer = envoy.send(Method::GET, "/other/a", &headers).await?;
        ensure!(answer.status == 302, "{answer:?}");
        Ok(())
    })
    .await;
    browser.passes("/one/a").await;

    // Another secret for sessions, and nobody has logged in.
    let mut route = one.route("/one/*", &shop, &json!({ "redirect_uri": "/one/back" }));
    route["plugins"]["openid-connect"]["session"]["secret"] = json!("pl4nted-and-another");
    stage.etcd.put("routes/one", &route).await;
    eventually(async || {
        let headers = [("cookie", &*cookies)];
        let answer = envoy.send(Method::GET, "/one/a", &headers).await?;
        ensure!(answer.status == 302, "{answer:?}");
        Ok(())
    })
    .await;
    browser.logs_in(&bao, "/one/a").await;
}

#[tokio::test]
async fn who_has_not_logged_in_is_refused_passes_as_nobody_or_shows_a_token() {
    let stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    let (envoy, shop) = (&stage.envoy, stage.instance("shop").await);
    let client = Client::new(&bao, envoy, "shop", "1h", &["/pass/back", "/token/back"]).await;
    let shown = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    let issuer = Issuer::start(stage.address, &format!("Basic {shown}")).await;
    for (id, fields) in [
        ("deny", json!({ "unauth_action": "deny" })),
        (
            "pass",
            json!({ "unauth_action": "pass", "redirect_uri": "/pass/back" }),
        ),
        (
            "token",
            json!({
                "redirect_uri": "/token/back", "introspection_endpoint": format!("http://{}/introspect", issuer.address),
                "required_scopes": ["write"],
            }),
        ),
    ] {
        put(
            &stage,
            id,
            &client.route(&format!("/{id}/*"), &shop, &fields),
        )
        .await;
    }
    let mut browser = Browser::new(envoy);
    eventually(async || {
        let answer = envoy.try_get("/token/a").await?;
        ensure!(answer.status == 302, "{answer:?}");
        let answer = envoy.try_get("/deny/a").await?;
        ensure!(answer.status == 401, "{answer:?}");
        let answer = envoy.try_get("/pass/a").await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
    .await;
    assert_eq!(browser.ask("/deny/a").await.status, 401);
    let headers = browser.passes("/pass/a").await;
    for name in [
        "x-access-token",
        "x-userinfo",
        "x-id-token",
        "authorization",
    ] {
        assert!(headers[name].is_null(), "{headers}");
    }
    // Not what comes back from a login, whatever else passes.
    let answer = browser.ask("/pass/back?code=a&state=b").await;
    assert_eq!(answer.status, 401, "{answer:?}");

    // A token that the provider knows is enough, and one that it does not know is told so.
    for (token, status) in [
        ("Bearer good+1/~", 200),
        ("bearer narrow", 403),
        ("Bearer other", 401),
        ("Bearer", 400),
        ("Basic abc", 302),
    ] {
        let headers = [("authorization", token), ("x-id-token", "forged")];
        let answer = envoy.send(Method::GET, "/token/a", &headers).await.unwrap();
        assert_eq!(answer.status, status, "{token}: {answer:?}");
        if status == 200 {
            let seen = answer.seen().unwrap();
            let headers = &seen["headers"];
            assert_eq!(headers["x-access-token"], "good+1/~", "{headers}");
            assert_eq!(claims(&headers["x-userinfo"])["sub"], "ann");
            assert!(headers["x-id-token"].is_null() && headers["authorization"] == token);
            assert!(!headers.to_string().contains("x-chancery"), "{headers}");
        }
    }
    let headers = [("x-access-token", "good+1/~")];
    let answer = envoy.send(Method::GET, "/token/a", &headers).await.unwrap();
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn an_older_envoy_is_not_open_where_people_are_to_log_in() {
    let stage = Stage::set().await;
    let bao = OpenBao::start(stage.address, stage.folder()).await;
    let shop = stage.instance("shop").await;
    let listener = SocketAddr::from((stage.address, 9081));
    stage.etcd.put("gateways/fleet", &gateway(listener)).await;
    let mut open = route_to("/open", &[&shop]);
    open["gateways"] = json!(["default", "fleet"]);
    stage.etcd.put("routes/open", &open).await;
    let (xds, folder) = (stage.chancery.xds(), stage.folder());
    let old = Envoy::start_release_of("fleet", "1.36", xds, listener, folder).await;
    old.answers_by("/open", "shop").await;
    let middle = SocketAddr::from((stage.address, 9082));
    stage.etcd.put("gateways/middle", &gateway(middle)).await;
    let newer = Envoy::start_release_of("middle", "1.38", xds, middle, folder).await;

    let client = Client::new(&bao, &newer, "shop", "1h", &["/shop/a/.apisix/redirect"]).await;
    let mut route = client.route("/shop/*", &shop, &json!({}));
    route["gateways"] = json!(["default", "fleet", "middle"]);
    stage.etcd.put("routes/shop", &route).await;
    Browser::new(&stage.envoy).is_sent("/shop/a").await;
    let mut browser = Browser::new(&newer);
    let headers = browser.logs_in(&bao, "/shop/a").await;
    assert_eq!(claims(&headers["x-userinfo"])["aud"], *client.id);
    eventually(async || {
        let told = stage.chancery.admin("v1/problems").await?.body;
        let told: Value = serde_json::from_str(&told)?;
        let all = told["problems"].as_array().unwrap();
        let own = all.iter().find(|one| one["kind"] == "not_served");
        let own = own.map(ToString::to_string).unwrap_or_default();
        ensure!(
            own.contains("routes/shop")
                && own.contains("needs Envoy 1.38 or newer")
                && own.contains("1.36"),
            "{told}"
        );
        Ok(())
    })
    .await;
    old.answers_by("/open", "shop").await;
    assert_eq!(old.get("/shop/a").await.status, 404);
    assert_eq!(old.get("/shop/a/.apisix/redirect").await.status, 404);
}
