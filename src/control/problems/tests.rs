use super::*;
use crate::build::{Held, Instances, Refusal};
use crate::model::document::Format;
use crate::model::{Discovery, Document};

const TO_ECHO: &str = r#"{"uri":"/a","upstream":{"type":"roundrobin","discovery_type":"consul","service_name":"echo"}}"#;
const MOCKED: &str = r#"{"uri":"/m","plugins":{"mocking":{"response_status":204}}}"#;

fn document(path: &str, text: &str, revision: i64) -> Document {
    Document {
        path: path.into(),
        source: path.into(),
        format: Format::Json,
        value: text.as_bytes().to_vec().into(),
        revision,
    }
}

/// What is wrong, as `path kind@revision`, when proxies refuse `refused`.
fn wrong(documents: Vec<Document>, drains: Vec<Document>, refused: &[&str]) -> Vec<String> {
    let mut all = Documents::new(vec![Discovery::Consul]);
    all.list(documents);
    let mut builders = Builders::default();
    for (id, route) in all.settle().routes {
        builders.handle_route(&id, route, &Instances::new());
    }
    let mut taken = Drains::default();
    taken.list(drains);
    let mut by_proxies = Refused::default();
    let refused = refused.iter();
    let held = || Held {
        gateway: "edge".parse().unwrap(),
        cohort: None,
        resource: "RDS edge".to_owned(),
        refusal: Refusal::new("no good".into(), "node".into(), 0),
    };
    let refused = refused.map(|path| ((*path).to_owned(), vec![held()]));
    by_proxies.handle_refused(refused.collect());
    let problems = problems(&all, &taken, &builders, &by_proxies).into_iter();
    let shown = problems.map(|(path, problem)| {
        let NotInForce {
            revision, cause, ..
        } = problem;
        format!("{path} {}@{revision}", cause.as_str())
    });
    shown.collect()
}

#[test]
fn what_is_in_force_has_no_problem() {
    let good = vec![document("routes/m", MOCKED, 3)];
    assert!(wrong(good, Vec::new(), &[]).is_empty());
}

#[test]
fn each_kind_of_problem_has_the_revision_that_wrote_the_text() {
    let documents = vec![
        document("routes/waits", TO_ECHO, 3),
        document("routes/bad", "{", 4),
        document("routes/refused", MOCKED, 5),
    ];
    let drains = vec![document("drains/d", "{", 6)];
    let expected = [
        "drains/d rejected@6",
        "routes/bad rejected@4",
        "routes/refused refused@5",
        "routes/waits waiting@3",
    ];
    assert_eq!(wrong(documents, drains, &["routes/refused"]), expected);
}

#[test]
fn the_gravest_counts_and_what_is_gone_has_none() {
    let documents = vec![document("routes/a", TO_ECHO, 3)];
    let refused = ["routes/a", "routes/gone"];
    let expected = ["routes/a refused@3"];
    assert_eq!(wrong(documents, Vec::new(), &refused), expected);
}
