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
