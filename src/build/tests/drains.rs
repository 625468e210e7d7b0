//! Instances that are taken out.

use super::*;

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
    for service in &touched {
        scene.builder.handle_drained(service);
    }
    assert_eq!(scene.changes(), "endpoints=~1", "and only of its service");
    // The registry says once more that it is there.
    scene.answer("echo", &[1, 2]);
    assert_eq!(scene.changes(), "nothing");
    let touched = scene.drains.list(Vec::new());
    for service in &touched {
        scene.builder.handle_drained(service);
    }
    assert_eq!(scene.changes(), "endpoints=~1");
}
