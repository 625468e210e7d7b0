use super::*;
use crate::build::{Held, Instances, Refusal};
use crate::cohort::Cohort;
use crate::model::document::Format;
use crate::model::{Discovery, Document};
use crate::xds::gateways::{Said, What};

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
        sent: None,
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

#[test]
fn what_a_proxy_is_too_old_for_is_no_worse_than_what_is_wrong_itself() {
    const COMPRESSED: &str =
        r#"{"uri":"/m","plugins":{"mocking":{"response_status":204},"gzip":{}}}"#;
    let mut all = Documents::new(vec![Discovery::Consul]);
    all.list(vec![
        document("routes/m", COMPRESSED, 3),
        document("routes/n", COMPRESSED, 3),
    ]);
    let mut builders = Builders::default();
    let instances = Instances::new();
    let old = Said {
        gateway: "default".into(),
        cohort: Cohort::envoy((1, 38, 3), None).unwrap(),
        what: What::Came("old".into()),
    };
    builders.handle_said(&old, &instances);
    for (id, route) in all.settle().routes {
        builders.handle_route(&id, route, &instances);
    }
    // The newest text of one is wrong, and the form before it is in force where it is served.
    all.apply(crate::model::document::Change::Put(document(
        "routes/n", "{", 4,
    )));
    all.settle();
    let problems = problems(&all, &Drains::default(), &builders, &Refused::default());
    let shown: Vec<_> = problems
        .iter()
        .map(|(path, problem)| format!("{path} {}@{}", problem.cause.as_str(), problem.revision))
        .collect();
    assert_eq!(shown, ["routes/m not_served@3", "routes/n rejected@4"]);
    assert_eq!(
        &*problems["routes/m"].reason,
        "not served in gateway default by envoy 1.38.3: plugins.gzip: needs Envoy 1.40 or newer: older ones do not take the \
         media types of what they compress as a route has them"
    );
}
