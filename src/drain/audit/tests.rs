//! What is kept.

use super::*;

#[test]
fn refused_calls_are_kept_up_to_a_number_and_everything_else_always() {
    let (trail, mut records) = Trail::new();
    let mut deed = Deed::new(&trail, "call", "", "10.0.0.1");
    deed.what = "x".repeat(60_000);
    let long = "y".repeat(60_000);
    for _ in 0..1000 {
        deed.refused(ACCESS, Instant::now(), &long);
    }
    for _ in 0..200 {
        deed.refused("request", Instant::now(), &long);
    }
    let mut kept = Vec::new();
    while let Ok(record) = records.try_recv() {
        kept.push(record);
    }
    let calls = kept.iter().filter(|record| record.step == ACCESS).count();
    assert_eq!((calls, kept.len() - calls), (60, 200));
    let batch = kept.iter().take(BATCH).filter_map(text);
    let size: usize = batch.map(|(_, text)| text.len()).sum();
    assert!(size < 1_000_000, "{size} bytes");
}

#[test]
fn what_another_version_wrote_is_shown_as_far_as_it_is_known() {
    let newer = br#"{"version":2,"time":"2026-01-01T00:00:00.000Z","action":"drain","zone":"b","result":"done"}"#;
    let record: Record = serde_json::from_slice(newer).unwrap();
    assert_eq!((&*record.action, &*record.result), ("drain", "done"));
    assert_eq!(&*record.who, "");
}
