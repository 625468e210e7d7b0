use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::model::Document;
use crate::model::document::Format;
use crate::snapshot::{Outcome, ResourceType};
use crate::store::Event;

const MOCKED: &str = r#"{"uri":"/mocked","plugins":{"mocking":{"response_status":204}}}"#;

#[tokio::test]
async fn what_proxies_accept_begins_no_burst() {
    let mut control = control();
    control.handle(Input::Store(Event::Listed {
        revision: 1,
        documents: vec![document("routes/mocked", MOCKED)],
    }));
    control.settle();
    control.publish_if_due();
    let due = control.pace.due();
    // Long enough for another publication, had there been anything to publish.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let accepted = Outcome {
        resource_type: ResourceType::RouteConfiguration,
        after: None,
        sequence: 1,
        error: None,
    };
    control.handle(Input::Proxy(("default".into(), accepted)));
    control.settle();
    control.publish_if_due();
    assert!(control.touched.is_empty(), "it was looked at");
    assert_eq!(control.pace.due(), due);
}

fn control() -> Control {
    let (_, events) = mpsc::channel(1);
    let (earlier, _) = mpsc::channel(1);
    let (_, answers) = mpsc::channel(1);
    let (_, wishes) = mpsc::channel(1);
    let (gateways, said) = Gateways::new();
    let inputs = Inputs {
        events,
        earlier,
        answers,
        wanted: HashMap::new(),
        said,
        store: Source::new("etcd"),
        registries: HashMap::new(),
        saved: None,
        questions: mpsc::channel(1).1,
        freshness: Default::default(),
        wishes,
    };
    Control::new(&inputs, Arc::new(gateways), Arc::default())
}

fn document(path: &str, value: &'static str) -> Document {
    Document {
        path: path.into(),
        source: path.into(),
        format: Format::Json,
        value: value.into(),
        revision: 1,
    }
}
