//! Whatever happened before, what is in force is what a listing of the documents as they are now puts in force.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::texts::{deleted, json, no_documents, put};
use crate::documents::Changes;
use crate::model::Document;
use crate::model::document::Change;

/// Paths, and good texts for each.
const DOCUMENTS: &[(&str, &[&str])] = &[
    (
        "upstreams/u",
        &[
            r#"{"nodes":{"a:80":1}}"#,
            r#"{"service_name":"echo","discovery_type":"consul"}"#,
            r#"{"service_name":"two","discovery_type":"file","scheme":"https"}"#,
        ],
    ),
    (
        "services/s",
        &[
            r#"{"upstream_id":"u","hosts":["s"]}"#,
            r#"{"upstream":{"nodes":{}},"plugins":{"mocking":{}}}"#,
            r#"{"upstream":{"service_name":"echo","discovery_type":"consul"}}"#,
        ],
    ),
    (
        "routes/a",
        &[
            r#"{"uri":"/a","upstream_id":"u"}"#,
            r#"{"uri":"/a","service_id":"s","timeout":{"connect":1,"send":1,"read":1}}"#,
            r#"{"uri":"/a","service_id":"s","status":0}"#,
        ],
    ),
    (
        "routes/b",
        &[
            r#"{"uri":"/b","service_id":"s","upstream_id":"u"}"#,
            r#"{"uri":"/b","upstream":{"service_name":"echo","discovery_type":"consul"}}"#,
        ],
    ),
    (
        "gateways/default",
        &[
            r#"{"listeners":[{"name":"http","port":80}]}"#,
            r#"{"listeners":[{"name":"http","port":9080}]}"#,
        ],
    ),
    (
        "gateways/edge",
        &[r#"{"listeners":[{"name":"http","port":81}]}"#],
    ),
];

/// All that was told so far, as whoever is told knows it.
#[derive(Debug, Default, PartialEq)]
struct Known {
    routes: BTreeMap<String, String>,
    gateways: BTreeMap<String, String>,
    services: BTreeSet<String>,
}

impl Known {
    fn told(&mut self, changes: Changes) {
        fn keep<T: std::fmt::Debug>(
            known: &mut BTreeMap<String, String>,
            id: impl ToString,
            now: Option<T>,
        ) {
            match now {
                Some(now) => known.insert(id.to_string(), format!("{now:?}")),
                None => known.remove(&id.to_string()),
            };
        }
        for (id, route) in changes.routes {
            keep(&mut self.routes, id, route);
        }
        for (id, gateway) in changes.gateways {
            keep(&mut self.gateways, id, gateway);
        }
        for service in changes.services_added {
            assert!(self.services.insert(service.to_string()), "added twice");
        }
        for service in changes.services_removed {
            assert!(self.services.remove(&service.to_string()), "removed twice");
        }
    }
}

fn any_change() -> impl Strategy<Value = Change> {
    (0..DOCUMENTS.len(), 0..6usize).prop_map(|(document, what)| {
        let (path, texts) = DOCUMENTS[document];
        match what {
            4 => deleted(path),
            5 => put(path, "bad"),
            text => put(path, texts[text % texts.len()]),
        }
    })
}

/// The documents that whoever edits leaves behind in the end, so that each is good and refers to something.
fn any_good_end() -> impl Strategy<Value = Vec<Document>> {
    let texts: Vec<_> = DOCUMENTS.iter().map(|(_, texts)| 0..texts.len()).collect();
    let kept = prop::collection::vec(any::<bool>(), DOCUMENTS.len());
    (texts, kept).prop_map(|(texts, kept)| {
        DOCUMENTS
            .iter()
            .zip(texts.into_iter().zip(kept))
            .filter(|((path, _), (_, kept))| {
                // What others refer to stays.
                *kept || path.starts_with("upstreams") || path.starts_with("services")
            })
            .map(|((path, texts), (text, _))| json(path, texts[text]))
            .collect()
    })
}

proptest! {
    #[test]
    fn incremental_equals_from_scratch(
        changes in prop::collection::vec((any_change(), any::<bool>()), 0..40),
        end in any_good_end(),
        by_list: bool,
    ) {
        let mut documents = no_documents();
        let mut known = Known::default();
        for (change, settle) in changes {
            documents.apply(change);
            if settle {
                known.told(documents.settle());
            }
        }
        if by_list {
            documents.list(end.clone());
        } else {
            for (name, _) in DOCUMENTS { let path = std::sync::Arc::from(*name);
                match end.iter().find(|document| document.path == path) {
                    Some(document) => documents.apply(Change::Put(document.clone())),
                    None => documents.apply(Change::Deleted { path }),
                }
            }
        }
        known.told(documents.settle());

        let mut fresh = no_documents();
        fresh.list(end);
        let mut expected = Known::default();
        expected.told(fresh.settle());
        prop_assert_eq!(known, expected);
        prop_assert_eq!(documents.rejected(), 0);
        prop_assert_eq!(fresh.rejected(), 0);
    }
}
