use super::*;

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[test]
fn a_pause_is_as_long_as_publishing_took() {
    let start = Instant::now();
    let mut pace = Pace::default();
    assert!(pace.admits(start), "the first change goes at once");
    pace.published(start, start + ms(3), 1);
    assert!(!pace.admits(start + ms(5)));
    assert_eq!(pace.due(start + ms(5)), start + ms(6) + STREAM);
    assert!(pace.admits(start + ms(6) + STREAM));
    assert_eq!(pace.due(start + ms(7)), start + ms(7));
}

#[test]
fn edits_one_after_another_wait_no_longer_than_a_single_one() {
    let mut now = Instant::now();
    let mut pace = Pace::default();
    for _ in 0..1000 {
        pace.published(now, now + ms(1), 1);
        now += ms(2) + STREAM;
        assert!(pace.admits(now), "pauses do not grow");
    }
}

#[test]
fn what_is_slow_once_does_not_keep_what_follows_waiting_for_long() {
    let start = Instant::now();
    let mut pace = Pace::default();
    pace.published(start, start + ms(5000), 1);
    assert_eq!(pace.due(start), start + ms(5100));
}

#[test]
fn many_streams_cost_more_than_building() {
    let start = Instant::now();
    let mut pace = Pace::default();
    pace.published(start, start, 1000);
    assert_eq!(pace.due(start), start + ms(50));
    pace.published(start, start, usize::MAX);
    assert_eq!(pace.due(start), start + LONGEST);
}
