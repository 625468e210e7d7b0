//! Who may call, and for what.

use tonic::Code;

use super::*;

const HERE: &str = "127.0.0.1:5000";

fn access(keys: &[(&str, &str, Role)], networks: &[&str]) -> Rules {
    let key = |(name, key, role): &(&str, &str, Role)| ApiKey {
        name: (*name).to_owned(),
        hash: Hash::of(key.as_bytes()),
        roles: vec![*role],
    };
    Rules {
        keys: keys.iter().map(key).collect(),
        networks: networks.iter().map(|it| it.parse().unwrap()).collect(),
    }
}

fn admit(access: &Rules, role: Role, key: Option<&str>, from: &str) -> Result<String, Code> {
    let admitted = access.admit(role, key.map(str::as_bytes), from.parse().unwrap());
    admitted.map_err(|status| status.code())
}

#[test]
fn without_keys_everybody_may() {
    let open = access(&[], &[]);
    assert_eq!(admit(&open, Role::Drain, None, HERE), Ok(String::new()));
}

#[test]
fn a_key_opens_what_its_roles_say() {
    let keys = [
        ("deploy", "one", Role::Drain),
        ("looker", "two", Role::Read),
    ];
    let access = access(&keys, &[]);
    let may = |role, key| admit(&access, role, key, HERE);
    assert_eq!(may(Role::Drain, Some("one")), Ok("deploy".into()));
    assert_eq!(may(Role::Read, Some("one")), Ok("deploy".into()));
    assert_eq!(may(Role::Read, Some("two")), Ok("looker".into()));
    assert_eq!(may(Role::Drain, Some("two")), Err(Code::PermissionDenied));
    let refused = access.admit(Role::Operate, Some(b"one"), HERE.parse().unwrap());
    assert_eq!(
        refused.unwrap_err().message(),
        "the API key `deploy` has not the role `operate`"
    );
    for key in [None, Some("three"), Some("")] {
        assert_eq!(may(Role::Read, key), Err(Code::Unauthenticated));
    }
}

#[test]
fn drains_come_from_their_networks_only() {
    let access = access(&[], &["10.0.0.0/8", "fd00::/8"]);
    for from in ["10.1.2.3:1", "[fd00::1]:1", "[::ffff:10.1.2.3]:1"] {
        assert!(admit(&access, Role::Drain, None, from).is_ok(), "{from}");
    }
    assert_eq!(
        admit(&access, Role::Drain, None, HERE),
        Err(Code::PermissionDenied)
    );
    assert!(admit(&access, Role::Read, None, HERE).is_ok());
}

#[test]
fn a_hash_is_read_and_never_shown() {
    let text = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let hash: Hash = text.parse().unwrap();
    assert_eq!(hash, Hash::of(b"secret"));
    assert_eq!(format!("{hash:?}"), "(hash)");
    for wrong in [
        "secret",
        "sha256:secret",
        &text[..70],
        &text.replace('2', "+"),
    ] {
        let said = wrong.parse::<Hash>().unwrap_err();
        assert!(!said.contains("secret"), "{said}");
    }
}
