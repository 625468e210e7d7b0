//! Requests to drain.

use super::*;

type Change = fn(&mut pb::DrainRequest);

fn asked() -> pb::DrainRequest {
    pb::DrainRequest {
        address: "10.0.0.1".into(),
        ..Default::default()
    }
}

#[test]
fn an_address_is_a_wish() {
    let order = read(&asked()).unwrap();
    assert_eq!((order.port, order.service, order.ttl), (None, None, 3600));
    let mapped = pb::DrainRequest {
        address: "::ffff:10.0.0.1".into(),
        ..asked()
    };
    assert_eq!(read(&mapped).unwrap().address, order.address);
    assert_eq!((order.mode, order.force), (Mode::Leave, false));
    let told = pb::DrainRequest {
        ttl: "5m".into(),
        mode: "draining".into(),
        port: 80,
        ..asked()
    };
    let order = read(&told).unwrap();
    assert_eq!(
        (order.port, order.ttl, order.mode),
        (Some(80), 300, Mode::Draining)
    );
    assert_eq!(super::wait("", Duration::ZERO).unwrap(), Duration::ZERO);
    let wait = super::wait("1m 30s", Duration::ZERO);
    assert_eq!(wait.unwrap(), Duration::from_secs(90));
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let with = |change: Change| {
        let mut asked = asked();
        change(&mut asked);
        read(&asked).unwrap_err().message().to_owned()
    };
    let cases: [(Change, &str); 7] = [
        (
            |it| it.address = "10.0.0.1:80".into(),
            "address: found `10.0.0.1:80`",
        ),
        (|it| it.address.clear(), "address: found ``"),
        (|it| it.port = 70_000, "port: found 70000"),
        (
            |it| it.ttl = "9s".into(),
            "ttl: found `9s`, allowed are 10s to 24h",
        ),
        (
            |it| it.ttl = "1 fortnight".into(),
            "ttl: found `1 fortnight`",
        ),
        (
            |it| it.mode = "kill".into(),
            "mode: found `kill`, allowed are leave, draining",
        ),
        (
            |it| it.reason = "x".repeat(501),
            "reason: allowed are 500 bytes",
        ),
    ];
    for (change, expected) in cases {
        let said = with(change);
        assert!(said.starts_with(expected), "{said}");
    }
    let said = super::wait("11m", Duration::ZERO).unwrap_err();
    assert!(said.message().contains("0s to 10m"), "{said}");
}
