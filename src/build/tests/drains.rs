//! Instances that are taken out.

use super::*;
use crate::model::Node;

#[test]
fn a_drained_instance_is_endpoints_and_nothing_else() {
    let drain = |id: &str| {
        serde_json::json!({
            "id": id, "service": "consul/echo", "instance": "1", "address": "10.0.0.1", "port": 80,
            "node": "", "mode": "leave", "reason": "", "by": "", "from": "", "created": "", "ttl": 60,
        })
    };
    let mut scene = Scene::new();
    scene
        .answer("echo", &[1, 2])
        .put("a", Members::Service(Discovered::all(service("echo"))))
        .answer("other", &[1])
        .put("b", Members::Service(Discovered::all(service("other"))));
    scene.next();
    let touched = scene.drains.list(vec![crate::model::Document {
        path: "drains/x".into(),
        source: "drains/x".into(),
        format: crate::model::document::Format::Json,
        value: drain("x").to_string().into(),
        revision: 1,
    }]);
    assert!(scene.builder.handle_drained(&touched));
    assert_eq!(scene.changes(), "endpoints=~1", "and only of its service");
    // The registry says once more that it is there.
    scene.answer("echo", &[1, 2]);
    assert_eq!(scene.changes(), "nothing");
    let touched = scene.drains.list(Vec::new());
    assert!(scene.builder.handle_drained(&touched));
    assert_eq!(scene.changes(), "endpoints=~1");
}

#[test]
fn a_drained_node_leaves_what_lists_it_and_nothing_else() {
    let drain = serde_json::json!({
        "id": "x", "service": "nodes", "instance": "10.0.0.1:80", "address": "10.0.0.1", "port": 80,
        "node": "", "mode": "leave", "reason": "", "by": "", "from": "", "created": "", "ttl": 60,
    });
    let nodes = |hosts: &[&str]| {
        let nodes = hosts.iter().map(|host| Node::new((*host).into(), 80, 1));
        Members::Nodes(nodes.collect())
    };
    let mut scene = Scene::new();
    scene
        .put("a", nodes(&["10.0.0.1", "10.0.0.2"]))
        .put("named", nodes(&["10.0.0.1", "shop.internal"]))
        .put("b", nodes(&["10.0.0.2"]));
    scene.next();
    let touched = scene.drains.list(vec![crate::model::Document {
        path: "drains/x".into(),
        source: "drains/x".into(),
        format: crate::model::document::Format::Json,
        value: drain.to_string().into(),
        revision: 1,
    }]);
    assert!(scene.builder.handle_drained(&touched));
    assert_eq!(scene.changes(), "clusters=~1 endpoints=~1");
    let touched = scene.drains.list(Vec::new());
    assert!(scene.builder.handle_drained(&touched));
    assert_eq!(scene.changes(), "clusters=~1 endpoints=~1");
}
