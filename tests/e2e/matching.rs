//! Matching through the real Envoy: whatever the routes and the request are, the one wins that the reference says.

mod draw;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chancery::cohort::{Ability, Envoy as Version};
use chancery::documents::{Documents, Route};
use chancery::explain::winner;
use chancery::model::Document;
use chancery::model::Request;
use chancery::model::document::{Change, Format};
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::chancery::Chancery;
use crate::support::envoy::{Envoy, Protocol};
use crate::support::etcd::Etcd;
use crate::support::stage::{gateway, settled};
use crate::support::{eventually, own_address};
use draw::Draw;

/// How many documents there are at most at the same time.
const ROUTES: usize = 14;
/// How many requests are sent after each change.
const REQUESTS: usize = 160;

/// `CHANCERY_MATCHING_SECONDS` makes it longer, `CHANCERY_MATCHING_SEED` plays one again.
#[tokio::test]
async fn envoy_takes_the_route_that_the_reference_says() {
    let stage = Stage::set().await;
    takes_what_the_reference_says(&stage, Version::NEWEST, 12).await;
}

/// Those that it does not serve are not there for the reference either.
#[tokio::test]
async fn an_older_envoy_takes_the_route_that_the_reference_says_of_those_that_it_serves() {
    for version in [
        Version::V1_36,
        Version::V1_37,
        Version::V1_38,
        Version::V1_39,
    ] {
        let stage = Stage::of(version).await;
        takes_what_the_reference_says(&stage, version, 6).await;
    }
}

/// Whatever the tables are, and which of them a request goes by.
#[tokio::test]
async fn envoy_takes_that_route_where_tables_are_divided() {
    let stage = Stage::set().await;
    stage.divide().await;
    takes_what_the_reference_says(&stage, Version::NEWEST, 12).await;
}

/// Envoy finds the cell of the path that its routes are asked with: percent-encoded, or with slashes that it merges.
#[tokio::test]
async fn a_cell_is_that_of_the_normalised_path() {
    let stage = Stage::set().await;
    stage.divide().await;
    let ids = || (0..24).map(|n| format!("s{n}"));
    for id in ids() {
        let mocking = json!({ "response_headers": { "x-route": id } });
        let document = json!({ "uri": format!("/api/{id}"), "plugins": { "mocking": mocking } });
        stage.etcd.put(&format!("routes/{id}"), &document).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    for id in ids() {
        for path in [
            format!("/api/{id}"),
            format!("//api///{id}"),
            format!("/%61pi/{id}"),
            format!("/api/%73{}", &id[1..]),
            format!("/api/{id}?a=/b/c"),
        ] {
            let (_, client) = &stage.clients[0];
            let asked = client.get(format!("http://{}{path}", stage.listener));
            let answer = asked.send().await.unwrap();
            let taken = answer.headers().get("x-route");
            assert_eq!(taken.unwrap().to_str().unwrap(), id, "{path}");
        }
    }
}

async fn takes_what_the_reference_says(stage: &Stage, version: Version, seconds: u64) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let time = Duration::from_secs(number("CHANCERY_MATCHING_SECONDS").unwrap_or(seconds));
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let seed = number("CHANCERY_MATCHING_SEED").unwrap_or(now.as_nanos() as u64);
    let mut draw = Draw::new(seed);
    let (mut documents, began, mut rounds) = (BTreeMap::new(), Instant::now(), 0);
    while rounds < 3 || began.elapsed() < time {
        stage.change(&mut documents, &mut draw).await;
        let routes: Vec<_> = documents
            .values()
            .filter_map(|(_, route)| route.clone())
            .filter(|route| route.lacking(version).is_empty())
            .collect();
        let requests: Vec<_> = (0..REQUESTS)
            .map(|_| draw.request(stage.listener.port(), &stage.addresses()))
            .collect();
        let asked = requests.iter().map(|request| stage.ask(request));
        for (request, taken) in requests.iter().zip(join_all(asked).await) {
            let expected = winner(&routes, request).map(|id| id.to_string());
            if repeats_a_header(request) && !version.can(Ability::RepeatedHeaders) {
                is_no_wider_match(&routes, request, taken.as_deref());
                continue;
            }
            let texts: Vec<_> = documents
                .iter()
                .map(|(id, (text, _))| format!("{id}: {text}"))
                .collect();
            assert_eq!(
                taken,
                expected,
                "{}, CHANCERY_MATCHING_SEED={seed}, change {rounds}, {request:?} among\n{}",
                version.as_str(),
                texts.join("\n")
            );
        }
        rounds += 1;
    }
    println!(
        "seed {seed}: {rounds} changes, {} requests",
        rounds * REQUESTS
    );
}

fn repeats_a_header(request: &Request) -> bool {
    let mut names = BTreeSet::new();
    let mut all = request.headers.iter();
    all.any(|(name, _)| !names.insert(name))
}

/// Whoever was taken for such a request would also be without the others.
fn is_no_wider_match(routes: &[Arc<Route>], request: &Request, taken: Option<&str>) {
    let Some(taken) = taken else { return };
    let route = routes.iter().filter(|route| route.id.as_str() == taken);
    let alone: Vec<_> = route.cloned().collect();
    assert!(
        winner(&alone, request).is_some(),
        "{taken} is not for {request:?}"
    );
}

/// More hosts, wildcards and paths than stand beside each other without a question; of the oldest release and the newest.
#[tokio::test]
async fn many_hosts_and_paths_are_told_apart() {
    for release in [Version::V1_36, Version::NEWEST] {
        let stage = Stage::of(release).await;
        let long = format!("{}.{}.test", "sk".repeat(25), "a".repeat(60));
        let mut hosts = vec![long.clone(), format!("*.{long}"), "*.test".to_owned()];
        // As large as a pattern may be.
        hosts.extend([
            "sk".repeat(5),
            format!("{}.{}", "a".repeat(40), "b".repeat(39)),
        ]);
        hosts.push(format!("*.{}.{}", "c".repeat(40), "d".repeat(38)));
        hosts.push(format!("*.{}", "ks".repeat(5)));
        hosts.extend((0..24).map(|n| format!("h{n}.example.test")));
        hosts.extend((0..24).map(|n| format!("*.w{n}.example.test")));
        hosts.extend((1..6).map(|n| format!("*.{}w7.example.test", "b.".repeat(n))));
        let mut documents: Vec<Value> = hosts
            .iter()
            .enumerate()
            .map(|(at, host)| json!({ "host": host, "uris": [format!("/{}", at % 3), format!("/{}/*", at % 5)] }))
            .collect();
        documents.extend((0..60).map(|at| json!({ "uri": format!("/{}/{at}*", at % 7) })));
        documents.push(json!({ "uri": "/*", "vars": [["http_x_a", "==", "1"]] }));
        documents.push(json!({ "host": "h1.example.test", "uri": "/1/*", "vars": [["http_x_a", "==", "1"]], "priority": 1 }));
        documents.push(
            json!({ "host": "*.w1.example.test", "uri": "/3/5*", "vars": [["arg_a", "==", "1"]] }),
        );
        documents.push(json!({ "uri": "/2/*", "remote_addrs": ["127.0.0.2", "10.0.0.0/8"] }));
        let mut routes = Vec::new();
        for (at, document) in documents.iter_mut().enumerate() {
            let id = format!("r{at}");
            document["plugins"] = json!({ "mocking": { "response_headers": { "x-route": id } } });
            stage.etcd.put(&format!("routes/{id}"), document).await;
            routes.extend(read(&id, document).unwrap());
        }
        settled(&stage.etcd, &stage.chancery).await;
        let asked = hosts.iter().flat_map(|host| {
            let name = host.replace('*', "any");
            let capitals = name.to_uppercase();
            [
                format!("{capitals}:99"),
                capitals,
                format!("x.{name}"),
                format!("{name}x"),
                name,
            ]
        });
        for authority in asked {
            let requests: Vec<_> = ["/0", "/1/5", "/2", "/3/57", "/4/4/4", "/2/2"]
                .iter()
                .flat_map(|path| {
                    let (authority, address) = (authority.clone(), stage.addresses());
                    [0, 1].map(move |at| Request {
                        method: "GET".to_owned(),
                        scheme: "http".to_owned(),
                        authority: authority.clone(),
                        path: (*path).to_owned(),
                        query: if at == 0 {
                            String::new()
                        } else {
                            "a=1".to_owned()
                        },
                        headers: (0..at)
                            .map(|_| ("x-a".to_owned(), "1".to_owned()))
                            .collect(),
                        address: address[at],
                        port: 9080,
                    })
                })
                .collect();
            let taken = join_all(requests.iter().map(|request| stage.ask(request))).await;
            for (request, taken) in requests.iter().zip(taken) {
                let expected = winner(&routes, request).map(|id| id.to_string());
                assert_eq!(taken, expected, "{}: {request:?}", release.as_str());
            }
        }
    }
}

/// A pattern that takes capitals takes two letters outside ASCII as well: no host has them.
#[tokio::test]
async fn a_host_has_no_letters_outside_ascii() {
    for release in [Version::V1_36, Version::NEWEST] {
        let stage = Stage::of(release).await;
        let document = json!({ "host": "ks.test", "uri": "/*", "plugins": { "mocking": {} } });
        stage.etcd.put("routes/ks", &document).await;
        settled(&stage.etcd, &stage.chancery).await;
        let (_, client) = &stage.clients[0];
        for (host, expected) in [
            ("KS.test", 200),
            ("\u{212a}s.test", 400),
            ("k\u{17f}.test", 400),
        ] {
            let host = reqwest::header::HeaderValue::from_bytes(host.as_bytes()).unwrap();
            let asked = client.get(format!("http://{}/", stage.listener));
            let answer = asked.header("host", &host).send().await.unwrap();
            assert_eq!(answer.status(), expected, "{host:?}");
        }
    }
}

#[tokio::test]
async fn a_request_is_explained() {
    let stage = Stage::set().await;
    for (id, document) in [
        (
            "cart",
            json!({ "uri": "/cart", "upstream": { "nodes": { "127.0.0.1:8081": 1 } } }),
        ),
        (
            "beta",
            json!({ "uri": "/cart*", "host": "a.test", "vars": [["arg_v", "==", "3"]], "plugins": { "mocking": {} } }),
        ),
        (
            "office",
            json!({ "uri": "/cart", "remote_addr": "10.0.0.0/8", "plugins": { "mocking": {} } }),
        ),
        ("rest", json!({ "uri": "/*", "plugins": { "mocking": {} } })),
        (
            "off",
            json!({ "uri": "/cart", "status": 0, "plugins": { "mocking": {} } }),
        ),
    ] {
        stage.etcd.put(&format!("routes/{id}"), &document).await;
    }
    settled(&stage.etcd, &stage.chancery).await;
    let url = "http://a.test/cart?v=2";
    let explained = stage.chancery.ask(&["explain", "GET", url]).await;
    let said = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.status.success(), "{said}");
    assert_eq!(
        said,
        "routes/cart\n  to route/cart: 127.0.0.1:8081\n\n\
         ROUTE          HOST    PATH    PRIORITY  WHAT BECAME OF IT\n\
         routes/beta    a.test  /cart*  0         arg_v == \"3\" (found: \"2\")\n\
         routes/cart    *       /cart   0         wins\n\
         routes/office  *       /cart   0         is for other clients\n\
         routes/rest    *       /*      0         fits, but another comes first\n\n\
         0 more with another host, 0 with another path\n\
         not in force: routes/off: off\n"
    );
    let json = "v1/explain?url=/cart&header=Host:%20b.test&header=X-A:%201&from=10.0.0.7";
    let answer = stage.chancery.admin(json).await.unwrap();
    let explained: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(explained["route"], "routes/cart", "{explained}");
    assert_eq!(
        explained["candidates"][1]["verdict"], "later",
        "{explained}"
    );
    assert_eq!(explained["otherHost"], 1, "{explained}");
    let none = stage
        .chancery
        .ask(&["explain", "GET", "/", "--gateway", "none"])
        .await;
    assert_eq!(none.status.code(), Some(1));
}

#[tokio::test]
async fn no_client_says_where_it_comes_from() {
    let stage = Stage::set().await;
    let office = json!({ "uri": "/*", "remote_addr": "10.0.0.0/8", "plugins": { "mocking": {} } });
    stage.etcd.put("routes/office", &office).await;
    let claims = [
        ("x-envoy-external-address", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
    ];
    for (real_ip, status) in [
        (Value::Null, 404),
        (json!({ "trusted_hops": 1 }), 200),
        // Envoy does not show routes what it detects like this: the client is the proxy.
        (json!({ "trusted_addresses": ["127.0.0.0/8"] }), 404),
        (
            json!({ "trusted_addresses": ["127.0.0.0/8"], "header": "X-Real-IP" }),
            404,
        ),
    ] {
        let mut gateway = gateway(stage.listener);
        if !real_ip.is_null() {
            gateway["real_ip"] = real_ip.clone();
        }
        stage.etcd.put("gateways/default", &gateway).await;
        settled(&stage.etcd, &stage.chancery).await;
        // Connections that are open keep what they know of clients.
        let client = Client::builder().no_proxy().build().unwrap();
        eventually(async || {
            let mut asked = client.get(format!("http://{}/", stage.listener));
            for (name, value) in claims {
                asked = asked.header(name, value);
            }
            let answered = asked.send().await?.status();
            anyhow::ensure!(answered == status, "{real_ip}: {answered}");
            Ok(())
        })
        .await;
    }
}

/// An etcd, a Chancery and an Envoy, and clients with addresses of their own.
struct Stage {
    // In the order in which they are ended.
    _envoy: Envoy,
    chancery: Chancery,
    etcd: Etcd,
    listener: SocketAddr,
    clients: Vec<(IpAddr, Client)>,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        Self::raise(None).await
    }

    /// With an Envoy of a release.
    async fn of(version: Version) -> Self {
        let older = (version != Version::NEWEST).then(|| version.as_str());
        Self::raise(older).await
    }

    async fn raise(release: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let etcd = Etcd::start(address, folder.path()).await;
        let listener = SocketAddr::from((address, 9080));
        etcd.put("gateways/default", &gateway(listener)).await;
        let mut chancery = Chancery::serve_etcd(address, &etcd.url(), folder.path());
        chancery.ready().await;
        let xds = chancery.xds();
        let path = folder.path();
        let envoy = match release {
            None => Envoy::start("default", Protocol::Delta, xds, listener, path).await,
            Some(release) => Envoy::start_release(release, xds, listener, path).await,
        };
        envoy.answers_with("/", 404).await;
        let client = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            let client = Client::builder().no_proxy().local_address(address);
            (address, client.build().unwrap())
        };
        Self {
            _envoy: envoy,
            chancery,
            etcd,
            listener,
            clients: ["127.0.0.1", "127.0.0.2", "127.8.0.1"].map(client).into(),
            _folder: folder,
        }
    }

    /// Divides the gateway's tables, and sees to it that there are enough routes for several.
    async fn divide(&self) {
        let mut divided = gateway(self.listener);
        divided["http"] = json!({ "route_tables": { "mode": "divided" } });
        self.etcd.put("gateways/default", &divided).await;
        for n in 0..150 {
            let own = json!({ "host": format!("f{n}.example"), "uri": "/f/*", "plugins": { "mocking": {} } });
            self.etcd.put(&format!("routes/own{n}"), &own).await;
            let other = json!({ "uri": format!("/other{n}/*"), "plugins": { "mocking": {} } });
            self.etcd.put(&format!("routes/other{n}"), &other).await;
        }
        settled(&self.etcd, &self.chancery).await;
        let scopes = self
            .chancery
            .admin("v1/snapshots/default?type=scopes")
            .await
            .unwrap();
        assert!(scopes.body.contains("held/default/"), "{}", scopes.body);
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.clients.iter().map(|(address, _)| *address).collect()
    }

    /// Writes and deletes some documents, and waits until the proxy has the last one. Those that are off, or that Envoy has no
    /// form for, are among them.
    async fn change(
        &self,
        documents: &mut BTreeMap<String, (Value, Option<Arc<Route>>)>,
        draw: &mut Draw,
    ) {
        for _ in 0..draw.below(ROUTES) + 1 {
            let id = format!("r{}", draw.below(ROUTES));
            if draw.one_in(5) {
                self.etcd.delete(&format!("routes/{id}")).await;
                documents.remove(&id);
                continue;
            }
            let mut document = draw.route();
            document["plugins"]["mocking"]["response_headers"]["x-route"] = json!(id);
            if let Ok(route) = read(&id, &document) {
                self.etcd.put(&format!("routes/{id}"), &document).await;
                documents.insert(id, (document, route));
            }
        }
        settled(&self.etcd, &self.chancery).await;
    }

    /// The route that answers.
    async fn ask(&self, request: &Request) -> Option<String> {
        let client = self
            .clients
            .iter()
            .find(|(address, _)| *address == request.address);
        let query = match request.query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let url = format!("http://{}{}{query}", self.listener, request.path);
        let method = request.method.parse().unwrap();
        let mut asked = client.unwrap().1.request(method, url);
        asked = asked.header("host", &request.authority);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        let answer = asked.send().await.unwrap();
        let route = answer.headers().get("x-route");
        assert_eq!(
            answer.status(),
            if route.is_some() { 200 } else { 404 },
            "{request:?}"
        );
        route.map(|id| id.to_str().unwrap().to_owned())
    }
}

/// The route that a document puts in force, if any; refused documents have none.
fn read(id: &str, document: &Value) -> Result<Option<Arc<Route>>, String> {
    let mut documents = Documents::new(Vec::new());
    documents.apply(Change::Put(Document {
        path: format!("routes/{id}").into(),
        source: "drawn".into(),
        format: Format::Json,
        value: document.to_string().into(),
        revision: 1,
    }));
    let mut changes = documents.settle();
    match changes.problems.first() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(changes.routes.pop().and_then(|(_, route)| route)),
    }
}
