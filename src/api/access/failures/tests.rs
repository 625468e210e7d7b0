//! What guesses are answered with, by their number and time.

use std::net::Ipv4Addr;

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn address(number: usize) -> IpAddr {
    Ipv4Addr::from(u32::try_from(number).unwrap()).into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn guesses_are_slowed_and_then_refused() {
    let (mut failures, start) = (Failures::default(), Instant::now());
    for at in 0..FREE {
        let told = failures.count(HERE, start);
        assert_eq!(told, Verdict::Told(Duration::ZERO), "{at}");
    }
    for at in FREE..MOST {
        let told = failures.count(HERE, start + seconds(20));
        assert_eq!(told, Verdict::Told(LATE), "{at}");
    }
    // What is refused counts no more: however often it comes, the time to wait only runs down.
    for now in [20, 20, 59] {
        let told = failures.count(HERE, start + seconds(now));
        assert_eq!(told, Verdict::TooMany(seconds(60 - now)));
    }
    let other = failures.count(address(7), start + seconds(59));
    assert_eq!(other, Verdict::Told(Duration::ZERO));
    // The first five are a minute old.
    let late = failures.count(HERE, start + seconds(60));
    assert_eq!(late, Verdict::Told(LATE));
    let after = failures.count(HERE, start + seconds(120));
    assert_eq!(after, Verdict::Told(Duration::ZERO));
}

#[test]
fn a_client_that_tries_four_times_meets_no_limit() {
    let (mut failures, start) = (Failures::default(), Instant::now());
    for at in 0..4 {
        let told = failures.count(HERE, start + Duration::from_millis(at * 100));
        assert_eq!(told, Verdict::Told(Duration::ZERO));
    }
}

#[test]
fn the_oldest_address_is_forgotten() {
    let (mut failures, start) = (Failures::default(), Instant::now());
    let mut now = start;
    for number in 0..ADDRESSES {
        now += Duration::from_millis(1);
        for _ in 0..FREE {
            failures.count(address(number), now);
        }
    }
    failures.count(address(ADDRESSES), now);
    assert_eq!(failures.addresses.len(), ADDRESSES);
    assert_eq!(failures.count(address(1), now), Verdict::Told(LATE));
    let forgotten = failures.count(address(0), now);
    assert_eq!(forgotten, Verdict::Told(Duration::ZERO));
    assert_eq!(failures.addresses.len(), ADDRESSES);
}
