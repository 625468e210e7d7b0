//! Ids of requests that are none of Envoy's own.

use std::collections::BTreeSet;

use serde_json::json;

use super::with_plugins;
use crate::support::stage::Stage;

#[tokio::test]
async fn ids_of_requests_are_of_their_kind_and_no_two_are_equal() {
    let stage = Stage::set().await;
    let (etcd, envoy) = (&stage.etcd, &stage.envoy);
    let blue = stage.instance("blue").await;
    let kinds = [
        ("nanoid", "^[A-Za-z0-9_-]{21}$"),
        ("range_id", "^[abcxyz]{30}$"),
        ("ksuid", "^[0-9A-Za-z]{27}$"),
        (
            "uuidv7",
            "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        ),
    ];
    for (kind, _) in kinds {
        let plugin = json!({ "request-id": {
            "algorithm": kind, "header_name": "x-own", "range_id": { "length": 30, "char_set": "abcxyz" },
        } });
        let path = format!("/{kind}");
        etcd.put(
            &format!("routes/{kind}"),
            &with_plugins(&path, &blue, plugin),
        )
        .await;
        envoy.answers_by(&path, "blue").await;
    }
    for (kind, form) in kinds {
        let form = regex::Regex::new(form).unwrap();
        let mut ids = Vec::new();
        for _ in 0..50 {
            let answer = envoy.get(&format!("/{kind}")).await;
            let id = answer.headers["x-own"].to_str().unwrap().to_owned();
            assert!(form.is_match(&id), "{kind}: {id}");
            assert!(
                answer.body.contains(&id),
                "{kind}: the instance is told {id}"
            );
            ids.push(id);
        }
        assert_eq!(BTreeSet::from_iter(&ids).len(), ids.len(), "{kind}");
        if matches!(kind, "ksuid" | "uuidv7") {
            // Seconds, or milliseconds, stand in front.
            let start = |id: &String| id[..4].to_owned();
            assert!(ids.iter().map(start).is_sorted(), "{ids:?}");
        }
    }
}
