use super::*;

#[test]
fn a_bucket_allows_a_burst_and_then_its_rate() {
    let start = Instant::now();
    let mut bucket = Bucket::new(10, 2, start);
    let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(now)).count();
    assert_eq!(taken(&mut bucket, start), 20);
    assert_eq!(taken(&mut bucket, start + Duration::from_millis(500)), 5);
    let rested = start + Duration::from_secs(3600);
    assert_eq!(taken(&mut bucket, rested), 20, "no more than its size");
    assert_eq!(taken(&mut bucket, start), 0, "a clock that goes back");
}

#[test]
fn a_reader_is_stuck_once_it_has_taken_nothing_for_as_long_as_it_may() {
    let (begin, limit) = (Instant::now(), Duration::from_secs(8));
    let mut reader = Reader::default();
    let mut stuck = |second: u64, taken, given| {
        reader.is_stuck((taken, given), limit, begin + Duration::from_secs(second))
    };
    assert!(!stuck(0, 0, 0));
    assert!(!stuck(100, 0, 0), "there was nothing to read");
    assert!(!stuck(102, 0, 10));
    assert!(!stuck(109, 0, 10));
    assert!(!stuck(110, 1, 10), "it reads, if slowly");
    assert!(!stuck(117, 1, 20));
    assert!(stuck(118, 1, 20));
    assert!(!stuck(119, 20, 20), "it has read all");
}
