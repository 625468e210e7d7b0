//! Which cohort's snapshot is shown.

use tonic::Code;

use super::*;
use crate::cohort::Cohort;

/// A gateway `edge` with proxies of these releases, and how they are called.
fn gateways(releases: &[(u32, u32, u32)]) -> Gateways {
    let gateways = Gateways::new().0;
    for release in releases {
        let cohort = Cohort::envoy(*release, None);
        let mut snapshot = Snapshot::empty("edge".into());
        snapshot.cohort = cohort.clone();
        gateways.publish("edge", cohort.as_ref(), Some(Arc::new(snapshot)));
    }
    gateways
}

fn read_of(gateways: &Gateways, cohort: &str) -> Result<String, Status> {
    let asked = pb::ReadSnapshotRequest {
        gateway: "edge".to_owned(),
        cohort: cohort.to_owned(),
        ..Default::default()
    };
    let lookup = crate::model::Lookup::default();
    read(gateways, &asked, redact::Headers::Plain, &lookup).map(|snapshot| snapshot.cohort)
}

#[test]
fn a_cohort_is_asked_for_by_its_name_or_how_it_begins() {
    let gateways = gateways(&[(1, 38, 3), (1, 40, 0), (1, 40, 1)]);
    for (asked, found) in [
        ("envoy 1.38", "envoy 1.38.3"),
        ("envoy 1.40.0", "envoy 1.40.0"),
        ("envoy 1.40.1", "envoy 1.40.1"),
    ] {
        assert_eq!(read_of(&gateways, asked).unwrap(), found);
    }
    let error = read_of(&gateways, "envoy 1.40").unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(
        error.message(),
        "cohort: `envoy 1.40` is how several names begin; there are: envoy 1.38.3, envoy 1.40.0, envoy 1.40.1"
    );
    let error = read_of(&gateways, "envoy 1.36").unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(
        error.message(),
        "gateway `edge` has no cohort `envoy 1.36`; there are: envoy 1.38.3, envoy 1.40.0, envoy 1.40.1"
    );
    let error = read_of(&self::gateways(&[]), "").unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}

#[test]
fn a_name_that_another_begins_with_is_found() {
    let gateways = gateways(&[(1, 40, 1), (1, 40, 10)]);
    let found = read_of(&gateways, "envoy 1.40.1").unwrap();
    assert_eq!(found, "envoy 1.40.1");
}

#[test]
fn every_cohort_is_listed() {
    let listed = list(&gateways(&[(1, 40, 0), (1, 38, 3)]));
    let cohorts: Vec<_> = listed.snapshots.iter().map(|one| &one.cohort).collect();
    assert_eq!(cohorts, ["envoy 1.38.3", "envoy 1.40.0"]);
}
