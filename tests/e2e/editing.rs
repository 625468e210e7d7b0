//! Documents of every kind that is not about listeners come, change and go while requests are sent: none fails, and Envoy
//! keeps its listeners and the connections to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::certificates::Authority;
use crate::support::envoy::Envoy;
use crate::support::instance::Instance;
use crate::support::load::Load;
use crate::support::stage::{Stage, route_to, weights};

/// How long documents are edited. A round that has begun is ended.
const EDITING: Duration = Duration::from_secs(8);

/// These are about listeners.
const OF_LISTENERS: [&str; 3] = ["gateways", "ssls", "stream_routes"];

#[tokio::test]
async fn editing_anything_under_load_fails_no_request_and_touches_no_listener() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let [blue, green] = [stage.instance("blue").await, stage.instance("green").await];
    etcd.put("upstreams/loaded", &upstreams(&blue, &green)[0])
        .await;
    etcd.put(
        "routes/loaded",
        &json!({ "uri": "/loaded", "upstream_id": "loaded" }),
    )
    .await;
    envoy.answers_by_all("/loaded", &["blue", "green"]).await;
    let before = Listeners::of(envoy).await;
    assert_eq!(before.0[..2], [1, 1], "{before:?}");

    let load = Load::on(&envoy.url("/loaded"), 300);
    let neighbours = neighbours();
    let begin = Instant::now();
    let mut round = 0;
    while round < 1 || begin.elapsed() < EDITING {
        for (path, document) in &neighbours {
            etcd.put(path, document).await;
        }
        for upstream in upstreams(&blue, &green) {
            etcd.put("upstreams/loaded", &upstream).await;
            applied(&stage, &blue, round).await;
        }
        for (path, document) in around(&green) {
            etcd.put(path, &document).await;
        }
        for route in routes(&green) {
            etcd.put("routes/loaded", &route).await;
            applied(&stage, &blue, round).await;
        }
        for (path, _) in around(&green).iter().rev() {
            etcd.delete(path).await;
        }
        for (path, document) in &neighbours {
            let mut changed = document.clone();
            changed["desc"] = json!(format!("round {round}"));
            changed["plugins"] = json!({ "response-rewrite": { "headers": { "x-round": round } } });
            etcd.put(path, &changed).await;
        }
        for (path, _) in &neighbours {
            etcd.delete(path).await;
        }
        applied(&stage, &blue, round).await;
        round += 1;
    }
    load.stop().await.assert_flawless();
    assert_eq!(Listeners::of(envoy).await, before, "after {round} rounds");
    for updates in [
        "cluster_manager.cds",
        "listener_manager.lds",
        "http.default/http.rds.default",
    ] {
        let [taken, rejected] =
            ["update_success", "update_rejected"].map(|of| format!("{updates}.{of}"));
        assert!(envoy.stat(&taken).await > 0, "{updates}");
        assert_eq!(envoy.stat(&rejected).await, 0, "{updates}");
    }
}

/// Waits until Envoy has what was written so far: a route that is written last.
async fn applied(stage: &Stage, node: &Instance, round: u32) {
    static WRITTEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = WRITTEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = format!("/applied/{round}/{number}");
    let route = route_to(&path, &[node]);
    stage.etcd.put("routes/applied", &route).await;
    stage.envoy.answers_by(&path, "blue").await;
}

/// What Envoy counts of its listeners, and of the connections that it ended itself.
#[derive(Debug, PartialEq, Eq)]
struct Listeners([u64; 6]);

impl Listeners {
    async fn of(envoy: &Envoy) -> Self {
        let mut counts = [0; 6];
        for (count, name) in counts.iter_mut().zip([
            "listener_manager.lds.update_success",
            "listener_manager.listener_added",
            "listener_manager.listener_modified",
            "listener_manager.listener_removed",
            "listener_manager.listener_create_success",
            "http.default/http.downstream_cx_destroy_local",
        ]) {
            *count = envoy.stat(name).await;
        }
        Self(counts)
    }
}

/// The documents of the golden cases, which have every field and every plugin; those of the gateway `default`.
fn neighbours() -> Vec<(String, Value)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let kinds = entries(&golden)
        .into_iter()
        .flat_map(|case| entries(&case.join("documents")));
    let own = Authority::new().identity(&["edited.example.com"]);
    let mut documents = Vec::new();
    for kind in kinds {
        let name = stem(&kind);
        // A global rule would be the loaded route's too: `around` has its own.
        if OF_LISTENERS.contains(&&*name) || name == "global_rules" {
            continue;
        }
        // Credentials lie in folders of their consumers.
        for file in entries(&kind).into_iter().filter(|file| file.is_file()) {
            let text = fs::read_to_string(&file).unwrap();
            let text = text.replace("<certificate>", &json!(own.cert).to_string());
            let text = text.replace("<key>", &json!(own.key).to_string());
            let mut document: Value = serde_saphyr::from_str(&text).unwrap();
            if name == "routes" {
                document["gateways"] = json!(["default"]);
            }
            documents.push((format!("{name}/{}", stem(&file)), document));
        }
    }
    assert!(documents.len() > 100, "{}", documents.len());
    documents
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// What the loaded route refers to for a while.
fn around(node: &Instance) -> [(&'static str, Value); 3] {
    let headers = |value: &str| json!({ "response-rewrite": { "headers": { "x-by": value } } });
    [
        (
            "services/loaded",
            json!({
                "enable_websocket": true,
                "plugins": headers("service"),
                "upstream": { "nodes": weights(&[node]) },
            }),
        ),
        (
            "plugin_configs/loaded",
            json!({ "plugins": headers("config") }),
        ),
        (
            "global_rules/loaded",
            json!({ "plugins": { "cors": {}, "request-id": {} } }),
        ),
    ]
}

/// The forms that the loaded route's upstream takes. The last is the first again.
fn upstreams(blue: &Instance, green: &Instance) -> Vec<Value> {
    let with = |more: Value| {
        let mut upstream = json!({ "nodes": weights(&[blue, green]) });
        merge(&mut upstream, more);
        upstream
    };
    let node = |node: &Instance, weight: u32| json!({ "host": node.address.ip(), "port": node.address.port(), "weight": weight, "priority": 1 });
    let check = json!({ "type": "http", "http_path": "/health", "healthy": { "interval": 1 } });
    vec![
        with(json!({})),
        with(json!({ "type": "chash", "hash_on": "header", "key": "user-agent" })),
        with(json!({ "type": "chash", "key": "remote_addr", "hash_algorithm": "maglev" })),
        with(json!({ "type": "least_conn", "slow_start": { "window": 1 } })),
        with(json!({ "type": "ewma", "nodes": [node(blue, 3), node(green, 1)] })),
        with(json!({ "checks": { "active": check, "passive": {} } })),
        with(json!({ "keepalive_pool": { "idle_timeout": 90, "requests": 50 } })),
        with(json!({ "retries": 1, "timeout": { "connect": 61, "send": 62, "read": 63 } })),
        with(json!({ "pass_host": "rewrite", "upstream_host": "loaded.example.com" })),
        with(json!({ "pass_host": "node" })),
        with(json!({})),
    ]
}

/// The forms that the loaded route takes; requests are answered alike with all of them.
fn routes(node: &Instance) -> Vec<Value> {
    let with = |more: Value| {
        let mut route = json!({ "uri": "/loaded", "upstream_id": "loaded" });
        merge(&mut route, more);
        route
    };
    let mut routes = vec![
        with(json!({ "uri": "/load*" })),
        with(json!({ "methods": ["GET"], "priority": 7, "status": 1 })),
        with(json!({ "vars": [["request_method", "==", "GET"], ["arg_none", "!", "==", "x"]] })),
        with(json!({ "remote_addrs": ["127.0.0.0/8"] })),
        with(
            json!({ "timeout": { "connect": 71, "send": 72, "read": 73 }, "enable_websocket": true }),
        ),
        with(json!({ "plugin_config_id": "loaded" })),
        json!({ "uri": "/loaded", "service_id": "loaded" }),
    ];
    let plugins = json!({
        "api-breaker": { "break_response_code": 503 },
        "brotli": {},
        "client-control": { "max_body_size": 1000 },
        "cors": {},
        "csrf": { "key": "never shown" },
        "fault-injection": { "abort": { "http_status": 500, "percentage": 0 } },
        "gzip": {},
        "ip-restriction": { "blacklist": ["192.0.2.0/24"] },
        "limit-count": { "count": 1_000_000, "time_window": 1 },
        "limit-req": { "rate": 100_000, "burst": 100_000, "key": "remote_addr", "nodelay": true },
        "proxy-buffering": { "disable_proxy_buffering": true },
        "proxy-mirror": { "host": format!("http://{}", node.node()), "sample_ratio": 0.1 },
        "proxy-rewrite": { "uri": "/rewritten", "headers": { "set": { "x-a": "b" } } },
        "referer-restriction": { "bypass_missing": true, "whitelist": ["example.com"] },
        "request-id": {},
        "response-rewrite": { "headers": { "x-a": "b" } },
        "traffic-split": { "rules": [{ "weighted_upstreams": [{ "upstream_id": "loaded" }, {}] }] },
        "ua-restriction": { "bypass_missing": true, "denylist": ["nobody"] },
        "uri-blocker": { "block_rules": ["root.exe"] },
    });
    for (name, config) in plugins.as_object().unwrap() {
        routes.push(with(json!({ "plugins": { name: config } })));
    }
    routes.push(with(json!({ "plugins": plugins })));
    routes.push(with(json!({})));
    routes
}

fn merge(into: &mut Value, more: Value) {
    for (field, value) in more.as_object().unwrap() {
        into[field] = value.clone();
    }
}
