//! What is not undone by whoever cannot.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::*;
use crate::drain::audit::Trail;
use crate::model::drain::Of;
use crate::model::{Discovery, ServiceKey};
use crate::store::Ledger;
use crate::store::etcd::Settings;

fn drain(agent: Option<&str>) -> Drain {
    Drain {
        id: "1".into(),
        with: None,
        of: Of::Service(ServiceKey::new(Discovery::Consul, "echo")),
        instance: "n/a".into(),
        address: [10, 0, 0, 1].into(),
        port: 80,
        node: "n".into(),
        agent: agent.map(ToOwned::to_owned),
        mode: Default::default(),
        reason: String::new(),
        by: String::new(),
        from: String::new(),
        created: "2026-01-01T00:00:00Z".into(),
        ttl: 60,
    }
}

#[tokio::test]
async fn a_replica_without_consul_does_not_claim_to_have_told_it() {
    let ledger = Ledger::new(Settings {
        endpoints: Vec::new(),
        prefix: "/chancery".to_owned(),
        user: None,
        ca: None,
        cert: None,
        key: None,
    });
    let (questions, _asked) = mpsc::channel(1);
    let trail = Trail::to_log();
    let drainer = Drainer::new(Arc::new(ledger), None, questions, trail, "here".into());
    let told = drain(Some("http://127.0.0.1:8500"));
    assert!(drainer.tell_registry(&told, false).await.is_err());
    assert!(drainer.tell_registry(&drain(None), false).await.is_ok());
}
