use super::*;
use crate::model::log_target::Sasl;

fn of(user: Option<&str>) -> Kafka {
    Kafka {
        brokers: vec!["a:9092".to_owned(), "[::1]:9092".to_owned()],
        topic: "t".to_owned(),
        key: None,
        timeout: 1,
        refresh: 1,
        sasl: user.map(|user| Sasl {
            mechanism: Mechanism::ScramSha512,
            user: user.to_owned(),
        }),
    }
}

#[test]
fn a_password_is_that_of_the_user_at_any_of_the_brokers() {
    let lines = "http://a Basic x\nkafka://me@[::1]:9092 planted word\nkafka://other@b:9092 other";
    let kafkas = Kafkas::new(lines).unwrap();
    assert!(kafkas.shown(&of(None)).unwrap().is_none());
    let shown = kafkas.shown(&of(Some("me"))).unwrap();
    let Some(SaslConfig::ScramSha512(credentials)) = shown else {
        panic!("another way");
    };
    assert_eq!(credentials.username, "me");
    assert_eq!(credentials.password, "planted word");
    // Nobody is let in as nobody in the place of a user.
    let said = kafkas.shown(&of(Some("other"))).unwrap_err();
    assert!(matches!(said, Error::Password), "{said}");
    assert!(!format!("{kafkas:?}").contains("planted"));
}

#[test]
fn a_line_without_a_password_is_said_by_its_number() {
    let said = Kafkas::new("\nkafka://planted@a:9092")
        .unwrap_err()
        .to_string();
    assert!(said.starts_with("line 2: "), "{said}");
    assert!(!said.contains("planted"), "{said}");
}
