//! Who meets the limit, and who never does.

use std::net::Ipv4Addr;

use super::*;

const HERE: By = By::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
const RATE: CallRate = CallRate(1000);

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn who_uses_tools_never_meets_it() {
    let start = Instant::now();
    let key = By::Key("deploy".to_owned());
    let mut rates = Rates::default();
    // A dashboard that is reloaded every second for an hour: fifty requests at once each time.
    for second in 0..3600 {
        let now = start + Duration::from_secs(second);
        for _ in 0..50 {
            assert_eq!(rates.count(HERE, RATE, now), Ok(()), "{second}");
        }
    }
    // adc brings 10,000 documents as fast as can be, each tried four times within a minute.
    let mut rates = Rates::default();
    for second in [0, 10, 20, 30] {
        let now = start + Duration::from_secs(second);
        for _ in 0..10_000 {
            assert_eq!(rates.count(key.clone(), RATE, now), Ok(()), "{second}");
        }
    }
}

#[test]
fn who_never_stops_is_held_to_the_rate_and_keeps_nobody_else_from_calling() {
    let (mut rates, start) = (Rates::default(), Instant::now());
    let mut answered = 0;
    // Ten calls a millisecond, for a minute.
    for now in (0..60_000).map(|now| start + milliseconds(now)) {
        for _ in 0..10 {
            match rates.count(HERE, RATE, now) {
                Ok(()) => answered += 1,
                Err(too_many) => assert!(too_many.rest <= milliseconds(1), "{too_many:?}"),
            }
        }
    }
    let most = 10_000 + 60_000;
    assert!((most - 10..=most).contains(&answered), "{answered}");
    // A key of the same address has its own.
    let now = start + milliseconds(60_000);
    let key = By::Key("deploy".to_owned());
    assert_eq!(rates.count(key, RATE, now), Ok(()));
    let other = By::Address(Ipv4Addr::new(10, 0, 0, 7).into());
    assert_eq!(rates.count(other, RATE, now), Ok(()));
}

#[test]
fn the_bound_is_said() {
    let (mut rates, now) = (Rates::default(), Instant::now());
    let rate = CallRate(2);
    let key = By::Key("deploy".to_owned());
    for _ in 0..20 {
        assert_eq!(rates.count(key.clone(), rate, now), Ok(()));
    }
    let too_many = rates.count(key.clone(), rate, now).unwrap_err();
    assert_eq!(too_many.rest, milliseconds(500));
    assert_eq!(
        too_many.to_string(),
        "the API key `deploy` makes more calls than it may: allowed are 2 a second and 20 at once (--max-call-rate)"
    );
    assert_eq!(rates.count(key, rate, now + too_many.rest), Ok(()));
}

#[test]
fn what_is_remembered_is_bounded_and_the_busiest_stay() {
    let (mut rates, start) = (Rates::default(), Instant::now());
    let rate = CallRate(1);
    for _ in 0..10 {
        assert_eq!(rates.count(HERE, rate, start), Ok(()));
    }
    let addresses = 0..u32::try_from(2 * CALLERS).unwrap();
    for (number, now) in addresses.zip((0..).map(|now| start + Duration::from_micros(now))) {
        let other = By::Address(Ipv4Addr::from(number).into());
        assert_eq!(rates.count(other, rate, now), Ok(()));
        assert!(rates.count(HERE, rate, now).is_err());
    }
    assert_eq!(rates.callers.len(), CALLERS);
}
