//! What documents mean, once they are good.

use std::time::Duration;

use super::{json, no_documents, put, settled};
use crate::documents::Route;
use crate::model::upstream::{
    Balancer, Hash, HashAlgorithm, HashKey, KeepalivePool, Members, PassHost, Scheme,
};
use crate::model::{Cluster, Discovery, Host, Path};

/// The route that one document alone puts in force.
fn route(text: &str) -> Route {
    let changes = settled(json("routes/r", text));
    assert_eq!(changes.problems, []);
    match changes.routes.as_slice() {
        [(_, Some(route))] => Route::clone(route),
        other => panic!("not one route: {other:?}"),
    }
}

/// The cluster that an upstream becomes inside a route.
fn cluster(upstream: &str) -> Cluster {
    let route = route(&format!(r#"{{"uri":"/a","upstream":{upstream}}}"#));
    Cluster::clone(&route.cluster.unwrap())
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn the_route_of_the_third_setup() {
    let route = route(
        r#"{
            "uri": "/testecho/*",
            "name": "testecho",
            "methods": ["GET","POST","PUT","DELETE","PATCH","HEAD","OPTIONS","CONNECT","TRACE","PURGE"],
            "plugins": {"proxy-rewrite": {"regex_uri": ["^/testecho/(.*)", "/$1"]}},
            "upstream": {
                "timeout": {"connect": 6, "send": 6, "read": 6},
                "type": "roundrobin", "scheme": "http", "discovery_type": "consul", "pass_host": "pass",
                "service_name": "echo",
                "keepalive_pool": {"idle_timeout": 60, "requests": 1000, "size": 320}
            },
            "status": 1
        }"#,
    );
    assert_eq!(route.paths, [Path::Prefix("/testecho/".into())]);
    assert_eq!(route.methods.len(), 10);
    assert_eq!(route.gateways[0].as_str(), "default");
    assert_eq!(route.timeout.read, seconds(6.0));
    let cluster = route.cluster.unwrap();
    assert_eq!(&*cluster.name, "route/r");
    assert_eq!(&*cluster.load_assignment(), "consul/echo");
    assert_eq!(cluster.connect_timeout, seconds(6.0));
    assert_eq!(cluster.upstream.scheme, Scheme::Http);
    assert_eq!(cluster.upstream.pass_host, PassHost::Pass);
    assert_eq!(cluster.upstream.balancer, Balancer::RoundRobin);
    assert_eq!(
        cluster.upstream.keepalive_pool,
        Some(KeepalivePool {
            idle_timeout: seconds(60.0),
            requests: 1000
        })
    );
}

#[test]
fn what_is_not_written_is_as_in_apisix() {
    let route = route(r#"{"uri":"/a","upstream":{"nodes":{}}}"#);
    assert_eq!((route.priority, route.websocket), (0, false));
    assert!(route.methods.is_empty() && route.hosts.is_empty());
    assert_eq!(route.timeout.connect, seconds(60.0));
    assert_eq!(route.timeout.send, seconds(60.0));
    assert_eq!(route.timeout.read, seconds(60.0));
    let upstream = route.cluster.unwrap().upstream.clone();
    assert_eq!(upstream.retries, None);
    assert_eq!(upstream.retry_timeout, None);
    assert_eq!(upstream.keepalive_pool, None);
}

#[test]
fn paths_and_hosts() {
    let route = route(
        r#"{"uris":["/a","/a*","/a/*","*"],"hosts":["WWW.Example.com","*.example.com","127.0.0.1"],"upstream":{"nodes":{}}}"#,
    );
    assert_eq!(
        route.paths,
        [
            Path::Exact("/a".into()),
            Path::Prefix("/a".into()),
            Path::Prefix("/a/".into()),
            Path::Prefix("/".into()),
        ]
    );
    assert_eq!(
        route.hosts,
        [
            Host::Exact("www.example.com".into()),
            Host::Suffix(".example.com".into()),
            Host::Exact("127.0.0.1".into()),
        ]
    );
}

#[test]
fn nodes_in_both_forms() {
    let table = [
        (
            r#"{"nodes":{"10.0.0.1:8080":2,"Echo.local":0}}"#,
            "10.0.0.1:8080*2^0 echo.local:80*0^0",
        ),
        (
            r#"{"nodes":{"[::1]:8080":1,"[::2]":1,"::3":1}}"#,
            "::3:80*1^0 ::1:8080*1^0 ::2:80*1^0",
        ),
        (r#"{"scheme":"https","nodes":{"a":1}}"#, "a:443*1^0"),
        (
            r#"{"nodes":[{"host":"a","port":8080,"weight":1,"priority":-1},{"host":"[::1]","weight":3}]}"#,
            "a:8080*1^-1 ::1:80*3^0",
        ),
        (r#"{"nodes":[]}"#, ""),
        (
            r#"{"nodes":[{"host":"a","port":80,"weight":1},{"host":"b","weight":2147483647},{"host":"A","weight":2}]}"#,
            "a:80*3^0 b:80*2147483647^0",
        ),
    ];
    for (text, expected) in table {
        let upstream = cluster(text).upstream;
        let Members::Nodes(nodes) = &upstream.members else {
            panic!("no nodes: {upstream:?}");
        };
        let shown: Vec<_> = nodes
            .iter()
            .map(|node| {
                let address = format!("{}:{}", node.host, node.port);
                format!("{address}*{}^{}", node.weight, node.priority)
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "of {text}");
    }
}

#[test]
fn services_of_both_registries() {
    for (name, discovery) in [("consul", Discovery::Consul), ("file", Discovery::File)] {
        let text = format!(r#"{{"service_name":"Echo-1","discovery_type":"{name}"}}"#);
        let cluster = cluster(&text);
        let service = cluster.services().next().unwrap();
        assert_eq!((service.discovery, &*service.name), (discovery, "Echo-1"));
    }
}

fn hash(text: &str) -> Hash {
    let cluster = cluster(&format!(r#"{{"nodes":{{}},"type":"chash",{text}}}"#));
    match &cluster.upstream.balancer {
        Balancer::Hash(hash) => hash.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn consistent_hashes() {
    let table = [
        (r#""hash_on":"vars""#, HashKey::RemoteAddress),
        (r#""key":"remote_addr""#, HashKey::RemoteAddress),
        (
            r#""key":"http_X_User_id""#,
            HashKey::Header("x-user-id".into()),
        ),
        (r#""key":"cookie_Sid""#, HashKey::Cookie("Sid".into())),
        (r#""key":"arg_id""#, HashKey::Argument("id".into())),
        (r#""key":"uri""#, HashKey::Path),
        (r#""key":"request_uri""#, HashKey::PathAndQuery),
        (r#""key":"query_string""#, HashKey::Query),
        (r#""key":"host""#, HashKey::Host),
        (
            r#""hash_on":"header","key":"X-User""#,
            HashKey::Header("x-user".into()),
        ),
        (
            r#""hash_on":"cookie","key":"sid""#,
            HashKey::Cookie("sid".into()),
        ),
        (
            r#""hash_on":"consumer""#,
            HashKey::Header("x-consumer-username".into()),
        ),
    ];
    for (text, key) in table {
        assert_eq!(hash(text).keys, [key], "of {text}");
    }
}

#[test]
fn a_hash_of_several_things() {
    let hash = hash(
        r#""hash_on":"vars_combinations","key":"$remote_addr-${arg_a}$http_x_user","hash_algorithm":"maglev""#,
    );
    let keys = [
        HashKey::RemoteAddress,
        HashKey::Argument("a".into()),
        HashKey::Header("x-user".into()),
    ];
    assert_eq!(hash.keys, keys);
    assert_eq!(hash.algorithm, HashAlgorithm::Maglev);
}

#[test]
fn times_are_seconds_with_fractions() {
    let cluster = cluster(
        r#"{"nodes":{},"timeout":{"connect":0.1,"send":1,"read":31536000},"retry_timeout":0.25,"retries":0}"#,
    );
    assert_eq!(cluster.connect_timeout, Duration::from_millis(100));
    assert_eq!(cluster.upstream.timeout.read, seconds(31_536_000.0));
    assert_eq!(cluster.upstream.retry_timeout, Some(seconds(0.25)));
    assert_eq!(cluster.upstream.retries, Some(0));
}

#[test]
fn a_plugin_that_answers_needs_no_upstream() {
    let table = [
        (r#"{"uri":"/a","plugins":{"mocking":{}}}"#, false),
        (
            r#"{"uri":"/a","plugins":{"redirect":{"http_to_https":true}},"upstream":{"nodes":{}}}"#,
            true,
        ),
        (
            r#"{"uri":"/a","plugins":{"redirect":{"uri":"/b"}},"upstream":{"nodes":{}}}"#,
            false,
        ),
        (
            r#"{"uri":"/a","plugins":{"proxy-rewrite":{"uri":"/b"}},"upstream":{"nodes":{}}}"#,
            true,
        ),
    ];
    for (text, clustered) in table {
        let route = route(text);
        assert_eq!(route.cluster.is_some(), clustered, "of {text}");
        assert_eq!(route.plugins.answers(&route.paths), !clustered, "of {text}");
    }
}

#[test]
fn a_route_takes_from_its_service_what_it_does_not_say() {
    let mut documents = no_documents();
    documents.apply(put(
        "services/s",
        r#"{"hosts":["s"],"enable_websocket":true,"upstream":{"nodes":{"s:80":1}},"plugins":{"mocking":{}}}"#,
    ));
    documents.apply(put("routes/bare", r#"{"uri":"/a","service_id":"s"}"#));
    documents.apply(put(
        "routes/full",
        r#"{"uri":"/b","service_id":"s","host":"r","enable_websocket":false,"upstream":{"nodes":{"r:80":1}},
            "plugins":{"mocking":{"_meta":{"disable":true}}}}"#,
    ));
    documents.apply(put(
        "routes/half",
        r#"{"uri":"/c","service_id":"s","plugins":{"mocking":{"_meta":{"disable":true}}}}"#,
    ));
    let changes = documents.settle();
    assert_eq!(changes.problems, []);
    let shown: Vec<_> = changes
        .routes
        .iter()
        .filter_map(|(id, route)| {
            let in_force = route.as_ref()?;
            let cluster = in_force
                .cluster
                .as_ref()
                .map(|cluster| cluster.name.clone());
            Some(format!(
                "{id}: {:?} websocket={} {cluster:?}",
                in_force.hosts, in_force.websocket
            ))
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"bare: [Exact("s")] websocket=true None"#,
            r#"full: [Exact("r")] websocket=false Some("route/full")"#,
            r#"half: [Exact("s")] websocket=true Some("service/s")"#,
        ]
    );
}

#[test]
fn a_cluster_is_shared_unless_the_time_to_connect_differs() {
    let mut documents = no_documents();
    documents.apply(put("upstreams/u", r#"{"nodes":{"u:80":1}}"#));
    for (id, connect) in [("a", 60), ("b", 60), ("c", 1)] {
        let timeout = format!(r#"{{"connect":{connect},"send":5,"read":5}}"#);
        documents.apply(put(
            &format!("routes/{id}"),
            &format!(r#"{{"uri":"/{id}","upstream_id":"u","timeout":{timeout}}}"#),
        ));
    }
    let changes = documents.settle();
    let clusters: Vec<_> = changes
        .routes
        .iter()
        .filter_map(|(_, route)| route.as_ref()?.cluster.clone())
        .collect();
    let names: Vec<_> = clusters.iter().map(|cluster| &*cluster.name).collect();
    assert_eq!(names, ["upstream/u", "upstream/u", "route/c"]);
    assert!(std::sync::Arc::ptr_eq(&clusters[0], &clusters[1]));
    assert_eq!(clusters[2].connect_timeout, seconds(1.0));
}
