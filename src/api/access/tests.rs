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
        ..Rules::default()
    }
}

fn in_header(key: &str) -> Shown<'_> {
    Shown {
        key: key.as_bytes().into(),
        as_parameter: false,
    }
}

fn admit(access: &Rules, role: Role, key: Option<&str>, from: &str) -> Result<String, Code> {
    let key = key.map(in_header);
    let admitted = access.admit(role, key.as_ref(), from.parse().unwrap());
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
    let refused = access.admit(
        Role::Operate,
        Some(&in_header("one")),
        HERE.parse().unwrap(),
    );
    assert_eq!(
        refused.unwrap_err().message(),
        "the API key `deploy` has not the role `operate`"
    );
    for key in [None, Some("three"), Some("")] {
        assert_eq!(may(Role::Read, key), Err(Code::Unauthenticated));
    }
}

#[test]
fn a_key_for_metrics_opens_nothing_else() {
    let keys = [
        ("scraper", "one", Role::Metrics),
        ("looker", "two", Role::Read),
    ];
    let mut access = access(&keys, &[]);
    let may = |access: &Rules, role, key| admit(access, role, Some(key), HERE);
    assert_eq!(may(&access, Role::Metrics, "one"), Ok("scraper".into()));
    assert_eq!(may(&access, Role::Metrics, "two"), Ok("looker".into()));
    for role in [Role::Read, Role::Drain, Role::Operate, Role::Admin] {
        let refused = may(&access, role, "one");
        assert_eq!(refused, Err(Code::PermissionDenied), "{role:?}");
    }
    // With another role it reads, as every key.
    access.keys[0].roles.push(Role::Drain);
    assert_eq!(may(&access, Role::Read, "one"), Ok("scraper".into()));

    let mut headers = HeaderMap::new();
    let uri: Uri = "/metrics?api_key=one".parse().unwrap();
    assert!(Place::Scraper.key(&uri, &headers).is_none());
    for (shown, found) in [
        ("Bearer one", Some("one")),
        ("bearer  one ", Some("one")),
        ("Basic one", None),
        ("one", None),
    ] {
        headers.insert(header::AUTHORIZATION, shown.parse().unwrap());
        let key = Place::Scraper.key(&uri, &headers);
        let key = key.map(|key| String::from_utf8(key.key.to_vec()).unwrap());
        assert_eq!(key.as_deref(), found, "{shown}");
        assert!(Place::Header.key(&uri, &headers).is_none());
    }
}

#[test]
fn a_key_in_the_url_can_be_refused() {
    let uri: Uri = "/apisix/admin/routes?api_key=one".parse().unwrap();
    let mut headers = HeaderMap::new();
    let mut access = access(&[("deploy", "one", Role::Admin)], &[]);
    let may = |access: &Rules, headers: &HeaderMap| {
        let shown = Place::Apisix.key(&uri, headers);
        let admitted = access.admit(Role::Admin, shown.as_ref(), HERE.parse().unwrap());
        admitted.map_err(|status| (status.code(), status.message().to_owned()))
    };
    assert_eq!(may(&access, &headers), Ok("deploy".into()));
    access.parameter_refused = true;
    let said = "an API key as the parameter `api_key` is not accepted here (api-key-parameter): show it as `x-api-key`";
    let refused = Err((Code::Unauthenticated, said.to_owned()));
    assert_eq!(may(&access, &headers), refused);
    headers.insert(HEADER, "one".parse().unwrap());
    assert_eq!(may(&access, &headers), Ok("deploy".into()));
}

#[test]
fn viewer_is_another_word_for_read() {
    for word in ["read", "viewer"] {
        let text = serde_json::json!(word);
        assert_eq!(serde_json::from_value::<Role>(text).unwrap(), Role::Read);
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

#[test]
fn guesses_are_limited_and_known_keys_are_not() {
    let rules = access(&[("deploy", "one", Role::Admin)], &[]);
    let access = Access {
        rules: watch::channel(rules).1,
        trail: Trail::to_log(),
        port: HERE.parse().unwrap(),
        tls: false,
        failures: Arc::default(),
        rates: Arc::default(),
    };
    let call = |key: Option<&str>| {
        let mut request = Request::new(axum::body::Body::empty());
        if let Some(key) = key {
            request.headers_mut().insert(HEADER, key.parse().unwrap());
        }
        access.admit(Role::Read, &request, HERE.parse().unwrap(), Place::Apisix)
    };
    for at in 0..31 {
        // No guess: neither counts.
        assert_eq!(call(None).unwrap_err().late, Duration::ZERO);
        assert!(call(Some("one")).is_ok());
        let denied = call(Some("two")).unwrap_err();
        let late = if (5..30).contains(&at) { 1 } else { 0 };
        assert_eq!(denied.late, Duration::from_secs(late), "{at}");
        let refused = denied.status.code() == Code::ResourceExhausted;
        assert_eq!(refused, at == 30, "{at}");
    }
    let answered = answer::error(&call(Some("two")).unwrap_err().status);
    assert_eq!(answered.status(), 429);
    let seconds = answered.headers()[header::RETRY_AFTER].to_str().unwrap();
    assert!((1..=61).contains(&seconds.parse().unwrap()), "{seconds}");
    assert_eq!(call(Some("one")).unwrap().name, "deploy");
}
