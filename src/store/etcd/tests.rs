//! The parts without I/O: keys, fragments, and whether a history goes on.

use etcd_client::proto::{PbEvent, PbKeyValue, PbResponseHeader, PbWatchResponse};

use super::answers::{Answers, WatchAnswer};
use super::broken::shown;
use super::connection::Found;
use super::history::History;
use super::keys::{Keys, Meaning};
use super::*;
use crate::model::Document;
use crate::model::document::{Change, Format};

fn value(key: &str, value: &str, revision: i64) -> PbKeyValue {
    PbKeyValue {
        key: key.into(),
        value: value.into(),
        mod_revision: revision,
        ..PbKeyValue::default()
    }
}

fn put(key: &str, revision: i64) -> PbEvent {
    PbEvent {
        kv: Some(value(key, "{}", revision)),
        ..PbEvent::default()
    }
}

fn delete(key: &str, revision: i64) -> PbEvent {
    PbEvent {
        r#type: 1,
        kv: Some(value(key, "", revision)),
        ..PbEvent::default()
    }
}

fn response(revision: i64, events: Vec<PbEvent>) -> PbWatchResponse {
    PbWatchResponse {
        header: Some(PbResponseHeader {
            revision,
            ..PbResponseHeader::default()
        }),
        events,
        ..PbWatchResponse::default()
    }
}

#[test]
fn a_key_is_a_document_when_it_has_a_kind_and_an_id() {
    let keys = Keys::new("/chancery");
    let read = |key: &'static str| keys.read(key.as_bytes());
    assert_eq!(
        read("/chancery/routes/echo"),
        Meaning::Document("routes/echo")
    );
    let deep = "/chancery/consumers/x/credentials/y";
    assert_eq!(read(deep), Meaning::Document("consumers/x/credentials/y"));
    assert_eq!(
        read("/chancery/replicas/a-9180"),
        Meaning::Replica("a-9180")
    );
    assert_eq!(read("/chancery/routes/"), Meaning::Mark);
    assert_eq!(read("/chancery/"), Meaning::Mark);
    assert_eq!(read("/chancery/routes"), Meaning::Stray);
    assert_eq!(read("/chancery//routes"), Meaning::Stray);
    assert_eq!(keys.read(b"/chancery/routes/\xff"), Meaning::Stray);
}

#[test]
fn a_prefix_means_the_same_with_and_without_its_slash_and_covers_no_neighbour() {
    for prefix in ["/chancery", "/chancery/"] {
        let range = Keys::new(prefix).range();
        assert_eq!(range, b"/chancery/".to_vec()..b"/chancery0".to_vec());
        assert!(!range.contains(&b"/chancery2/routes/a".to_vec()));
    }
}

#[test]
fn events_become_changes_in_order_and_reach_the_last_revision() {
    let events = vec![
        put("/chancery/routes/a", 7),
        delete("/chancery/routes/a", 8),
        put("/chancery/routes/", 9),
    ];
    let path: Arc<str> = "routes/a".into();
    let document = Document {
        path: Arc::clone(&path),
        source: "/chancery/routes/a".into(),
        format: Format::Json,
        value: "{}".into(),
        revision: 7,
    };
    let changes = vec![Change::Put(document), Change::Deleted { path }];
    assert_eq!(Keys::new("/chancery").changes(events), (9, changes));
}

#[test]
fn fragments_are_one_answer() {
    let mut answers = Answers::default();
    let fragment = |events, fragment| PbWatchResponse {
        fragment,
        ..response(9, events)
    };
    let (a, b, c) = (put("a", 9), put("b", 9), put("c", 9));
    let mut handle = |part| answers.handle_response(part).unwrap();
    assert_eq!(handle(fragment(vec![a.clone()], true)), WatchAnswer::Alive);
    assert_eq!(handle(fragment(vec![b.clone()], true)), WatchAnswer::Alive);
    let whole = handle(fragment(vec![c.clone()], false));
    assert_eq!(whole, WatchAnswer::Events(vec![a, b, c]));
    assert_eq!(handle(fragment(vec![], false)), WatchAnswer::Progress(9));
}

#[test]
fn the_answer_that_a_watch_is_created_is_no_progress() {
    let mut answers = Answers::default();
    let mut handle = |response| answers.handle_response(response).unwrap();
    // Its revision is the store's, and events up to it are still to come.
    let created = PbWatchResponse {
        created: true,
        ..response(9, vec![])
    };
    assert_eq!(handle(created), WatchAnswer::Alive);
    assert_eq!(handle(response(9, vec![])), WatchAnswer::Progress(9));
}

#[test]
fn a_cancelled_watch_says_whether_its_history_is_gone() {
    let cancelled = |compact_revision, reason: &str| PbWatchResponse {
        created: true,
        canceled: true,
        compact_revision,
        cancel_reason: reason.into(),
        ..response(9, vec![])
    };
    let handle = |response| Answers::default().handle_response(response).unwrap_err();
    assert!(handle(cancelled(5, "compacted")).history_is_gone());
    let refused = handle(cancelled(0, "etcdserver: permission denied"));
    assert!(!refused.history_is_gone());
    assert!(refused.to_string().contains("permission denied"));
}

#[test]
fn an_event_tells_only_what_is_beyond_the_revision_seen() {
    let keys = Keys::new("/chancery");
    let tells = |answer| event(&keys, answer, 8, Vec::new());
    assert_eq!(tells(WatchAnswer::Alive), None);
    assert_eq!(tells(WatchAnswer::Progress(8)), None);
    let progress = Some(Event::Progress { revision: 9 });
    assert_eq!(tells(WatchAnswer::Progress(9)), progress);
    let mark = WatchAnswer::Events(vec![put("/chancery/routes/", 9)]);
    assert_eq!(tells(mark), progress);
}

fn found(revision: i64, values: Vec<PbKeyValue>) -> Found {
    Found {
        cluster: 1,
        term: 4,
        revision,
        values,
        more: false,
    }
}

fn history() -> (History, PbKeyValue) {
    let witness = value("/chancery/routes/a", "{}", 6);
    let document = Keys::new("/chancery").document(witness.clone()).unwrap();
    let history = History::new(&found(8, vec![]), 8, Some(&document));
    (history, witness)
}

#[test]
fn a_history_goes_on_in_the_same_cluster_only() {
    let (mut history, witness) = history();
    assert_eq!(history.goes_on(&found(8, vec![witness.clone()])), Ok(()));
    assert_eq!(history.goes_on(&found(99, vec![witness.clone()])), Ok(()));

    let back = found(7, vec![witness.clone()]);
    let other = Found {
        cluster: 2,
        ..found(99, vec![witness.clone()])
    };
    let young = Found {
        term: 3,
        ..found(99, vec![witness.clone()])
    };
    // The same cluster id, further on, but filled anew.
    let written_later = found(99, vec![value("/chancery/routes/a", "{}", 7)]);
    let written_otherwise = found(99, vec![value("/chancery/routes/a", "[]", 6)]);
    let absent = found(99, vec![]);
    for other in [back, other, young, written_later, written_otherwise, absent] {
        assert!(history.goes_on(&other).is_err());
    }
}

#[test]
fn a_witness_that_is_deleted_is_none_and_the_last_one_written_is_one() {
    let (mut history, witness) = history();
    let changed = |changes| Event::Changed {
        revision: 9,
        changes,
        traced: Vec::new(),
    };
    let path = "routes/a".into();
    history.told(&changed(vec![Change::Deleted { path }]));
    assert_eq!(history.witness(), None);
    assert_eq!(history.revision, 9);
    assert_eq!(history.goes_on(&found(9, vec![])), Ok(()));

    let document = Keys::new("/chancery").document(witness);
    history.told(&changed(
        document.clone().map(Change::Put).into_iter().collect(),
    ));
    assert_eq!(history.witness(), document.as_ref());
}

#[test]
fn no_output_holds_a_password() {
    let settings = Settings {
        endpoints: vec!["http://root:hunter2@127.0.0.1:2379".into()],
        prefix: "/chancery".into(),
        user: Some(("root".into(), "hunter2".into())),
        ca: None,
        cert: None,
        key: None,
    };
    let debug = format!("{settings:?}");
    assert!(
        debug.contains("127.0.0.1:2379") && debug.contains("root"),
        "{debug}"
    );
    assert!(!debug.contains("hunter2"), "{debug}");
    assert_eq!(
        shown("http://root:hunter2@127.0.0.1:2379"),
        "127.0.0.1:2379"
    );
}

#[test]
fn a_change_is_unrecorded_unless_its_revision_has_its_record() {
    let keys = Keys::new("/chancery");
    let record = "/chancery/history/routes/a/00000000000000000008";
    assert_eq!(keys.read(record.as_bytes()), Meaning::Record("routes/a"));
    let made = |key: &str, revision| {
        let mut event = put(key, revision);
        if let Some(kv) = &mut event.kv {
            kv.version = 1;
        }
        event
    };
    let events = [
        put(record, 8),
        put("/chancery/routes/a", 8),
        put("/chancery/routes/b", 8),
        made("/chancery/routes/c", 9),
        put("/chancery/drains/d", 9),
        delete("/chancery/routes/a", 10),
        delete(record, 11),
    ];
    let unrecorded = |path: &str, revision, is_new, deleted| Noticed::Unrecorded {
        path: path.into(),
        revision,
        is_new,
        deleted,
    };
    assert_eq!(
        record::notice(&keys, &events),
        [
            unrecorded("routes/b", 8, false, false),
            Noticed::Recorded("routes/a".into()),
            unrecorded("routes/c", 9, true, false),
            unrecorded("routes/a", 10, false, true),
        ]
    );
}

#[test]
fn a_listing_leaves_records_and_the_audit_trail_out() {
    let keys = Keys::new("/chancery");
    let within = |key: &str| {
        let mut ranges = keys.ranges().into_iter();
        ranges.any(|range| range.contains(&key.as_bytes().to_vec()))
    };
    assert!(within("/chancery/consumers/a") && within("/chancery/routes/a"));
    assert!(within("/chancery/historyx/a"));
    assert!(!within("/chancery/history/routes/a/1") && !within("/chancery0"));
    assert!(!within("/chancery/audit/1") && within("/chancery/drain/journal/s1.a"));
}

#[test]
fn a_change_is_traced_under_the_context_of_its_record() {
    let keys = Keys::new("/c");
    let context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let record = |revision, trace: &str| {
        let text = format!(r#"{{"version":1,"trace":"{trace}","former":{{"document":{{}}}}}}"#);
        PbEvent {
            kv: Some(value("/c/history/routes/a/1", &text, revision)),
            ..PbEvent::default()
        }
    };
    let events = [
        record(5, context),
        put("/c/routes/a", 5),
        put("/c/routes/b", 5),
        put("/c/routes/a", 6),
        // Recorded later, by whoever saw it: nothing changes by that.
        record(7, context),
        put("/c/replicas/a", 8),
        delete("/c/routes/a", 9),
        record(9, "made up"),
    ];
    let traced = |revision, context| Traced { revision, context };
    assert_eq!(
        record::traced(&keys, &events),
        [
            traced(5, context.parse().ok()),
            traced(6, None),
            traced(9, None)
        ]
    );
}
