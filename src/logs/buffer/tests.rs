use super::*;

const BATCHING: Batching = Batching {
    most: 3,
    idle: 5,
    age: 8,
    retries: 0,
    pause: 1,
    pending: None,
};

/// A buffer of so many entries, and a clock.
fn buffer(most: usize) -> (Buffer, impl Fn(u64) -> Instant) {
    let start = Instant::now();
    let at = move |seconds| start + Duration::from_secs(seconds);
    (Buffer::new(BATCHING, most), at)
}

fn put(buffer: &mut Buffer, entry: &str, now: Instant) {
    buffer.push(entry.to_owned(), now).unwrap();
}

#[test]
fn a_batch_goes_when_it_is_full() {
    let (mut buffer, at) = buffer(100);
    for entry in ["a", "b"] {
        put(&mut buffer, entry, at(0));
    }
    assert_eq!(buffer.take(at(0)), None);
    for entry in ["c", "d"] {
        put(&mut buffer, entry, at(1));
    }
    assert_eq!(buffer.take(at(1)).unwrap(), ["a", "b", "c"]);
    assert_eq!(buffer.take(at(1)), None);
}

#[test]
fn a_batch_goes_when_nothing_came_for_a_while() {
    let (mut buffer, at) = buffer(100);
    assert_eq!(buffer.due(), None);
    put(&mut buffer, "a", at(0));
    put(&mut buffer, "b", at(2));
    assert_eq!(buffer.due(), Some(at(7)));
    assert_eq!(buffer.take(at(6)), None);
    assert_eq!(buffer.take(at(7)).unwrap(), ["a", "b"]);
    assert_eq!(buffer.due(), None);
}

#[test]
fn a_batch_goes_when_its_first_entry_is_old_whatever_comes() {
    let (mut buffer, at) = buffer(100);
    put(&mut buffer, "a", at(0));
    put(&mut buffer, "b", at(4));
    assert_eq!(buffer.due(), Some(at(8)));
    assert_eq!(buffer.take(at(8)).unwrap(), ["a", "b"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (mut buffer, at) = buffer(2);
    put(&mut buffer, "a", at(0));
    put(&mut buffer, "b", at(0));
    assert_eq!(buffer.push("c".into(), at(0)), Err(Refused::Full));
    // A batch is no larger than what may wait, or it would never be full.
    assert_eq!(buffer.take(at(0)).unwrap(), ["a", "b"]);
    put(&mut buffer, &"d".repeat(BYTES - 1), at(0));
    assert_eq!(buffer.push("ee".into(), at(0)), Err(Refused::Full));
    put(&mut buffer, "f", at(0));
}

#[test]
fn a_target_has_fewer_wait_and_never_more() {
    for (pending, waiting) in [(1, 1), (2, 2), (3, 2)] {
        let pending = Some(pending);
        let batching = Batching {
            pending,
            ..BATCHING
        };
        let mut buffer = Buffer::new(batching, 2);
        let now = Instant::now();
        for _ in 0..waiting {
            put(&mut buffer, "a", now);
        }
        let refused = buffer.push("b".into(), now);
        assert_eq!(refused, Err(Refused::Full), "{pending:?}");
    }
}

#[test]
fn what_is_closed_takes_nothing() {
    let (mut buffer, at) = buffer(2);
    put(&mut buffer, "a", at(0));
    assert!(!buffer.close(), "something waits");
    put(&mut buffer, "b", at(0));
    assert_eq!(buffer.take_some().unwrap(), ["a", "b"]);
    assert_eq!(buffer.take_some(), None);
    assert!(buffer.close());
    assert_eq!(buffer.push("c".into(), at(0)), Err(Refused::Closed));
}
